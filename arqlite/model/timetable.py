"""Which times of the clock face a cron job names: fields, each with the values it may have."""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Protocol

from ..errors import ConfigurationError
from ..typing import WEEKDAYS, OptionType, WeekdayOptionType

_RANGES = {
    "month": (1, 12),
    "day": (1, 31),
    "weekday": (0, 6),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "microsecond": (0, 999_999),
}
_DATE_FIELDS = ("month", "day", "weekday")
# The rarest date there is, 29 February on a given weekday, comes at least once in 40 years.
_HORIZON_YEARS = 41


class Timetable(Protocol):
    """Times of the clock face, told one after another.

    Attributes:
        every_hour: whether no hour is left out; such a timetable goes by real time when clocks change.
        microsecond: what all its times end in.
        text: the same for equal timetables, and for those only.
    """

    every_hour: bool
    microsecond: int
    text: str

    def first_from(self, wall: datetime) -> datetime:
        """Find the first time that is not before `wall`; both are without a zone.

        Raises:
            ConfigurationError: there is none, now or ever.
        """


class Fields:
    """The timetable of `cron(month=, day=, ...)`: a time has to match every field.

    Attributes:
        words: the fields that name something, for people to read.

    Raises:
        ConfigurationError: a field is out of its range.
    """

    def __init__(
        self,
        month: OptionType,
        day: OptionType,
        weekday: WeekdayOptionType,
        hour: OptionType,
        minute: OptionType,
        second: OptionType,
        microsecond: int,
    ) -> None:
        options = {
            "month": month, "day": day, "weekday": weekday, "hour": hour, "minute": minute, "second": second
        }  # fmt: skip
        microsecond_of(microsecond)
        values = {field: _allowed(field, option) for field, option in options.items()}
        months, days, weekdays, hours, minutes, seconds = values.values()
        named = {
            field: f"{field}={','.join(map(str, values[field]))}"
            for field, (low, high) in _RANGES.items()
            if field in values and len(values[field]) <= high - low
        }
        dates = ", ".join(text for field, text in named.items() if field in _DATE_FIELDS)
        self._months, self._days, self._weekdays = map(frozenset, (months, days, weekdays))
        self._hours, self._minutes, self._seconds = map(sorted, (hours, minutes, seconds))
        self._never = f"no date has {dates}"
        self.microsecond = microsecond
        self.every_hour = len(self._hours) == 24
        self.words = " ".join(named.values()) or "every second"
        self.text = " ".join([*named.values(), f"microsecond={microsecond}"])

    def first_from(self, wall: datetime) -> datetime:
        """See `Timetable.first_from`."""
        start = whole_second_from(wall, self.microsecond)
        today = start.date()
        at = self._time_from(start.hour, start.minute, start.second) if self._has(today) else None
        if at is None:
            today = self._date_after(today)
            at = time(self._hours[0], self._minutes[0], self._seconds[0])
        return datetime.combine(today, at.replace(microsecond=self.microsecond))

    def _has(self, day: date) -> bool:
        return day.month in self._months and day.day in self._days and day.weekday() in self._weekdays

    def _date_after(self, day: date) -> date:
        last_year = min(day.year + _HORIZON_YEARS, 9999)
        while day.year < last_year:
            if day.month not in self._months:
                day = day.replace(day=calendar.monthrange(day.year, day.month)[1])
            day += timedelta(days=1)
            if self._has(day):
                return day
        raise ConfigurationError(self._never)

    def _time_from(self, hour: int, minute: int, second: int) -> time | None:
        """Find the first time of a day that is not before this one."""
        if hour in self._hours:
            if minute in self._minutes and (later := _first_from(self._seconds, second)) is not None:
                return time(hour, minute, later)
            if (later := _first_from(self._minutes, minute + 1)) is not None:
                return time(hour, later, self._seconds[0])
        if (later := _first_from(self._hours, hour + 1)) is not None:
            return time(later, self._minutes[0], self._seconds[0])
        return None


def whole_second_from(wall: datetime, microsecond: int) -> datetime:
    """Find the first whole second that is, with these microseconds, not before `wall`."""
    second = wall.replace(microsecond=0)
    return second if wall.microsecond <= microsecond else second + timedelta(seconds=1)


def microsecond_of(value: int) -> int:
    """Take the microseconds that times end in.

    Raises:
        ConfigurationError: it is no whole number from 0 to 999,999.
    """
    if not _is_within("microsecond", value):
        raise ConfigurationError(f"microsecond must be 0 to 999999, got {value!r}")
    return value


def _allowed(field: str, option: WeekdayOptionType) -> list[int]:
    low, high = _RANGES[field]
    if option is None:
        return list(range(low, high + 1))
    if isinstance(option, str):
        if field != "weekday" or option.lower() not in WEEKDAYS:
            names = f", or one of {', '.join(WEEKDAYS)}" if field == "weekday" else ""
            raise ConfigurationError(f"{field} must be {low} to {high}{names}, got {option!r}")
        return [WEEKDAYS.index(option.lower())]
    values = list(option) if isinstance(option, Iterable) else [option]
    for value in values:
        if not _is_within(field, value):
            raise ConfigurationError(f"{field} must be {low} to {high}, got {value!r}")
    if not values:
        raise ConfigurationError(f"{field} must name at least one value, or be None for any")
    return sorted(set(values))


def _is_within(field: str, value: object) -> bool:
    low, high = _RANGES[field]
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _first_from(values: list[int], least: int) -> int | None:
    place = bisect_left(values, least)
    return values[place] if place < len(values) else None
