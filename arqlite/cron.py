"""Cron jobs: when they run next, and what they are."""

from __future__ import annotations

import calendar
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import ConfigurationError
from .model import checks
from .model.functions import is_coroutine_function
from .typing import WEEKDAYS, OptionType, SecondsTimedelta, WeekdayOptionType, WorkerCoroutine
from .utils import import_string

_RANGES = {
    "month": (1, 12),
    "day": (1, 31),
    "weekday": (0, 6),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "microsecond": (0, 999_999),
}
# The rarest date there is, 29 February on a given weekday, comes at least once in 40 years.
_HORIZON_YEARS = 41


@dataclass
class Options:
    """The fields of a cron job: an int, several ints, or None for any."""

    month: OptionType
    day: OptionType
    weekday: WeekdayOptionType
    hour: OptionType
    minute: OptionType
    second: OptionType
    microsecond: int


@dataclass
class CronJob:
    """A function and the times it runs at; registered as a function of its own under `name`."""

    name: str
    coroutine: WorkerCoroutine | Callable[..., Any]
    month: OptionType
    day: OptionType
    weekday: WeekdayOptionType
    hour: OptionType
    minute: OptionType
    second: OptionType
    microsecond: int
    run_at_startup: bool
    unique: bool
    job_id: str | None
    timeout_s: float | None
    keep_result_s: float | None
    keep_result_forever: bool | None
    max_tries: int | None
    next_run: datetime | None = None

    def calculate_next(self, prev_run: datetime) -> None:
        """Set `next_run` to the first time after `prev_run`."""
        self.next_run = next_cron(
            prev_run,
            month=self.month,
            day=self.day,
            weekday=self.weekday,
            hour=self.hour,
            minute=self.minute,
            second=self.second,
            microsecond=self.microsecond,
        )

    def __repr__(self) -> str:
        shown = (f"{field.name}={getattr(self, field.name)}" for field in dataclasses.fields(self))
        return f"<CronJob {' '.join(shown)}>"


def cron(
    coroutine: str | WorkerCoroutine | Callable[..., Any],
    *,
    name: str | None = None,
    month: OptionType = None,
    day: OptionType = None,
    weekday: WeekdayOptionType = None,
    hour: OptionType = None,
    minute: OptionType = None,
    second: OptionType = 0,
    microsecond: int = 123_456,
    run_at_startup: bool = False,
    unique: bool = True,
    job_id: str | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result: SecondsTimedelta | None = 0,
    keep_result_forever: bool | None = False,
    max_tries: int | None = 1,
) -> CronJob:
    """Define a cron job.

    Args:
        coroutine: a coroutine function or a dotted path to one.
        name: what it is registered as; `cron:` and the function's name by default.
        month: 1 to 12.
        day: 1 to 31.
        weekday: 0 to 6 from Monday, or `mon tues wed thurs fri sat sun`.
        hour: 0 to 23.
        minute: 0 to 59.
        second: 0 to 59.
        microsecond: one value; arq's default keeps jobs off the full second.
        run_at_startup: whether it also runs when a worker starts.
        unique: whether it runs once per time over all workers; else once per worker.
        job_id: a fixed id, so that no second one is queued before the first has ended.
        timeout: seconds or timedelta one run may take; the worker's by default.
        keep_result: seconds its result is kept.
        keep_result_forever: whether its result never expires.
        max_tries: tries, the first included.

    Raises:
        RuntimeError: it is no coroutine function.
        ConfigurationError: a field is out of its range, the fields name a date that never comes, or a
            limit cannot work.
    """
    target = import_string(coroutine) if isinstance(coroutine, str) else coroutine
    if not is_coroutine_function(target):
        raise RuntimeError(f"{target} is not a coroutine function")
    path = coroutine if isinstance(coroutine, str) else target.__qualname__
    fields = {
        "month": month,
        "day": day,
        "weekday": weekday,
        "hour": hour,
        "minute": minute,
        "second": second,
        "microsecond": microsecond,
    }
    for field, option in fields.items():
        _allowed(field, option)
    job = CronJob(
        name or f"cron:{path}", target, month, day, weekday, hour, minute, second, microsecond,
        run_at_startup, unique, job_id,
        None if timeout is None else checks.time_limit("timeout", timeout),
        None if keep_result is None else checks.seconds("keep_result", keep_result, 0),
        keep_result_forever,
        None if max_tries is None else checks.count("max_tries", max_tries, 1),
    )  # fmt: skip
    job.calculate_next(datetime.now(UTC))
    job.next_run = None
    return job


def next_cron(
    previous_dt: datetime,
    *,
    month: OptionType = None,
    day: OptionType = None,
    weekday: WeekdayOptionType = None,
    hour: OptionType = None,
    minute: OptionType = None,
    second: OptionType = 0,
    microsecond: int = 123_456,
) -> datetime:
    """Find the first matching time at least a second after `previous_dt`, in the same time zone.

    A local time that a clock change skips runs when the clock has gone on; one that comes twice runs
    the first time.

    Raises:
        ConfigurationError: the fields name a date that never comes.
    """
    months, days, weekdays = _allowed("month", month), _allowed("day", day), _allowed("weekday", weekday)
    times = _Times(
        _allowed("hour", hour), _allowed("minute", minute), _allowed("second", second), microsecond
    )
    start = previous_dt + timedelta(seconds=1)
    date = start.date()
    last_year = date.year + _HORIZON_YEARS
    while date.year < last_year:
        if date.month not in months:
            date = date.replace(day=calendar.monthrange(date.year, date.month)[1]) + timedelta(days=1)
            continue
        if date.day in days and date.weekday() in weekdays:
            for hour_, minute_, second_ in times:
                at = datetime(
                    date.year, date.month, date.day, hour_, minute_, second_, microsecond, tzinfo=start.tzinfo
                )
                if _follows(at, start):
                    return at
        date += timedelta(days=1)
    raise ConfigurationError(f"no date has month={month!r}, day={day!r}, weekday={weekday!r}")


def _follows(at: datetime, start: datetime) -> bool:
    """Compare as moments, not as clock faces, which a clock change can turn around."""
    return at >= start if at.tzinfo is None else at.astimezone(UTC) >= start.astimezone(UTC)


class _Times:
    """The matching times of a day, in order."""

    def __init__(self, hours: list[int], minutes: list[int], seconds: list[int], microsecond: int) -> None:
        self._parts = hours, minutes, seconds
        _allowed("microsecond", microsecond)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        hours, minutes, seconds = self._parts
        return ((hour, minute, second) for hour in hours for minute in minutes for second in seconds)


def _allowed(field: str, option: WeekdayOptionType) -> list[int]:
    low, high = _RANGES[field]
    if option is None:
        return list(range(low, high + 1)) if field != "microsecond" else []
    if isinstance(option, str):
        if field != "weekday" or option.lower() not in WEEKDAYS:
            names = f", or one of {', '.join(WEEKDAYS)}" if field == "weekday" else ""
            raise ConfigurationError(f"{field} must be {low} to {high}{names}, got {option!r}")
        return [WEEKDAYS.index(option.lower())]
    values = list(option) if isinstance(option, Iterable) else [option]
    for value in values:
        if not isinstance(value, int) or not low <= value <= high:
            raise ConfigurationError(f"{field} must be {low} to {high}, got {value!r}")
    if not values:
        raise ConfigurationError(f"{field} must name at least one value, or be None for any")
    return sorted(set(values))
