"""Clock changes: named hours run once each, any hour goes by real time, in every kind of zone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from arqlite.model.crontab import Crontab
from arqlite.model.timetable import Fields, Timetable
from arqlite.model.wallclock import SystemZone, first_moment, last_moment

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def system_in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's zone is Berlin's for a while."""
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.fixture(params=["zone", "system"])
def berlin(request: pytest.FixtureRequest) -> tzinfo:
    """Berlin as a zone of its own, and as the system's."""
    if request.param == "zone":
        return BERLIN
    request.getfixturevalue("system_in_berlin")
    return SystemZone()


class ZoneOfOffsets(tzinfo):
    """A zone as pytz makes them: right about a moment, by another tzinfo; wrong about a time of the clock."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(minutes=53)

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None

    def tzname(self, dt: datetime | None) -> str:
        return "LMT"

    def fromutc(self, dt: datetime) -> datetime:
        told = dt.replace(tzinfo=UTC).astimezone(BERLIN)
        offset = told.utcoffset()
        assert offset is not None
        return told.replace(tzinfo=timezone(offset), fold=0)


def fields(hour: int | list[int] | None, minute: int | list[int], microsecond: int = 0) -> Fields:
    return Fields(None, None, None, hour, minute, 0, microsecond)


def moments(timetable: Timetable, zone: tzinfo, start: str, count: int) -> list[str]:
    """List the next moments, as UTC reads them."""
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        moment = first_moment(timetable, moment, zone).astimezone(UTC)
        found.append(moment.strftime("%d. %H:%M"))
        moment += timedelta(seconds=1)
    return found


@pytest.mark.parametrize("timetable", [fields(2, 30), Crontab("30 2 * * *", 0)])
def test_skipped_time_runs_when_the_clock_has_gone_on(berlin: tzinfo, timetable: Timetable) -> None:
    """In spring the clock goes from 2 to 3: what was for 2:30 runs at 3:00, at 1:00 UTC."""
    assert moments(timetable, berlin, "2024-03-30 00:00", 3) == ["30. 01:30", "31. 01:00", "01. 00:30"]


@pytest.mark.parametrize("timetable", [fields(2, 30), Crontab("30 2 * * *", 0)])
def test_time_that_comes_twice_runs_the_first_time(berlin: tzinfo, timetable: Timetable) -> None:
    """In autumn the clock goes from 3 to 2: what is for 2:30 runs at 0:30 UTC and not again at 1:30."""
    assert moments(timetable, berlin, "2024-10-26 00:00", 3) == ["26. 00:30", "27. 00:30", "28. 01:30"]


@pytest.mark.parametrize("timetable", [fields(None, 30), Crontab("30 * * * *", 0)])
def test_any_hour_goes_by_real_time_in_spring(berlin: tzinfo, timetable: Timetable) -> None:
    """No real hour is left out where the clock leaves one out."""
    assert moments(timetable, berlin, "2024-03-30 23:00", 4) == [
        "30. 23:30", "31. 00:30", "31. 01:30", "31. 02:30"
    ]  # fmt: skip


@pytest.mark.parametrize("timetable", [fields(None, 30), Crontab("30 * * * *", 0)])
def test_any_hour_goes_by_real_time_in_autumn(berlin: tzinfo, timetable: Timetable) -> None:
    """The hour that comes twice counts twice."""
    assert moments(timetable, berlin, "2024-10-26 23:00", 4) == [
        "26. 23:30", "27. 00:30", "27. 01:30", "27. 02:30"
    ]  # fmt: skip


def test_skipped_times_run_together(berlin: tzinfo) -> None:
    """Several times of the hour that is skipped run once, together with what is for the moment itself."""
    assert moments(fields([2, 3], [0, 20, 40]), berlin, "2024-03-31 00:30", 3) == [
        "31. 01:00", "31. 01:20", "31. 01:40"
    ]  # fmt: skip


def test_skipped_time_is_found_from_within_its_second(berlin: tzinfo) -> None:
    """A search that begins after the change, before the microsecond of the times, still finds it."""
    start = datetime(2024, 3, 31, 1, 0, 0, 100, tzinfo=UTC)

    found = first_moment(fields(2, 30, microsecond=200), start, berlin)

    assert found.astimezone(UTC) == start.replace(microsecond=200)


def test_second_pass_is_over_for_named_hours(berlin: tzinfo) -> None:
    """A search that begins in the second pass of an hour does not run what the first pass had."""
    assert moments(fields(2, 30), berlin, "2024-10-27 01:10", 1) == ["28. 01:30"]


def test_moments_are_told_on_the_clock(berlin: tzinfo) -> None:
    """What the clock shows twice is told apart by its fold and comes back as the same moment."""
    for hour in (0, 1):
        moment = datetime(2024, 10, 27, hour, 30, tzinfo=UTC)

        found = first_moment(fields(None, 30), moment, berlin)

        assert (found.tzinfo, found.hour, found.fold) == (berlin, 2, hour)
        assert found.astimezone(UTC) == moment
        assert found.utcoffset() == timedelta(hours=2 - hour)


@pytest.mark.usefixtures("system_in_berlin")
def test_system_zone_tells_its_name() -> None:
    """The system's zone has the name of the season."""
    summer, winter = (datetime(2024, month, 1, tzinfo=SystemZone()) for month in (7, 1))

    assert (summer.tzname(), winter.tzname()) == ("CEST", "CET")
    assert str(summer) == "2024-07-01 00:00:00+02:00"


