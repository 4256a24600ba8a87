"""What a cron job is: a call, the times it comes at, and how it is enqueued."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, TypeAlias, get_args

from pydantic_core import to_json

from ..typing import OptionType, WeekdayOptionType, WorkerCoroutine
from .calls import PLAIN, Options, defaults_of, merged
from .crontab import REBOOT, Crontab, is_reboot
from .functions import CronFunction, Function
from .tasks import Task
from .timetable import Fields, Timetable
from .wallclock import first_moment, last_moment

Missed: TypeAlias = Literal["skip", "once", "all"]
"""What becomes of times that passed while no worker could fire them."""
MISSED: tuple[Missed, ...] = get_args(Missed)

_SECOND = timedelta(seconds=1)
_ADDRESS = r" at 0x[0-9a-fA-F]+"
_OWN_FIELDS = ("crontab", "timezone", "missed", "args", "kwargs", "options", "function")


@dataclass(repr=False)
class CronJob:
    """A function and the times it runs at; registered as a function of its own under `name`.

    The attributes up to `next_run` are arq's. `crontab` replaces the fields from `month` to `second`,
    `timezone` the worker's; `missed`, `args`, `kwargs` and what `options` holds are told at `cron`.
    `function` is what was given, if that was a `Function`; of a task the jobs are its own, and not `name`'s.
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
    missed: Missed = "skip"
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    options: Options = PLAIN
    function: Function[..., Any] | None = None

    @property
    def task(self) -> Task[..., Any] | None:
        """The task whose jobs it enqueues; None for a bare function."""
        return self.function if isinstance(self.function, Task) else None

    @property
    def is_reboot(self) -> bool:
        """Whether it runs at the start only, once over all workers."""
        return is_reboot(self.crontab) and self.unique

    @property
    def expression(self) -> str:
        """When it runs, as it was written: the crontab string, or the fields that name something."""
        if self.crontab is not None:
            return self.crontab
        timetable = self._timetable()
        return timetable.words if isinstance(timetable, Fields) else REBOOT

    @property
    def schedule(self) -> str:
        """When it runs, as text: the same for equal schedules, and for those only."""
        timetable = self._timetable()
        when = REBOOT if timetable is None else timetable.text
        if self.timezone is None:
            return when
        # The text of an object that shows its address is another one in each process.
        return f"{when} {re.sub(_ADDRESS, '', str(self.timezone))}"

    def settled(self) -> Options:
        """Tell how its jobs are enqueued: its own options come first, then its task's."""
        return self.options if self.task is None else merged(self.options, defaults_of(self.task))

    def registered(self) -> Function[..., Any]:
        """Make what a worker runs its jobs by: the task itself, or a function of its own."""
        if self.task is not None:
            return self.task
        limits = (self.timeout_s, self.keep_result_s, self.keep_result_forever, self.max_tries)
        made = CronFunction(self.name, self.coroutine, *limits)
        if self.function is not None:
            made.cpu, made.max_jobs = self.function.cpu, self.function.max_jobs
            made.strict_arguments = self.function.strict_arguments
        return made

    def calculate_next(self, prev_run: datetime) -> None:
        """Set `next_run` to the first time at least a second after `prev_run`; None for `@reboot`."""
        self.next_run = self.first_from(later(prev_run, _SECOND))

    def first_from(self, start: datetime) -> datetime | None:
        """Find the first time that is not before `start`, in `timezone`, or else in the zone of `start`."""
        timetable = self._timetable()
        return None if timetable is None else first_time(timetable, start, self.timezone)

    def last_between(self, start: datetime, end: datetime) -> datetime | None:
        """Find the last time from `start` to `end`, both of them included; None when there is none."""
        timetable = self._timetable()
        if timetable is None:
            return None
        return last_moment(lambda moment: first_time(timetable, moment, self.timezone), start, end)

    def newest_between(self, start: datetime, end: datetime, most: int) -> list[datetime]:
        """Find the last times from `start` to `end`, at most so many, the oldest of them first."""
        timetable = self._timetable()
        if timetable is None:
            return []
        span = _SECOND
        while True:
            begin = max(start, later(end, -span))
            found = _times(timetable, begin, end, self.timezone, most)
            if len(found) == most or begin == start:
                return found
            span *= 4

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
            f"{own.name}={getattr(self, own.name)}"
            for own in dataclasses.fields(self)
            if own.name not in _OWN_FIELDS or getattr(self, own.name) not in (None, "skip", (), {}, PLAIN)
        )
        return f"<CronJob {' '.join(shown)}>"


def first_time(timetable: Timetable, start: datetime, zone: tzinfo | None) -> datetime:
    """Find the first time of a timetable not before `start`, in this zone or else in that of `start`."""
    zone = zone or start.tzinfo
    # Without any zone there is only a clock face, and nothing ever changes it.
    return timetable.first_from(start) if zone is None else first_moment(timetable, start, zone)


def later(start: datetime, span: timedelta) -> datetime:
    """Add real time; what Python adds to a time with a zone is time of the clock face."""
    if start.tzinfo is None:
        return start + span
    return (start.astimezone(UTC) + span).astimezone(start.tzinfo)


def call_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Tell calls of one function apart by their arguments: the same text in every process, '' without any."""
    if not args and not kwargs:
        return ""
    plain = to_json(_ordered([args, dict(kwargs)]), fallback=lambda value: re.sub(_ADDRESS, "", repr(value)))
    return hashlib.blake2b(plain, digest_size=4).hexdigest()


def _ordered(value: Any) -> Any:
    """Lay out what has no order of its own in one that all processes share."""
    match value:
        case dict():
            return {key: _ordered(value[key]) for key in sorted(value, key=repr)}
        case set() | frozenset():
            return sorted(map(_ordered, value), key=repr)
        case list() | tuple():
            return [_ordered(part) for part in value]
    return value


def _times(
    timetable: Timetable, start: datetime, end: datetime, zone: tzinfo | None, most: int
) -> list[datetime]:
    found: deque[datetime] = deque(maxlen=most)
    moment = first_time(timetable, start, zone)
    while moment <= end:
        found.append(moment)
        moment = first_time(timetable, later(moment, _SECOND), zone)
    return list(found)
