"""Cron jobs: when they run next, and what they are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from .errors import ConfigurationError
from .model import checks
from .model.crontab import REBOOT, Crontab, is_reboot
from .model.functions import func
from .model.timetable import Fields, Timetable
from .model.wallclock import first_moment, last_moment
from .typing import OptionType, SecondsTimedelta, WeekdayOptionType, WorkerCoroutine
from .utils import import_string

_SECOND = timedelta(seconds=1)
_ADDRESS = r" at 0x[0-9a-fA-F]+"
_LONGEST_ID = 512
# Its runs are called by the name and the time.
_LONGEST_NAME = 480


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


@dataclass(repr=False)
class CronJob:
    """A function and the times it runs at; registered as a function of its own under `name`.

    The attributes up to `next_run` are arq's. `crontab` replaces the fields from `month` to `second`,
    `timezone` the worker's; `run_missed` is told at `cron`.
    """

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
    crontab: str | None = None
    timezone: tzinfo | None = None
    run_missed: bool = False

    @property
    def schedule(self) -> str:
        """When it runs, as text: the same for equal schedules, and for those only."""
        timetable = self._timetable()
        when = REBOOT if timetable is None else timetable.text
        if self.timezone is None:
            return when
        # The text of an object that shows its address is another one in each process.
        return f"{when} {re.sub(_ADDRESS, '', str(self.timezone))}"

    def calculate_next(self, prev_run: datetime) -> None:
        """Set `next_run` to the first time at least a second after `prev_run`; None for `@reboot`."""
        self.next_run = self.first_from(_later(prev_run, _SECOND))

    def first_from(self, start: datetime) -> datetime | None:
        """Find the first time that is not before `start`, in `timezone`, or else in the zone of `start`."""
        timetable = self._timetable()
        return None if timetable is None else _first_from(timetable, start, self.timezone)

    def last_between(self, start: datetime, end: datetime) -> datetime | None:
        """Find the last time from `start` to `end`, both of them included; None when there is none."""
        timetable = self._timetable()
        if timetable is None:
            return None
        return last_moment(lambda moment: _first_from(timetable, moment, self.timezone), start, end)

    def _timetable(self) -> Timetable | None:
        if is_reboot(self.crontab):
            return None
        if self.crontab is not None:
            return Crontab(self.crontab, self.microsecond)
        return Fields(
            self.month, self.day, self.weekday, self.hour, self.minute, self.second, self.microsecond
        )

    def __repr__(self) -> str:
        # As in arq; what arq has not is shown where it is used.
        shown = (
            f"{field.name}={getattr(self, field.name)}"
            for field in dataclasses.fields(self)
            if field.name not in _OWN_FIELDS or getattr(self, field.name)
        )
        return f"<CronJob {' '.join(shown)}>"


_OWN_FIELDS = ("crontab", "timezone", "run_missed")


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
    crontab: str | None = None,
    timezone: tzinfo | str | None = None,
    run_missed: bool = False,
) -> CronJob:
    """Define a cron job: by fields, all of which a time has to match, or by a crontab string.

    When clocks change, a job whose hours are named runs once for each time it names: a time that is
    skipped when the clock has gone on, a time that comes twice the first time. A job of any hour goes
    by real time.

    Args:
        coroutine: a coroutine function, a plain function, which runs in a thread, or a dotted path to either.
        name: what it is registered as; `cron:` and the function's name by default.
        month: 1 to 12.
        day: 1 to 31.
        weekday: 0 to 6 from Monday, or `mon tues wed thurs fri sat sun`.
        hour: 0 to 23.
        minute: 0 to 59.
        second: 0 to 59.
        microsecond: one value; arq's default keeps jobs off the full second.
        run_at_startup: whether it also runs whenever a worker starts; with `unique` not while its last
            run of that kind is waiting, running, or has a result that is kept.
        unique: whether it runs once per time over all workers; else once per worker.
        job_id: a fixed id, so that no second one is queued before the first has ended.
        timeout: seconds or timedelta one run may take; None is the worker's `job_timeout`, infinity no limit.
        keep_result: seconds or timedelta its result is kept; None is the worker's.
        keep_result_forever: whether its result never expires; None is the worker's.
        max_tries: tries, the first included; None is the worker's.
        crontab: instead of the fields from `month` to `second`, e.g. `"*/5 9-17 * * mon-fri"`: minute,
            hour, day, month, weekday (0 and 7 are Sunday), and second if there is a sixth. With day and
            weekday either is enough. Also `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`,
            `@yearly`, `@annually`, and `@reboot`: at the start of a worker only.
        timezone: where fields and crontab are read, e.g. `"Europe/Prague"`; the worker's by default.
        run_missed: whether times that passed while no worker ran are made up for, all by one run, when
            a worker starts; needs `unique`.

    Raises:
        RuntimeError: it is no function.
        ConfigurationError: a field is out of its range, the crontab string cannot be read, they name a
            date that never comes, or another option cannot work.
    """
    target = import_string(coroutine) if isinstance(coroutine, str) else coroutine
    made = func(target, name=coroutine if isinstance(coroutine, str) else name)
    _check_one_schedule(
        crontab, month=month, day=day, weekday=weekday, hour=hour, minute=minute, second=second
    )
    if run_missed and not unique:
        raise ConfigurationError("run_missed needs unique=True: nobody knows what one worker has missed")
    job = CronJob(
        name or f"cron:{made.name}", target, month, day, weekday, hour, minute, second, microsecond,
        run_at_startup or is_reboot(crontab), unique, job_id,
        None if timeout is None else checks.time_limit("timeout", timeout),
        None if keep_result is None else checks.seconds("keep_result", keep_result, 0),
        keep_result_forever,
        None if max_tries is None else checks.count("max_tries", max_tries, 1),
        crontab=crontab, timezone=_zone(timezone), run_missed=run_missed,
    )  # fmt: skip
    _check_text("name", job.name, _LONGEST_NAME)
    if job_id is not None:
        _check_text("job_id", job_id, _LONGEST_ID)
    job.first_from(datetime.now(UTC))
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

    Without a time zone nothing is known of clock changes. With one, a named hour counts once: skipped
    by a change, when the clock has gone on; coming twice, the first time. With `hour=None` the times
    go by real time.

    Raises:
        ConfigurationError: a field is out of its range, or the fields name a date that never comes.
    """
    timetable = Fields(month, day, weekday, hour, minute, second, microsecond)
    return _first_from(timetable, _later(previous_dt, _SECOND), None)


