"""Jobs that run where they are enqueued, and the blocks that say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from testing_toys import Broken, act, oban, take

from arqlite import ArqRedis, Job, JobStatus, Retry, call
from arqlite.enqueuing import diversion
from arqlite.errors import ConfigurationError, InvalidArguments, Postpone, ResultNotFound
from arqlite.model.states import JobState
from arqlite.testing import InlineJob, all_enqueued, testing_mode


@pytest_asyncio.fixture
async def nowhere() -> AsyncIterator[ArqRedis]:
    """A pool for a server that is not there."""
    pool = ArqRedis(host="127.0.0.1", port=1)
    yield pool
    await pool.aclose(close_connection_pool=True)


async def test_inline_runs_at_once_and_needs_no_redis(nowhere: ArqRedis) -> None:
    """The job has ended when `enqueue` returns, and its handle answers from memory."""
    with testing_mode("inline"):
        job: Any = await nowhere.enqueue(act, "ok", 1)

    assert isinstance(job, InlineJob)
    assert (job.state, await job.status()) == (JobState.COMPLETED, JobStatus.complete)
    assert await job.result() == ["ok", 1]
    info = await job.result_info()
    assert info is not None
    assert (info.function, info.args, info.success, info.job_try) == ("act", ("ok", 1), True, 1)
    assert (await job.logs(), await job.progress(), await job.abort()) == ([], None, False)
    assert await job.delete() is True
    assert await job.status() == JobStatus.not_found


async def test_inline_job_has_no_queue(nowhere: ArqRedis) -> None:
    """What only a queue can tell or do is told at once, or refused in words; nothing goes to Redis."""
    with testing_mode("inline"):
        job: Any = await nowhere.enqueue(act)

    assert [step async for step in job.follow_progress()] == []
    with pytest.raises(ConfigurationError, match="a job that ran inline is in no queue, so 'beat'"):
        job._queue().beat("session", 1, [])


async def test_inline_ignores_delays(nowhere: ArqRedis) -> None:
    """A job that is due later runs at once."""
    with testing_mode("inline"):
        job: Any = await nowhere.options(at=datetime(2040, 1, 1, tzinfo=UTC), queue="q").enqueue(act)

    assert job.state is JobState.COMPLETED


async def test_inline_raises_what_a_job_raises(nowhere: ArqRedis) -> None:
    """A job that raises raises from `enqueue`."""
    with testing_mode("inline"), pytest.raises(Broken):
        await nowhere.enqueue(act, "raise")


@pytest.mark.parametrize(
    ("error", "state", "status"),
    [
        (Retry(60), JobState.RETRYABLE, JobStatus.deferred),
        (Retry(), JobState.RETRYABLE, JobStatus.queued),
        (Postpone(60), JobState.SCHEDULED, JobStatus.deferred),
    ],
)
async def test_inline_job_that_asks_to_run_again(
    nowhere: ArqRedis, error: Exception, state: JobState, status: JobStatus
) -> None:
    """A job that asks to run again is returned in that state, and nobody waits for its result."""

    async def ask(ctx: dict[str, Any]) -> None:
        raise error

    with testing_mode("inline"):
        job: Any = await nowhere.enqueue(ask)

    assert (job.state, await job.status()) == (state, status)
    assert (await job.info()).function == ask.__qualname__
    with pytest.raises(ResultNotFound, match=f"is {state}: inline mode runs no job again"):
        await job.result()
    assert await job.abort() is True
    assert (job.state, await job.status()) == (JobState.CANCELLED, JobStatus.complete)


@pytest.mark.parametrize(
    ("action", "state", "status"),
    [
        ("snooze", JobState.SCHEDULED, JobStatus.deferred),
        ("ask", JobState.RETRYABLE, JobStatus.deferred),
        ("cancel", JobState.CANCELLED, JobStatus.complete),
        ("discard", JobState.DISCARDED, JobStatus.complete),
    ],
)
async def test_inline_task_that_decides_its_fate(
    nowhere: ArqRedis, action: str, state: JobState, status: JobStatus
) -> None:
    """A task's job is returned in the state that it chose, with its error if it failed."""
    with testing_mode("inline"):
        job: Any = await nowhere.enqueue(oban, action)

    errors = [(error.attempt, error.type) for error in await job.errors()]
    kept = {"ask": [(1, "Retry")], "cancel": [(1, "Cancel")], "discard": [(1, "Discard")], "snooze": []}
    assert (job.state, await job.status(), errors) == (state, status, kept[action])


