"""One job, run at once by a worker's rules, with nothing stored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..client import ArqRedis
from ..engine import Returned as GivenBack
from ..errors import ConfigurationError, JobControl
from ..model.calls import Call
from ..model.functions import Function
from ..model.outcomes import Raised, Returned
from ..model.unique import Unique
from ..typing import SecondsTimedelta
from ..utils import timestamp_ms
from .bench import Bench, Seen, error_of, options_for
from .building import BuiltJob, build_job

WORKER = "testing"
"""Who jobs are told to run on where there is no session."""


async def perform_job(
    task: str | BuiltJob | Call[Any] | Function[..., Any] | Callable[..., Any],
    /,
    *args: Any,
    ctx: dict[Any, Any] | None = None,
    functions: Any = None,
    attempt: int | None = None,
    errors: Sequence[BaseException] = (),
    pool: ArqRedis | None = None,
    delay: SecondsTimedelta | None = None,
    at: datetime | None = None,
    queue: str | None = None,
    job_id: str | None = None,
    priority: int | None = None,
    expires: SecondsTimedelta | None = None,
    max_attempts: int | None = None,
    tags: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
    unique: Unique | None = None,
    **kwargs: Any,
) -> Any:
    """Run a job here and now as a worker would, and return what its function returned.

    Arguments and meta go through JSON, `ctx` is copied for the job, `current_job()` knows it, its timeout
    holds, the hooks of the settings are called and telemetry is told. Nothing is stored: to see what becomes
    of a job that failed, enqueue it and use `drain_queue`.

    Args:
        task: as for `build_job`, or what that gave.
        args, kwargs: what to call it with.
        ctx: what a worker's `on_startup` would have made. `ctx["redis"]` is the `pool` if it has none.
        functions: worker settings whose hooks and limits hold, or functions to find a name in.
        attempt, errors, pool: as for `build_job`.
        delay, at, queue, job_id, priority, expires, max_attempts, tags, meta, unique: as for `build_job`; not
            with what that gave. Nobody waits for `delay` or `at`.

    Returns:
        What the function returned, also a `Snooze`, a `Cancel` or a `Discard`.

    Raises:
        Exception: whatever the job raised, when telemetry has been told.
        TimeoutError: it took longer than it may.
        JobExecutionFailed: it has no attempts left, or has expired, and was not run.
        SerializationError: what it returned cannot be stored.
        InvalidArguments: the function cannot be called so.
        ConfigurationError: it is no function, none of that name is known, or an option cannot work.
    """
    job = _job_of(
        task, args, kwargs, attempt=attempt, errors=errors, pool=pool, delay=delay, at=at, queue=queue,
        job_id=job_id, priority=priority, expires=expires, max_attempts=max_attempts, tags=tags, meta=meta,
        unique=unique,
    )  # fmt: skip
    options = options_for(job.function, job.target, job.queue, functions)
    own_ctx = _Ctx() if ctx is None else _Ctx(ctx) if type(ctx) is dict else copy.copy(ctx)
    if pool is not None:
        own_ctx.setdefault("redis", pool)
    bench = Bench(options, own_ctx, job.codec)
    try:
        past = job.past.encode().encode()
        admitted = bench.read(job.id, job.record, past, timestamp_ms(), WORKER, job.failures)
        assert not isinstance(admitted, GivenBack)  # noqa: S101 (its function is in the table)
        return result_of(await bench.run(admitted))
    finally:
        await bench.close()


class _Ctx(dict[Any, Any]):
    """What jobs get; it says how to have a client in it."""

    def copy(self) -> _Ctx:
        """Make another one with the same in it; that of a dict would be a plain one."""
        return _Ctx(self)

    def __missing__(self, key: Any) -> Any:
        if key == "redis":
            raise ConfigurationError(
                'a job that is performed has no ctx["redis"] of its own: give perform_job(..., pool=...), or '
                'ctx={"redis": ...}'
            )
        raise KeyError(key)


def result_of(seen: Seen) -> Any:
    """Return what a job returned, or raise why it did not."""
    if isinstance(seen.outcome, Returned) and isinstance(seen.outcome.value, JobControl):
        return seen.outcome.value
    error = seen.error or error_of(seen)
    if error is not None:
        raise error
    match seen.outcome:
        case Returned(value):
            return value
        case Raised(control):
            raise control
    raise ConfigurationError("the job was stopped from outside")  # pragma: no cover (nobody is there)


def _job_of(task: Any, args: Any, kwargs: dict[str, Any], **options: Any) -> BuiltJob:
    if not isinstance(task, BuiltJob):
        return build_job(task, *args, **options, **kwargs)
    told = [name for name, value in options.items() if value is not None and name not in ("errors", "pool")]
    if args or kwargs or told or options["errors"]:
        raise ConfigurationError("what build_job gave has its arguments and options; give none beside")
    return task