def _first_from(timetable: Timetable, start: datetime, zone: tzinfo | None) -> datetime:
    zone = zone or start.tzinfo
    # Without any zone there is only a clock face, and nothing ever changes it.
    return timetable.first_from(start) if zone is None else first_moment(timetable, start, zone)


def _later(start: datetime, span: timedelta) -> datetime:
    """Add real time; what Python adds to a time with a zone is time of the clock face."""
    if start.tzinfo is None:
        return start + span
    return (start.astimezone(UTC) + span).astimezone(start.tzinfo)


def _check_one_schedule(crontab: str | None, **fields: WeekdayOptionType) -> None:
    given = [name for name, value in fields.items() if value is not None and (name, value) != ("second", 0)]
    if crontab is not None and given:
        raise ConfigurationError(
            f"a cron job has either a crontab string or fields, got crontab={crontab!r} and "
            + ", ".join(f"{name}={fields[name]!r}" for name in given)
        )


def _check_text(name: str, value: str, longest: int) -> None:
    checks.instance(name, value, str, "a text")
    if not 0 < len(value) <= longest or not value.isprintable():
        raise ConfigurationError(f"{name} must have 1 to {longest} characters, all printable, got {value!r}")


def _zone(given: tzinfo | str | None) -> tzinfo | None:
    if given is None or isinstance(given, tzinfo):
        return given
    try:
        return ZoneInfo(given)
    except (ValueError, TypeError, OSError, LookupError) as error:
        raise ConfigurationError(
            f"timezone must be a tzinfo or the name of a zone such as 'Europe/Prague', got {given!r}"
        ) from error
