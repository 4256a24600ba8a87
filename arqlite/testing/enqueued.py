"""What was enqueued, and assertions about it."""

from __future__ import annotations

import asyncio

from typing_extensions import Unpack

from ..client import ArqRedis
from ..model.records import JobView
from ..typing import SecondsTimedelta
from .filters import Expected, Filters, Named, expected, seconds_of
from .listing import Listed, enqueued_jobs, queues_of

_BETWEEN_LOOKS_S = 0.01


async def all_enqueued(
    pool: ArqRedis, task: Named | None = None, /, **filters: Unpack[Filters]
) -> list[JobView]:
    """List the jobs that wait to run: available, scheduled and suspended ones, the newest first.

    Jobs that run, that failed and wait for another attempt, or that ended are not among them.

    Args:
        pool: where to look.
        task: the function, what `func` or `task` made of it, or its name.
        filters: any of these:
            `queue`, its name; all queues of the database if not given;
            `args`, a dict of arguments by the names of their parameters, for which the function itself must
                be given unless they were passed by name; or a list of those passed by place;
            `kwargs`, a dict of those passed by name; `meta`, a dict;
            `tags`, all of which the job must have; `priority`; `state`;
            `delay`, seconds from now until it is due, or `at`, a datetime;
            `delta`, how many seconds these may be off, 1 by default.
            Dicts match in part and at any depth, lists as a whole, `ANY` whatever is there; values are
            compared as JSON has them.

    Raises:
        ConfigurationError: a filter cannot work.
    """
    wanted = expected(task, filters)
    found = await _look(pool, wanted)
    return [job for job in found.jobs if wanted.matches(job, found.now_ms)]


async def assert_enqueued(
    pool: ArqRedis,
    task: Named | None = None,
    /,
    *,
    timeout: SecondsTimedelta | None = None,
    **filters: Unpack[Filters],
) -> JobView:
    """Make sure that a job waits to run, and return the newest that matches.

    Args:
        pool, task, filters: as for `all_enqueued`.
        timeout: seconds to wait for it to be enqueued; None looks once.

    Raises:
        AssertionError: there is none; the message shows the filter, and the same of all jobs that wait.
        ConfigurationError: a filter cannot work.
    """
    __tracebackhide__ = True
    wanted = expected(task, filters)
    job, found = await _find(pool, wanted, seconds_of(timeout))
    if job is None:
        raise AssertionError(f"no such job is enqueued\n{wanted.shown(found.jobs, found.now_ms)}")
    return job


async def refute_enqueued(
    pool: ArqRedis,
    task: Named | None = None,
    /,
    *,
    timeout: SecondsTimedelta | None = None,
    **filters: Unpack[Filters],
) -> None:
    """Make sure that no such job waits to run.

    Args:
        pool, task, filters: as for `all_enqueued`.
        timeout: seconds in which none may be enqueued, all of which are waited; None looks once.

    Raises:
        AssertionError: there is one; the message shows the filter, and the same of all jobs that match.
        ConfigurationError: a filter cannot work.
    """
    __tracebackhide__ = True
    wanted = expected(task, filters)
    job, found = await _find(pool, wanted, seconds_of(timeout))
    if job is not None:
        those = [one for one in found.jobs if wanted.matches(one, found.now_ms)]
        raise AssertionError(f"such a job is enqueued\n{wanted.shown(those, found.now_ms)}")


async def _find(pool: ArqRedis, wanted: Expected, timeout_s: float) -> tuple[JobView | None, Listed]:
    """Look until there is a job that matches, or the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        found = await _look(pool, wanted)
        job = next((one for one in found.jobs if wanted.matches(one, found.now_ms)), None)
        left = deadline - loop.time()
        if job is not None or left <= 0:
            return job, found
        await asyncio.sleep(min(left, _BETWEEN_LOOKS_S))


async def _look(pool: ArqRedis, wanted: Expected) -> Listed:
    queue = wanted.told.get("queue")
    queues = [queue] if queue is not None else await queues_of(pool) or [pool.default_queue_name]
    looks = [await enqueued_jobs(pool, one) for one in queues]
    jobs = [job for look in looks for job in look.jobs]
    newest_first = sorted(jobs, key=lambda job: (job.inserted_at, job.id), reverse=True)
    return Listed(looks[-1].now_ms, newest_first)
