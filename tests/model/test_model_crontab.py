"""Crontab strings: what they mean, and what is refused in which words."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.model.crontab import Crontab, is_reboot


def at(*parts: int) -> datetime:
    """A time of the clock face."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


START = at(2024, 2, 28, 12, 30, 30)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/5 9-17 * * mon-fri", at(2024, 2, 28, 12, 35)),
        ("30 12 * * *", at(2024, 2, 29, 12, 30)),
        ("0 0 * * 0", at(2024, 3, 3)),
        ("0 0 * * 7", at(2024, 3, 3)),
        ("0 0 * * SUN", at(2024, 3, 3)),
        ("0 12 * jan,dec *", at(2024, 12, 1, 12)),
        ("5/15 * * * *", at(2024, 2, 28, 12, 35)),
        ("10-20/5 3 * * *", at(2024, 2, 29, 3, 10)),
        ("0 0 L * *", at(2024, 2, 29)),
        ("0 0 * * L5", at(2024, 3, 29)),
        ("0 0 * * fri#2", at(2024, 3, 8)),
        ("0 0 29 2 *", at(2024, 2, 29)),
        ("0 0 13 * fri", at(2024, 9, 13)),  # both have to match
        ("* * * * * */20", at(2024, 2, 28, 12, 30, 40)),
        ("0 3 * * * 15", at(2024, 2, 29, 3, 0, 15)),
        ("  0\t3  * * * ", at(2024, 2, 29, 3)),
        ("@hourly", at(2024, 2, 28, 13)),
        ("@daily", at(2024, 2, 29)),
        ("@Midnight", at(2024, 2, 29)),
        ("@weekly", at(2024, 3, 3)),
        ("@monthly", at(2024, 3, 1)),
        ("@yearly", at(2025, 1, 1)),
        ("@annually", at(2025, 1, 1)),
    ],
)
def test_next_time(text: str, expected: datetime) -> None:
    """A crontab string means what it means to cron; seconds are the sixth field."""
    assert Crontab(text, 0).first_from(START) == expected


def test_times_end_in_the_microsecond() -> None:
    """A time counts until its microsecond has passed."""
    timetable = Crontab("* * * * *", 500)

    assert timetable.first_from(at(2024, 1, 1, 12, 0, 0, 500)) == at(2024, 1, 1, 12, 0, 0, 500)
    assert timetable.first_from(at(2024, 1, 1, 12, 0, 0, 501)) == at(2024, 1, 1, 12, 1, 0, 500)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("61 * * * *", "'61 * * * *' cannot be read: minute must be 0 to 59, got '61'"),
        ("* * * foo *", "month must be 1 to 12 or jan to dec, got 'foo'"),
        ("0 0 * * 1#6", "weekday must be 0 to 7 from Sunday or sun to sat, also fri#2 and l5, got '1#6'"),
        ("* * * * * 99", "second must be 0 to 59, got '99'"),
        ("*/0 * * * *", "'*/0 * * * *' cannot be read: a step must be 1 to 99, got '*/0'"),
        ("0 22-3 * * *", "hour must not run backwards, got '22-3'"),
        ("0 0 * * 1-l5", "weekday must be 0 to 7"),
        ("0 0 * * mon#6", "weekday must be 0 to 7"),
        ("1,,2 * * * *", "minute must be 0 to 59, got '1,,2'"),
        ("*-5 * * * *", "minute must be 0 to 59, got '*-5'"),
        ("+1 * * * *", "minute must be 0 to 59, got '+1'"),
        ("1.5 * * * *", "minute must be 0 to 59, got '1.5'"),
        ("0 0 ? * *", "day must be 1 to 31, or l for the last, got '?'"),
        ("0 0 15w * *", "day must be 1 to 31, or l for the last, got '15w'"),
        ("* * * *", "'* * * *' has 4 fields; it must have five"),
        ("", "'' has 0 fields"),
        ("0 0 1 1 * 0 2030", "has 7 fields"),
        ("@nightly", "'@nightly' is no nickname; there are @reboot, @yearly"),
        ("r * * * *", "minute must be 0 to 59, got 'r'"),
        ("0 h(2-4) * * *", "hour must be 0 to 23, got 'h(2-4)'"),
        (5, "crontab must be a string such as '*/5 9-17 * * mon-fri', got 5"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, words: str) -> None:
    """A wrong string is shown with the field that is wrong and what it may be."""
    with pytest.raises(ConfigurationError) as caught:
        Crontab(text, 0)

    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4 *", "0 0 31 2,4,6 *"])
def test_date_that_never_comes(text: str) -> None:
    """The 31st of February is told from a date that is only rare."""
    with pytest.raises(ConfigurationError, match="names a date that never comes"):
        Crontab(text, 0)


def test_every_hour() -> None:
    """Every hour is known by what the field means, not by how it is written."""
    every = ["0 * * * *", "0 */1 * * *", "0 0-23 * * *", "@hourly"]

    assert all(Crontab(text, 0).every_hour for text in every)
    assert not any(Crontab(text, 0).every_hour for text in ["0 */2 * * *", "0 3 * * *", "@daily"])