def test_half_an_hour_and_a_whole_day() -> None:
    """Lord Howe's clock goes by half an hour; Samoa left out a day."""
    assert moments(fields(2, 15), ZoneInfo("Australia/Lord_Howe"), "2024-10-05 00:00", 2) == [
        "05. 15:30", "06. 15:15"
    ]  # fmt: skip
    assert moments(fields(12, 0), ZoneInfo("Pacific/Apia"), "2011-12-29 00:00", 3) == [
        "29. 22:00", "30. 10:00", "30. 22:00"
    ]  # fmt: skip


def test_far_change_is_not_overlooked() -> None:
    """Where midnight itself comes twice, the first of them is found from half a year away."""
    timetable = Fields(11, 3, None, None, 30, 0, 0)

    assert moments(timetable, ZoneInfo("America/Havana"), "2024-01-01 00:00", 2) == ["03. 04:30", "03. 05:30"]


def test_zone_of_another_make() -> None:
    """A zone is asked for nothing but what its clock shows, which pytz's tell truly as well."""
    zone = ZoneOfOffsets()

    assert moments(fields(2, 30), zone, "2024-10-26 00:00", 3) == ["26. 00:30", "27. 00:30", "28. 01:30"]
    assert moments(fields(2, 30), zone, "2024-03-31 00:00", 2) == ["31. 01:00", "01. 00:30"]
    assert moments(fields(9, 0), zone, "2024-07-01 00:00", 1) == ["01. 07:00"]


def test_fixed_offset() -> None:
    """A zone that never changes is read as it is."""
    assert moments(fields(9, 0), timezone(timedelta(hours=5, minutes=30)), "2024-03-31 00:00", 1) == [
        "31. 03:30"
    ]


@pytest.mark.parametrize("zone", [UTC, BERLIN])
def test_last_moment_is_the_last_of_all(zone: tzinfo) -> None:
    """The last moment of a span is found without walking through all of them."""
    timetable = fields(None, [0, 10, 55])
    start = datetime(2024, 10, 26, 23, 5, tzinfo=UTC)
    for minutes in (0, 1, 5, 49, 50, 55, 64, 65, 66, 180, 1234):
        end = start + timedelta(minutes=minutes)

        found = last_moment(lambda at: first_moment(timetable, at, zone), start, end)

        walked = [start + timedelta(minutes=n) for n in range(minutes + 1)]
        expected = [at for at in walked if at.minute in (0, 10, 55)]
        assert (found and found.astimezone(UTC)) == (expected[-1] if expected else None)
