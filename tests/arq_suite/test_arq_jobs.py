"""A handle on a job: status, info, result."""

from __future__ import annotations

import asyncio
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq import ArqRedis, func
from arq.jobs import DeserializationError, Job, JobDef, JobResult, JobStatus, ResultNotFound
from arq.utils import timestamp_ms
from arq_toys import Gate, add, at_work, boom, end_of, enqueue, nothing, until

POLL = 0.02
NOT_FOUND = (
    "Not waiting for job result because the job is not in queue. "
    "Is the worker function configured to keep result?"
)


def test_repr(arq_redis: ArqRedis) -> None:
    """A handle shows its id."""
    assert repr(Job("abc", arq_redis)) == "<arq job abc>"
    assert Job(job_id="abc", redis=arq_redis).job_id == "abc"


def test_score_is_whole() -> None:
    """Scores come from Redis as floats and are shown as whole numbers."""
    job = JobDef("f", (), {}, None, datetime.now(UTC), 1_700_000_000_000.0, "id")  # type: ignore[arg-type]

    assert isinstance(job.score, int)
    assert job.score == 1_700_000_000_000


async def test_status_follows_the_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """From nowhere over deferred, queued and in progress to complete."""
    gate = Gate()
    job = Job("one", arq_redis)
    assert await job.status() == JobStatus.not_found

    await enqueue(arq_redis, "gate", _job_id="one", _defer_by=0.1)
    assert await job.status() == JobStatus.deferred
    await until(lambda: _is(job, JobStatus.queued))
    async with at_work(make_worker(func(gate.enter, name="gate"))):
        await gate.started.wait()
        assert await job.status() == JobStatus.in_progress
        gate.open.set()
        assert await job.result(timeout=5, poll_delay=POLL) == "through"
        assert await job.status() == JobStatus.complete


async def _is(job: Job, status: JobStatus) -> bool:
    return await job.status() == status


async def test_failed_job_is_complete(arq_redis: ArqRedis, make_worker: Any) -> None:
    """There is no status of its own for failures."""
    job = await enqueue(arq_redis, "boom")

    await make_worker(boom).async_run()

    assert await job.status() == JobStatus.complete


async def test_ended_job_without_a_result_is_not_found(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What is not kept is not known."""
    job = await enqueue(arq_redis, "add")

    await make_worker(add, keep_result=0).async_run()

    assert await job.status() == JobStatus.not_found
    assert await job.info() is None
    assert await job.result_info() is None
    with pytest.raises(ResultNotFound, match=f"^{NOT_FOUND[:40]}"):
        await job.result()


async def test_info_of_a_waiting_job(arq_redis: ArqRedis) -> None:
    """Info tells what was enqueued and when it is due; it is no result."""
    before = timestamp_ms()
    job = await enqueue(arq_redis, "add", 1, b="two", _defer_by=10, _job_id="id")

    info = await job.info()

    assert type(info) is JobDef
    assert (info.function, info.args, info.kwargs) == ("add", (1,), {"b": "two"})
    assert info.job_try is None
    assert info.score == pytest.approx(before + 10_000, abs=500)
    assert isinstance(info.score, int)
    assert info.enqueue_time.utcoffset() == timedelta(0)
    assert abs(info.enqueue_time - datetime.now(UTC)) < timedelta(seconds=2)
    assert await job.result_info() is None


async def test_info_of_an_ended_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Info of an ended job is its result."""
    job = await enqueue(arq_redis, "add", 1, b=2, _job_id="id")
    await make_worker(add).run_check()

    info = await job.info()

    assert isinstance(info, JobResult)
    assert info == JobResult(
        function="add",
        args=(1,),
        kwargs={"b": 2},
        job_try=1,
        enqueue_time=info.enqueue_time,
        score=None,
        job_id="id",
        success=True,
        result=3,
        start_time=info.start_time,
        finish_time=info.finish_time,
        queue_name="arq:queue",
    )
    assert info == await job.result_info()
    assert info.enqueue_time <= info.start_time <= info.finish_time
    assert info.finish_time.utcoffset() == timedelta(0)


async def test_nothing_is_known_of_an_unknown_job(arq_redis: ArqRedis) -> None:
    """An unknown job has no info and no result."""
    job = Job("nobody", arq_redis)

    assert await job.info() is None
    assert await job.result_info() is None
    with pytest.raises(ResultNotFound) as raised:
        await job.result(timeout=5)
    assert str(raised.value) == NOT_FOUND


async def test_result_waits_for_the_end(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Waiting ends with the job."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    waiting = asyncio.create_task(job.result(poll_delay=POLL))

    async with at_work(make_worker(func(gate.enter, name="gate"))):
        await gate.started.wait()
        assert not waiting.done()
        gate.open.set()

        assert await asyncio.wait_for(waiting, 5) == "through"


@pytest.mark.parametrize("value", [None, 0, "", False, [], {}, "text", 1.5, [1, {"a": None}]])
async def test_result_is_what_was_returned(arq_redis: ArqRedis, make_worker: Any, value: Any) -> None:
    """Plain values come back as they are, the empty ones, too."""

    async def give(ctx: Any) -> Any:
        return value

    job = await enqueue(arq_redis, "give")
    await make_worker(func(give, name="give")).run_check()

    assert await job.result() == value
    assert (await end_of(job)).success


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("k"), RuntimeError(), OSError(2, "gone")])
async def test_exception_is_raised_again(arq_redis: ArqRedis, make_worker: Any, error: Exception) -> None:
    """A job's exception is raised to who waits, and is the result in its info."""

    async def fail(ctx: Any) -> None:
        raise error

    job = await enqueue(arq_redis, "fail")
    await make_worker(func(fail, name="fail")).async_run()

    with pytest.raises(type(error)) as raised:
        await job.result()
    assert raised.value.args == error.args
    ended = await end_of(job)
    assert (ended.success, repr(ended.result)) == (False, repr(error))


