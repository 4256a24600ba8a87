"""Cron jobs: when they run next, and what they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from .errors import ConfigurationError, InvalidArguments
from .model import calls, checks
from .model.arguments import signature_of
from .model.cronjob import MISSED, CronJob, Missed, call_digest, first_time, later
from .model.crontab import Crontab, is_reboot
from .model.functions import Function, func
from .model.tasks import Task
from .model.timetable import Fields
from .model.unique import UniqueOption, option, rule
from .model.wallclock import last_moment
from .typing import OptionType, SecondsTimedelta, WeekdayOptionType, WorkerCoroutine
from .utils import import_string

__all__ = ("CronJob", "Options", "cron", "last_at", "next_at", "next_cron")

logger = logging.getLogger("arqlite.cron")

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_LONGEST_ID = 512
# Its runs are called by the name and the time.
_LONGEST_NAME = 480
# How far back a last time is looked for: the rarest date comes once in that time.
_LOOKS_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 32, 367, 15_000))
_BEGAN = datetime.now(UTC)


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


def cron(
    coroutine: str | WorkerCoroutine | Callable[..., Any] | Function[..., Any],
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
    unique: UniqueOption = True,
    job_id: str | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result: SecondsTimedelta | None = 0,
    keep_result_forever: bool | None = False,
    max_tries: int | None = 1,
    crontab: str | None = None,
    timezone: tzinfo | str | None = None,
    run_missed: bool = False,
    missed: Missed | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    priority: int | None = None,
    tags: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
    max_attempts: int | None = None,
    queue: str | None = None,
) -> CronJob:
    """Define a cron job: by fields, all of which a time has to match, or by a crontab string.

    When clocks change, a job whose hours are named runs once for each time it names: a time that is
    skipped when the clock has gone on, a time that comes twice the first time. A job of any hour goes
    by real time.

    Args:
        coroutine: a coroutine function, a plain function, which runs in a thread, what `func` or `task` made
            of one, or a dotted path to any of them. The jobs of a task keep to the task's rules.
        name: what it is registered as, paused and run by; `cron:` and the function's name by default, and
            a mark of its arguments if it has any.
        month: 1 to 12.
        day: 1 to 31.
        weekday: 0 to 6 from Monday, or `mon tues wed thurs fri sat sun`.
        hour: 0 to 23.
        minute: 0 to 59.
        second: 0 to 59.
        microsecond: one value; arq's default keeps jobs off the full second.
        run_at_startup: whether it also runs whenever a worker starts; with `unique` not while its last
            run of that kind is waiting, running, or has a result that is kept.
        unique: whether it runs once per time over all workers; else once per worker. A `Unique`, or a dict of
            its parts, is once per time, and besides keeps a job out while an equal one is there.
        job_id: a fixed id, so that no second one is queued before the first has ended.
        timeout: seconds or timedelta one run may take; None is the worker's `job_timeout`, infinity no limit.
        keep_result: seconds or timedelta its result is kept; None is the worker's.
        keep_result_forever: whether its result never expires; None is the worker's.
        max_tries: tries, the first included; None is the worker's.
        crontab: instead of the fields from `month` to `second`, e.g. `"*/5 9-17 * * mon-fri"`: minute,
            hour, day, month, weekday (0 and 7 are Sunday), and second if there is a sixth. All of them
            have to match, day **and** weekday. Also `@hourly`, `@daily`, `@midnight`, `@weekly`,
            `@monthly`, `@yearly`, `@annually`, and `@reboot`: when a worker becomes the leader.
        timezone: where fields and crontab are read, e.g. `"Europe/Prague"`; the worker's by default.
        run_missed: the same as `missed="once"`.
        missed: what becomes of times that passed while no worker ran: `"skip"`, the default; `"once"`, one
            run makes up for all of them when a worker starts; `"all"`, each of them runs, the newest
            1,000 at most. Both need `unique`.
        args, kwargs: what the function is called with, after `ctx`.
        priority: 0 runs first, 9 last; the task's, or 0, by default.
        tags, meta: what its jobs carry; to `meta` are added `cron`, `cron_expr`, `cron_name` and `cron_tz`.
        max_attempts: how often a job of a task may fail; the task's by default.
        queue: refused; a cron job belongs to the queue of the worker that has it.

    Raises:
        RuntimeError: it is no function.
        InvalidArguments: the function cannot be called with `args` and `kwargs`.
        ConfigurationError: a field is out of its range, the crontab string cannot be read, they name a
            date that never comes, or another option cannot work.
    """
    target = import_string(coroutine) if isinstance(coroutine, str) else coroutine
    made = func(target, name=coroutine if isinstance(coroutine, str) else name)
    _check_one_schedule(
        crontab, month=month, day=day, weekday=weekday, hour=hour, minute=minute, second=second
    )
    if queue is not None:
        raise ConfigurationError(
            f"a cron job belongs to its worker's queue: give this one to a worker of {queue!r}"
        )
    task = made if isinstance(made, Task) else None
    if task is not None:
        _check_rules_of_task(task, timeout, keep_result, keep_result_forever, max_tries)
    elif max_attempts is not None:
        raise ConfigurationError("max_attempts is for a task; a bare function has max_tries")
    if name is not None:
        _check_text("name", name, _LONGEST_NAME)
    once, lock = _uniqueness(unique)
    call = _checked_call(made, args, kwargs)
    digest = call_digest(call.args, call.kwargs)
    options = calls.checked(priority=priority, tags=tags, meta=meta, max_attempts=max_attempts, unique=lock)
    job = CronJob(
        name or f"cron:{made.name}{'#' if digest else ''}{digest}", made.coroutine,
        month, day, weekday, hour, minute, second, microsecond,
        run_at_startup or is_reboot(crontab), once, job_id,
        made.timeout_s if timeout is None else checks.time_limit("timeout", timeout),
        None if keep_result is None else checks.seconds("keep_result", keep_result, 0),
        keep_result_forever,
        None if max_tries is None else checks.count("max_tries", max_tries, 1),
        crontab=crontab, timezone=_zone(timezone), missed=_missed(missed, run_missed, once),
        args=call.args, kwargs=call.kwargs, options=options,
        function=target if isinstance(target, Function) else None,
    )  # fmt: skip
    _check_text("name", job.name, _LONGEST_NAME)
    if job_id is not None:
        _check_text("job_id", job_id, _LONGEST_ID)
    job.first_from(datetime.now(UTC))
    rule(job.settled().unique)  # its parts have to go together
    if crontab is not None and not is_reboot(crontab):
        for doubt in Crontab(crontab, microsecond).doubts:
            logger.warning("cron job %s: %s", job.name, doubt)
    _tell_of_missing_arguments(job)
    return job


def next_at(
    crontab: str, start: datetime | None = None, *, timezone: tzinfo | str | None = None
) -> datetime | None:
    """Find the first time of a crontab string after the minute of `start`; None for `@reboot`.

    With a field for seconds it is the first time after the second of `start`.

    Args:
        crontab: as for `cron`.
        start: from when on, now by default.
        timezone: where the string is read, in which the answer is told, too; by default the zone of `start`,
            or UTC.

    Raises:
        ConfigurationError: the string cannot be read, or names a date that never comes.
    """
    if is_reboot(crontab):
        return None
    timetable = Crontab(crontab, 0)
    unit, here = _unit(timetable), _here(start, timezone)
    return first_time(timetable, later(_whole(here, unit), unit), None)


def last_at(
    crontab: str, start: datetime | None = None, *, timezone: tzinfo | str | None = None
) -> datetime | None:
    """Find the last time of a crontab string before the minute of `start`; of `@reboot` when this process
    imported arqlite.

    Args:
        crontab: as for `cron`.
        start: before when, now by default.
        timezone: as for `next_at`.

    Raises:
        ConfigurationError: the string cannot be read, or names a date that never comes.
    """
    here = _here(start, timezone)
    if is_reboot(crontab):
        return _whole(_BEGAN.astimezone(here.tzinfo or UTC), _MINUTE)
    timetable = Crontab(crontab, 0)
    end = later(_whole(here, _unit(timetable)), -_SECOND)
    for span in _LOOKS_BACK:
        begin = later(end, -span)
        if found := _last_time(timetable, begin, end):
            return found
    return None


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
    return first_time(timetable, later(previous_dt, _SECOND), None)


def _here(start: datetime | None, timezone: tzinfo | str | None) -> datetime:
    zone = _zone(timezone)
    if start is None:
        return datetime.now(zone or UTC)
    if zone is None:
        return start
    return start.replace(tzinfo=zone) if start.tzinfo is None else start.astimezone(zone)


def _unit(timetable: Crontab) -> timedelta:
    return _SECOND if timetable.has_seconds else _MINUTE


def _whole(moment: datetime, unit: timedelta) -> datetime:
    """Cut off what is less than a minute, or less than a second."""
    return moment.replace(microsecond=0) if unit is _SECOND else moment.replace(second=0, microsecond=0)


def _last_time(timetable: Crontab, start: datetime, end: datetime) -> datetime | None:
    if end.tzinfo is not None:
        return last_moment(lambda moment: first_time(timetable, moment, None), start, end)
    # A clock face without a zone is as good as one that never changes.
    found = _last_time(timetable, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    return found and found.replace(tzinfo=None)


def _checked_call(
    made: Function[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None
) -> calls.Call[Any]:
    checks.instance("args", args, (tuple, list), "a tuple or a list")
    if kwargs is not None:
        checks.instance("kwargs", kwargs, Mapping, "a dict")
    if not args and not kwargs and not isinstance(made, Task):
        return calls.Call(made.name, (), {})  # as in arq: it is called with ctx, whatever it takes
    return calls.call(made, *args, **(kwargs or {}))


def _tell_of_missing_arguments(job: CronJob) -> None:
    """A bare function is called whatever it takes, as in arq; that each of its jobs will fail is told."""
    if job.args or job.kwargs or job.task is not None:
        return
    try:
        signature_of(job.coroutine).check_names(getattr(job.coroutine, "__qualname__", job.name), (), {})
    except InvalidArguments as error:
        logger.warning("cron job %s: its jobs will fail, give it args or kwargs: %s", job.name, error)


def _check_rules_of_task(
    task: Task[..., Any],
    timeout: SecondsTimedelta | None,
    keep_result: SecondsTimedelta | None,
    keep_result_forever: bool | None,
    max_tries: int | None,
) -> None:
    """What a task says of its jobs holds for those of cron, too."""
    given = {
        "timeout": timeout,
        "keep_result": keep_result or None,
        "keep_result_forever": keep_result_forever or None,
        "max_tries": None if max_tries == 1 else max_tries,
    }
    for name, value in given.items():
        if value is not None:
            other = "max_attempts" if name == "max_tries" else f"{name} at @task"
            raise ConfigurationError(
                f"the jobs of {task.name} keep to the rules of the task: use {other}, got {name}={value!r}"
            )


def _uniqueness(unique: UniqueOption) -> tuple[bool, UniqueOption]:
    """Take apart whether a time is for all workers, and when a job of it counts as one that is there."""
    if unique is None:
        raise ConfigurationError("unique must be True, False, a Unique or a dict of its options, got None")
    return (unique, None) if isinstance(unique, bool) else (True, option(unique))


def _missed(missed: Missed | None, run_missed: bool, unique: bool) -> Missed:
    if missed is not None and missed not in MISSED:
        raise ConfigurationError(f"missed must be one of {', '.join(MISSED)}, got {missed!r}")
    if run_missed and missed not in (None, "once"):
        raise ConfigurationError(f"run_missed=True is missed='once', got missed={missed!r} beside it")
    policy = missed or ("once" if run_missed else "skip")
    if policy != "skip" and not unique:
        said = "run_missed" if run_missed else f"missed={policy!r}"
        raise ConfigurationError(f"{said} needs unique=True: nobody knows what one worker has missed")
    return policy


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