def test_text_tells_timetables_apart() -> None:
    """Case, blanks and nicknames make no other timetable."""
    assert Crontab("@daily", 0).text == Crontab("0  0 * * *", 0).text
    assert Crontab("0 0 * * MON", 0).text == Crontab("0 0 * * mon", 0).text
    assert Crontab("0 0 * * mon", 0).text != Crontab("0 0 * * tue", 0).text


def test_reboot() -> None:
    """`@reboot` is told from every other string, and from no string at all."""
    assert is_reboot(" @Reboot ")
    assert not any(map(is_reboot, ["@daily", "0 0 * * *", None, 5]))


# -- what the fields mean, by the facts of Oban's own tests


def values(place: int, text: str) -> set[int]:
    """List what a field of a crontab string stands for, by the times that it names."""
    fields = ["0", "0", "1", "1", "*"]
    fields[place] = text
    if place == 4:
        fields[2:4] = ["*", "*"]
    timetable = Crontab(" ".join(fields), 0)
    found: set[int] = set()
    moment = at(2024, 1, 1)
    while (moment := timetable.first_from(moment)) < at(2025, 1, 1):
        found.add((moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)[place])
        moment += timedelta(minutes=1)
    return found


@pytest.mark.parametrize("text", ["* * * * *", "0 0 1 * *", "*/5 * * * *"])
def test_five_fields_can_be_read(text: str) -> None:
    """Five fields make a crontab string."""
    assert Crontab(text, 0).first_from(START) > START


@pytest.mark.parametrize("text", ["* * * *", "", "   ", "* * * * * * *"])
def test_other_numbers_of_fields_are_refused(text: str) -> None:
    """Four fields, none and seven are no crontab string; a sixth one is for seconds, last."""
    with pytest.raises(ConfigurationError, match="it must have five"):
        Crontab(text, 0)


@pytest.mark.parametrize(
    "text",
    [
        *("60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8"),
        *("* 0-24 * * *", "* * 0-31 * *", "* * * 0-12 *", "* * * * 0-8"),
    ],
)
def test_values_out_of_range_are_refused(text: str) -> None:
    """A value that its field has not is refused, alone and as the end of a range."""
    with pytest.raises(ConfigurationError, match=r"cannot be read: (minute|hour|day|month|weekday) must be"):
        Crontab(text, 0)


@pytest.mark.parametrize("text", ["7", "0", "sun", "SUN", "Sun"])
def test_sunday_has_two_numbers(text: str) -> None:
    """0 and 7 are Sunday, and names are read in any case."""
    assert values(4, text) == {0}


@pytest.mark.parametrize("place", range(5))
def test_steps(place: int) -> None:
    """A step is 1 to 99 in every field; one that is longer than the field meets its first value only."""
    fields = ["*"] * 5
    for step in ("0", "100", "1000"):
        fields[place] = f"*/{step}"
        with pytest.raises(ConfigurationError, match="a step must be 1 to 99"):
            Crontab(" ".join(fields), 0)

    assert values(place, "*/99") == {(0, 0, 1, 1, 0)[place]}


@pytest.mark.parametrize("text", ["* * * jan *", "* * * * sun", "* * * JAN-MAR *", "* * * * SUN,TUE"])
def test_names_can_be_read(text: str) -> None:
    """Names of months and weekdays are read in any case, in ranges and lists."""
    assert Crontab(text, 0).first_from(START) > START


@pytest.mark.parametrize("text", ["* * * ONE *", "* * * * ONE", "* * * SUN *", "* * * * JAN", "* * * janu *"])
def test_unknown_names_are_refused(text: str) -> None:
    """A name that its field has not is refused."""
    with pytest.raises(ConfigurationError, match=r"(month|weekday) must be"):
        Crontab(text, 0)


@pytest.mark.parametrize("text", ["* * * * SAT-SUN", "* 5-1 * * *", "* * * DEC-JAN *"])
def test_ranges_do_not_run_backwards(text: str) -> None:
    """A range whose start is behind its end is refused, and not read as one over the turn."""
    with pytest.raises(ConfigurationError, match="must not run backwards"):
        Crontab(text, 0)
    assert values(4, "MON-FRI") == {1, 2, 3, 4, 5}
    assert values(4, "6-7") == {6, 0}