async def test_result_gives_up_in_time(arq_redis: ArqRedis) -> None:
    """A timeout is an `asyncio.TimeoutError`."""
    job = await enqueue(arq_redis, "add")

    with pytest.raises(asyncio.TimeoutError):
        await job.result(timeout=0.05, poll_delay=POLL)
    with pytest.raises(asyncio.TimeoutError):
        await job.result(0.05, poll_delay=POLL)


async def test_result_that_is_there_needs_no_time(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A result that is there is given however short the timeout."""
    job = await enqueue(arq_redis, "add", 1, 1)
    await make_worker(add).run_check()

    assert await job.result(timeout=0) == 2
    assert await job.result(timeout=0.000_01) == 2


async def test_misspelt_delay(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`pole_delay` is deprecated."""
    job = await enqueue(arq_redis, "add")
    await make_worker(add).run_check()

    with pytest.warns(DeprecationWarning, match=r'"pole_delay" is deprecated, use the correct spelling'):
        assert await job.result(pole_delay=POLL) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert await job.result(poll_delay=POLL) == 0


async def test_handle_made_by_hand(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A handle is made from id, client and, for another queue than the default one, its name."""
    await enqueue(arq_redis, "add", 1, 2, _job_id="here")
    await enqueue(arq_redis, "add", 3, 4, _job_id="there", _queue_name="mine")
    there = Job("there", arq_redis, _queue_name="mine")
    assert await there.status() == JobStatus.queued

    await make_worker(add).run_check()
    await make_worker(add, queue_name="mine").run_check()

    assert await Job("here", arq_redis).result() == 3
    assert await there.result(timeout=5, poll_delay=POLL) == 7
    assert (await end_of(there)).queue_name == "mine"


async def test_waiting_job_that_cannot_be_read(arq_redis: ArqRedis) -> None:
    """A deserializer that fails is told as `DeserializationError`."""
    await enqueue(arq_redis, "add", _job_id="id")

    with pytest.raises(DeserializationError, match=r"^unable to deserialize job$") as raised:
        await Job("id", arq_redis, _deserializer=_broken).info()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


async def test_result_that_cannot_be_read(arq_redis: ArqRedis, make_worker: Any) -> None:
    """So it is for results."""
    await enqueue(arq_redis, "nothing", _job_id="id")
    await make_worker(nothing).run_check()

    job = Job("id", arq_redis, _deserializer=_broken)
    for read in (job.result, job.result_info, job.info):
        with pytest.raises(DeserializationError, match=r"^unable to deserialize job result$"):
            await read()


def _broken(raw: bytes) -> dict[str, Any]:
    raise ZeroDivisionError
