"""Crontab strings: what they mean, and what is refused in which words."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

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
        ("*/0 * * * *", "minute must be 0 to 59, got '*/0'"),
        ("*/90 * * * *", "the step in '*/90' is longer than the 60 values that minute has"),
        ("* * * *", "'* * * *' has 4 fields; it must have five"),
        ("", "'' has 0 fields"),
        ("0 0 1 1 * 0 2030", "has 7 fields"),
        ("@nightly", "'@nightly' is no nickname; there are @reboot, @yearly"),
        ("r * * * *", "minute must not be left to chance, got 'r'"),
        ("0 h(2-4) * * *", "hour must not be left to chance, got 'h(2-4)'"),
        (5, "crontab must be a string such as '*/5 9-17 * * mon-fri', got 5"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, words: str) -> None:
    """A wrong string is shown with the field that is wrong and what it may be."""
    with pytest.raises(ConfigurationError) as caught:
        Crontab(text, 0)

    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *"])
def test_date_that_never_comes(text: str) -> None:
    """The 31st of February is told from a date that is only rare."""
    with pytest.raises(ConfigurationError, match="names a date that never comes"):
        Crontab(text, 0).first_from(START)


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


def test_croniter_is_imported_by_those_who_use_it() -> None:
    """Programs without crontab strings do not pay for croniter."""
    code = (
        "import sys, arqlite, arqlite.worker\n"
        "async def f(ctx): ...\n"
        "arqlite.cron(f, hour=3)\n"
        "assert 'croniter' not in sys.modules\n"
        "arqlite.cron(f, crontab='@daily')\n"
        "assert 'croniter' in sys.modules\n"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