@pytest.mark.parametrize(
    "text",
    ["0-99999999 * * * *", "99999999/1 * * * *", "0-" + "9" * 10_000 + " * * * *", "0/" + "9" * 10_000],
)
def test_bounds_are_checked_before_a_range_is_laid_out(text: str) -> None:
    """A number beyond all bounds costs nothing but an error."""
    began = time.monotonic()

    with pytest.raises(ConfigurationError):
        Crontab(text, 0)

    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("place", "text", "expected"),
    [
        (2, "1/7", {1, 8, 15, 22, 29}),
        (2, "1-14/7", {1, 8}),
        (1, "0/12", {0, 12}),
        (0, "0-10/5", {0, 5, 10}),
        (0, "1,5-7,*/20", {0, 1, 5, 6, 7, 20, 40}),
        (0, "05", {5}),
        (0, "005,0", {5, 0}),
        (3, "jan-mar", {1, 2, 3}),
        (0, "5-5", {5}),
        (0, "5-5/3", {5}),
        (0, "59/15", {59}),
        (3, "dec-dec", {12}),
        (2, "31,l", {31}),
        (4, "7/2", {0}),
        (4, "0-7", {0, 1, 2, 3, 4, 5, 6}),
        (4, "5-7/2", {5, 0}),
        (4, "*/7", {0}),
        (4, "sun,tue", {0, 2}),
        (4, "1", {1}),
        (4, "*", {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_forms_of_a_field(place: int, text: str, expected: set[int]) -> None:
    """Steps begin at the low end of their range, lists mix all forms, leading zeros are nothing."""
    assert values(place, text) == expected


@pytest.mark.parametrize(
    ("weekday", "expected"),
    [
        ("fri#2,mon", [4, 8, 11, 18, 25]),
        ("l5,mon-tue", [4, 5, 11, 12, 18, 19, 25, 26, 29]),
        ("lfri,fri#2", [8, 29]),
        ("7#1,l7", [3, 31]),
        ("fri#2,*", list(range(1, 32))),
    ],
)
@pytest.mark.parametrize("seconds", ["", " 0"])
def test_days_of_a_month_beside_weekdays(weekday: str, seconds: str, expected: list[int]) -> None:
    """The second or last Friday may stand in a list with each other and with plain weekdays."""
    timetable, found = Crontab(f"0 0 * * {weekday}{seconds}", 0), []
    moment = at(2024, 3, 1)
    while (moment := timetable.first_from(moment)) < at(2024, 4, 1):
        found.append(moment.day)
        moment += timedelta(minutes=1)

    assert found == expected


@pytest.mark.parametrize("weekday", ["7", "6-7", "sun#1", "7#1"])
def test_sunday_beside_seconds(weekday: str) -> None:
    """A sixth field takes nothing from the others."""
    assert Crontab(f"0 0 * * {weekday} 15", 0).first_from(at(2024, 3, 3)) == at(2024, 3, 3, 0, 0, 15)


@pytest.mark.parametrize("text", ["0\t3\t*\t*\t*", "0   3  *  *   *", " 0 3 * * *\n"])
def test_blanks(text: str) -> None:
    """Fields stand apart by any blanks, tabs among them."""
    assert Crontab(text, 0).text == Crontab("0 3 * * *", 0).text


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 30 2,4 *", "0 0 31 * *", "0 0 * 2 *", "0 0 l 2 *"])
def test_dates_that_come(text: str) -> None:
    """A day that only some of the months have is no mistake; nor is any with `*` beside it."""
    assert Crontab(text, 0).first_from(START) >= START


def test_weekday_that_never_meets_its_day() -> None:
    """The first of a month is never its second Friday."""
    with pytest.raises(ConfigurationError, match="names a date that never comes"):
        Crontab("0 0 1 * fri#2", 0).first_from(START)


@pytest.mark.parametrize(
    ("nickname", "text"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
def test_nicknames(nickname: str, text: str) -> None:
    """A nickname is its crontab string, and makes the same timetable."""
    assert Crontab(nickname, 0).text == Crontab(text, 0).text


def test_day_and_weekday_have_to_match_both() -> None:
    """`0 0 13 * FRI` is Friday the 13th, and no other Friday or 13th."""
    timetable, found = Crontab("0 0 13 * FRI", 0), []
    moment = at(2024, 1, 1)
    while (moment := timetable.first_from(moment)) < at(2027, 1, 1):
        found.append(f"{moment:%Y-%m-%d}")
        moment += timedelta(minutes=1)

    assert found == ["2024-09-13", "2024-12-13", "2025-06-13", "2026-02-13", "2026-03-13", "2026-11-13"]


@pytest.mark.parametrize(("text", "day"), [("0 0 * * 0", 3), ("0 0 * * SUN", 3), ("0 0 * * 1", 4)])
def test_weekdays_count_from_sunday(text: str, day: int) -> None:
    """0 is a Sunday and 1 a Monday; of the fields of `cron` 0 is Monday, as in arq."""
    assert Crontab(text, 0).first_from(START) == at(2024, 3, day)


def test_doubtful_steps_are_told() -> None:
    """A step that never steps is read, and told to be hardly meant."""
    assert Crontab("*/90 * * * *", 0).doubts == [
        "the step in '*/90' is longer than the 60 values that minute has"
    ]
    assert Crontab("*/59 */24 * * *", 0).doubts == []


def test_other_letters_are_told_from_digits() -> None:
    """Digits of other scripts are no digits to cron."""
    text: Any = "\u0665 * * * *"

    with pytest.raises(ConfigurationError, match="minute must be"):
        Crontab(text, 0)