async def test_inline_task_raises_what_it_raises(nowhere: ArqRedis) -> None:
    """A task that would be tried again raises all the same: nobody would try it."""
    with testing_mode("inline"), pytest.raises(Broken):
        await nowhere.enqueue(oban, "raise")


async def test_inline_runs_bulk(nowhere: ArqRedis) -> None:
    """Every job of a bulk runs, in order; each has its own result."""
    with testing_mode("inline"):
        jobs = await nowhere.enqueue_many([call(act, "ok", number) for number in range(3)])

    assert [await job.result() for job in jobs] == [["ok", number] for number in range(3)]


async def test_inline_by_name(nowhere: ArqRedis) -> None:
    """Jobs that are enqueued by name find their functions among those of the mode."""
    with testing_mode("inline", functions=[act]):
        job = await nowhere.enqueue_job("act", "ok", 2)
        with pytest.raises(ConfigurationError, match="no function is named 'other'; known are act"):
            await nowhere.enqueue_job("other")

    assert isinstance(job, Job)
    assert await job.result() == ["ok", 2]


async def test_inline_checks_and_writes_as_a_queue(nowhere: ArqRedis) -> None:
    """Arguments that do not fit are refused, and those that do go through JSON."""
    got: list[Any] = []

    async def keep(ctx: dict[str, Any], value: Any) -> None:
        got.append(value)

    with testing_mode("inline"):
        with pytest.raises(InvalidArguments):
            await nowhere.enqueue(take)  # type: ignore[call-arg]
        await nowhere.enqueue(keep, {1: (2, 3)})

    assert got == [{"1": [2, 3]}]


async def test_inline_jobs_enqueue_inline(nowhere: ArqRedis) -> None:
    """What a job enqueues runs in it; jobs get copies of the mode's ctx, with the pool."""
    done: list[int] = []
    with testing_mode("inline", ctx={"done": done}) as mode:
        await nowhere.enqueue(act, "recur", 2)
        mode.ctx["extra"] = "here"
        seen = await (await nowhere.enqueue(act, "ctx")).result()

    assert done == [2, 1, 0, 0]
    assert seen["extra"] == "here"
    assert "left" not in mode.ctx


async def test_mode_holds_for_the_caller_and_its_tasks_only(arq_redis: ArqRedis) -> None:
    """A task that was there before stores its jobs, one that is started inside runs them."""
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def bystander() -> Job[Any]:
        await inside.wait()
        return await arq_redis.enqueue(act)

    async def child() -> Job[Any]:
        await go_on.wait()
        return await arq_redis.enqueue(act)

    beside = asyncio.create_task(bystander())
    async with testing_mode("inline"):
        started = asyncio.create_task(child())
        inside.set()
        stored = await beside
    go_on.set()

    assert not isinstance(stored, InlineJob)
    assert isinstance(await started, InlineJob)
    assert not isinstance(await arq_redis.enqueue(act), InlineJob)
    assert len(await all_enqueued(arq_redis)) == 2


async def test_modes_nest(arq_redis: ArqRedis) -> None:
    """Manual inside of inline stores, and inline holds again afterwards, also after an error."""
    with testing_mode("inline"):
        with testing_mode("manual"):
            assert not isinstance(await arq_redis.enqueue(act), InlineJob)
        with pytest.raises(Broken), testing_mode("manual"):
            raise Broken
        assert isinstance(await arq_redis.enqueue(act), InlineJob)

    assert diversion.get() is None
    assert len(await all_enqueued(arq_redis)) == 1


async def test_mode_as_decorator(nowhere: ArqRedis) -> None:
    """Functions, of coroutines or plain, run in the mode that decorates them."""

    @testing_mode("inline")
    async def enqueue() -> Job[Any]:
        return await nowhere.enqueue(act)

    @testing_mode("inline")
    def is_diverted() -> bool:
        return diversion.get() is not None

    first, second = await asyncio.gather(enqueue(), enqueue())

    assert isinstance(first, InlineJob)
    assert isinstance(second, InlineJob)
    assert is_diverted()
    assert diversion.get() is None


def test_unknown_mode_is_refused() -> None:
    """There are two modes."""
    with pytest.raises(ConfigurationError, match="must be 'inline' or 'manual', got 'off'"):
        testing_mode("off")  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["inline", "manual"])
async def test_modes_start_nothing(arq_redis: ArqRedis, mode: Any) -> None:
    """Neither mode starts queues, services or a leader: after a job there is no task, and no session."""
    async with testing_mode(mode):
        await arq_redis.enqueue(act)

        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not [key async for key in arq_redis.scan_iter() if key.endswith((b":live", b":health-check"))]
