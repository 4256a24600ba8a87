"""`next_at` and `last_at`: when a crontab string comes next and came last, by the facts of Oban's tests."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from arqlite.cron import last_at, next_at
from arqlite.errors import ConfigurationError


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("crontab", "start", "expected"),
    [
        ("* * * * *", "2024-11-21 00:55:30", "2024-11-21 00:56"),
        ("*/2 * * * *", "2024-11-21 00:55", "2024-11-21 00:56"),
        ("5 * * * *", "2024-11-21 00:06", "2024-11-21 01:05"),
        ("0 13 * * *", "2024-11-21 01:02", "2024-11-21 13:00"),
        ("0 */2 * * *", "2024-11-21 03:02", "2024-11-21 04:00"),
        ("0 0 1 * *", "2024-11-21 01:02", "2024-12-01 00:00"),
        ("0 0-2 5 9 *", "2024-11-21 01:02", "2025-09-05 00:00"),
        ("0 0-2 5 9 *", "2024-09-04 01:02", "2024-09-05 00:00"),
        ("0 1 5 9 SUN", "2024-11-21 01:02", "2027-09-05 01:00"),
        ("@daily", "2024-11-21 00:00", "2024-11-22 00:00"),
        ("* * * * * */20", "2024-11-21 00:55:20.5", "2024-11-21 00:55:40"),
    ],
)
def test_next_time(crontab: str, start: str, expected: str) -> None:
    """The next time is the first one after the given minute."""
    assert next_at(crontab, utc(start)) == utc(expected)


@pytest.mark.parametrize(
    ("crontab", "start", "expected"),
    [
        ("* * * * *", "2024-11-21 00:55", "2024-11-21 00:54"),
        ("*/2 * * * *", "2024-11-21 00:55", "2024-11-21 00:54"),
        ("5 * * * *", "2024-11-21 00:06", "2024-11-21 00:05"),
        ("0 1 * * *", "2024-11-21 01:02", "2024-11-21 01:00"),
        ("0 */2 * * *", "2024-11-21 03:02", "2024-11-21 02:00"),
        ("0 0 1 * *", "2024-11-21 01:02", "2024-11-01 00:00"),
        ("0 0-2 5 9 *", "2024-11-21 01:02", "2024-09-05 02:00"),
        ("0 0-2 5 9 *", "2024-09-04 01:02", "2023-09-05 02:00"),
        ("0 1 5 9 MON", "2024-11-21 01:02", "2022-09-05 01:00"),
        ("* * * * * */20", "2024-11-21 00:55:20.5", "2024-11-21 00:55:00"),
    ],
)
def test_last_time(crontab: str, start: str, expected: str) -> None:
    """The last time is the last one before the given minute."""
    assert last_at(crontab, utc(start)) == utc(expected)


def test_next_is_later_and_last_is_earlier() -> None:
    """Whatever the string and the moment: next is after its minute, last before it, and both are whole."""
    chance = random.Random(20241121)
    strings = ["* * * * *", "*/7 * * * *", "3 4 * * *", "0 0 29 2 *", "15 */5 1-9 * mon", "59 23 31 12 *"]
    for _ in range(60):
        start = utc("2024-01-01") + timedelta(seconds=chance.random() * 10 * 365 * 86400)
        minute = start.replace(second=0, microsecond=0)
        for crontab in strings:
            following, before = next_at(crontab, start), last_at(crontab, start)
            assert following is not None
            assert before is not None
            assert following >= minute + timedelta(minutes=1)
            assert before < minute
            assert (following.second, following.microsecond, before.second, before.microsecond) == (
                0,
                0,
                0,
                0,
            )


def test_reboot_has_no_next_time() -> None:
    """`@reboot` comes at no time; it came when this process began, cut to the minute."""
    before = last_at("@reboot")

    assert next_at("@reboot") is None
    assert before is not None
    assert (before.second, before.microsecond) == (0, 0)
    assert before <= datetime.now(UTC)
    assert last_at("@reboot") == before


def test_other_zones() -> None:
    """The string is read in the zone that is given, by name or not, else in that of the start."""
    start = utc("2024-07-01 12:00")
    chicago = ZoneInfo("America/Chicago")
    nine = datetime(2024, 7, 1, 9, tzinfo=chicago)

    assert next_at("0 9 * * *", start, timezone="America/Chicago") == nine
    assert next_at("0 9 * * *", start.astimezone(chicago)) == nine
    assert next_at("0 9 * * *", start) == utc("2024-07-02 09:00")
    assert last_at("0 9 * * *", start, timezone=chicago) == nine - timedelta(days=1)


def test_clock_face_without_a_zone() -> None:
    """A start without a zone is answered by a time without one."""
    start = datetime(2024, 7, 1, 12, 30)  # noqa: DTZ001 (a clock face)

    assert next_at("0 * * * *", start) == datetime(2024, 7, 1, 13)  # noqa: DTZ001 (a clock face)
    assert last_at("0 * * * *", start) == datetime(2024, 7, 1, 12)  # noqa: DTZ001 (a clock face)


@pytest.mark.parametrize("ask", [next_at, last_at])
def test_what_cannot_be_read_is_refused(ask: object) -> None:
    """Both refuse what `cron` refuses."""
    assert callable(ask)
    with pytest.raises(ConfigurationError, match="must have five"):
        ask("* * * *")
    with pytest.raises(ConfigurationError, match="name of a zone"):
        ask("* * * * *", timezone="america/chicago")


@pytest.mark.parametrize("look", [next_at, last_at])
def test_a_zone_given_as_the_start(look: Any) -> None:
    """A zone in the place of the start is told to be one."""
    with pytest.raises(ConfigurationError, match=r"start must be a datetime, got 'UTC'; .* timezone=\.\.\."):
        look("* * * * *", "UTC")
