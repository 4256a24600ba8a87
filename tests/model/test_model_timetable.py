"""Fields as a timetable: every matching time of the clock face, in order."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.model.timetable import Fields


def at(*parts: int) -> datetime:
    """A time of the clock face."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


def fields(**options: Any) -> Fields:
    names = ("month", "day", "weekday", "hour", "minute")
    return Fields(
        **{name: options.get(name) for name in names}, second=options.get("second", 0), microsecond=5
    )


def test_times_are_those_that_match() -> None:
    """Against a search second by second, no matching time is left out and none is made up."""
    chance = random.Random(4)
    for _ in range(15):
        chosen = {
            "hour": sorted(chance.sample(range(24), chance.randint(1, 3))),
            "minute": sorted(chance.sample(range(60), chance.randint(1, 4))),
            "second": chance.choice([0, [0, 59], [7, 30]]),
        }
        start = at(2024, 2, 28, chance.randint(0, 23), chance.randint(0, 59), chance.randint(0, 59), 6)
        timetable = fields(**chosen)

        found = timetable.first_from(start)

        candidates = (start.replace(microsecond=5) + timedelta(seconds=n) for n in itertools.count(1))
        second = chosen["second"] if isinstance(chosen["second"], list) else [chosen["second"]]
        expected = next(
            time
            for time in candidates
            if time.hour in chosen["hour"] and time.minute in chosen["minute"] and time.second in second
        )
        assert found == expected


def test_a_time_follows_itself() -> None:
    """The first time from a matching time is that time; a microsecond later it is the next."""
    timetable = fields(minute=30)

    assert timetable.first_from(at(2024, 1, 1, 12, 30, 0, 5)) == at(2024, 1, 1, 12, 30, 0, 5)
    assert timetable.first_from(at(2024, 1, 1, 12, 30, 0, 6)) == at(2024, 1, 1, 13, 30, 0, 5)


def test_text_tells_timetables_apart() -> None:
    """Equal timetables have one text, however they are written; others have another."""
    assert fields(minute=[30, 0]).text == fields(minute={0, 30}).text == "minute=0,30 second=0 microsecond=5"
    assert fields(weekday="mon").text == fields(weekday=0).text
    assert fields(hour=range(24)).text == fields().text != fields(hour=3).text


def test_every_hour() -> None:
    """Any hour, or all of them by name, is every hour; one less is not."""
    assert fields().every_hour
    assert fields(hour=range(24)).every_hour
    assert not fields(hour=range(23)).every_hour


def test_the_end_of_time() -> None:
    """Where the calendar ends there is no next time, and that is said in words."""
    with pytest.raises(ConfigurationError, match="no date has month=1, day=1"):
        fields(month=1, day=1).first_from(at(9999, 6, 1))
