"""Changing jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from inspector_toys import AWAITS_A_TRY, enqueue, enqueue_everywhere

from arqlite import ArqRedis, Inspector, JobState, JobView, func
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError, JobBusy, JobNotFound, SerializationError

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("state", sorted({state.value for state in JobState} - {"executing"}))
async def test_update_a_job(arq_redis: ArqRedis, state: str) -> None:
    """A job that nobody runs is changed and stays in its state, whichever that is."""
    await enqueue_everywhere(arq_redis, tags=["old"], meta={"old": 1})
    inspector = Inspector(arq_redis)

    job = await inspector.update_job(
        state,
        {
            "args": [1],
            "kwargs": {"b": 2},
            "max_attempts": 7,
            "meta": {"m": 1},
            "priority": 5,
            "tags": ["New"],
        },
    )

    assert (job.args, job.kwargs, job.max_attempts, job.meta) == ((1,), {"b": 2}, 7, {"m": 1})
    assert (job.priority, job.tags, job.state) == (5, ("new",), state)
    assert job == await inspector.job(state)


async def test_updated_arguments_are_run_with(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job runs with what it was changed to, in the order of its new priority."""
    ran: list[Any] = []

    async def toy(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        ran.append((args, kwargs))

    await enqueue(arq_redis, "a", 1)
    await enqueue(arq_redis, "b", 2)
    inspector = Inspector(arq_redis)
    await inspector.update_job("a", {"args": [3], "kwargs": {"x": 4}, "priority": 9})
    await make_worker([func(toy, name="toy")], max_jobs=1).async_run()

    assert ran == [((2,), {}), ((3,), {"x": 4})]


async def test_ended_job_is_changed_before_it_is_retried(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What a job failed on is mended first; then it is tried again and succeeds."""

    async def toy(ctx: dict[str, Any], n: int) -> float:
        return 1 / n

    inspector = Inspector(arq_redis)
    await enqueue(arq_redis, "a", 0)
    await make_worker([func(toy, name="toy")]).async_run()
    failed = await inspector.update_job("a", {"args": [4]})
    assert (failed.state, failed.attempt) == (JobState.DISCARDED, 1)
    assert isinstance(failed.result, ZeroDivisionError)

    await inspector.retry_job("a")
    await make_worker([func(toy, name="toy")]).async_run()

    job = await inspector.job("a")
    assert job is not None
    assert (job.state, job.result, job.attempt) == (JobState.COMPLETED, 0.25, 2)


@pytest.mark.parametrize("state", ["available", "scheduled", "retryable", "completed", "discarded"])
async def test_scheduled_at_makes_a_job_scheduled(arq_redis: ArqRedis, state: str) -> None:
    """A job that is given a time is scheduled for it, whatever it was."""
    await enqueue_everywhere(arq_redis)

    job = await Inspector(arq_redis).update_job(state, {"scheduled_at": LATER})

    assert (job.state, job.scheduled_at, job.finished_at) == (JobState.SCHEDULED, LATER, None)


async def test_scheduled_at_of_the_past(arq_redis: ArqRedis) -> None:
    """A time that is over makes a job available."""
    await enqueue_everywhere(arq_redis)
    before = datetime.now(UTC) - timedelta(hours=1)

    job = await Inspector(arq_redis).update_job("scheduled", {"scheduled_at": before})

    assert job.state is JobState.AVAILABLE


async def test_update_by_a_function_of_the_job(arq_redis: ArqRedis) -> None:
    """The changes may be told by a function that is given the job as it is."""
    await enqueue(arq_redis, "a", 1, meta={"n": 1}, tags=["x"])

    def more(job: JobView) -> dict[str, Any]:
        return {"meta": {**job.meta, "n": job.meta["n"] + 1}, "args": [*job.args, 2]}

    job = await Inspector(arq_redis).update_job("a", more)

    assert (job.args, job.meta, job.tags) == ((1, 2), {"n": 2}, ("x",))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (lambda job: None, "a function that returns one, got None"),
        (lambda job: [1], "a function that returns one, got"),
        ({"state": "completed"}, "'state' of a job cannot be changed"),
        ({"worker": "x"}, "'worker' of a job cannot be changed"),
        ({"priority": 11}, "priority must be 0"),
        ({"scheduled_at": None}, "scheduled_at must be a datetime"),
    ],
)
async def test_changes_that_cannot_be(arq_redis: ArqRedis, changes: Any, complaint: str) -> None:
    """What cannot be changed is told in words, and the job stays as it is."""
    await enqueue(arq_redis, "a", 1)
    before = await RedisEngine(arq_redis, "arq:queue").peek("a")

    with pytest.raises(ConfigurationError, match=complaint):
        await Inspector(arq_redis).update_job("a", changes)

    assert await RedisEngine(arq_redis, "arq:queue").peek("a") == before


async def test_changes_that_cannot_be_written(arq_redis: ArqRedis) -> None:
    """Arguments that are no plain data are refused like those of a new job."""
    await enqueue(arq_redis, "a", 1)

    with pytest.raises(SerializationError):
        await Inspector(arq_redis).update_job("a", {"args": [object()]})


async def test_update_of_an_unknown_job(arq_redis: ArqRedis) -> None:
    """A job that nobody knows cannot be changed, and that is told."""
    with pytest.raises(JobNotFound, match="there is no job 'nobody'") as caught:
        await Inspector(arq_redis).update_job("nobody", {"priority": 1})
    assert caught.value.job_id == "nobody"
    assert isinstance(caught.value, LookupError)


async def test_update_of_a_running_job(arq_redis: ArqRedis) -> None:
    """A job that a worker runs is not waited for: that it runs is told."""
    await enqueue_everywhere(arq_redis)

    with pytest.raises(JobBusy, match="a worker runs it"):
        await Inspector(arq_redis).update_job("executing", {"priority": 1})


async def test_update_of_a_job_that_changes_meanwhile(arq_redis: ArqRedis) -> None:
    """A job that was changed by another one since it was read is read again: no change is lost."""
    await enqueue(arq_redis, "a", meta={"n": 0})
    inspector, other = Inspector(arq_redis), Inspector(arq_redis)
    engine = RedisEngine(arq_redis, "arq:queue")
    seen: list[int] = []

    def more(job: JobView) -> dict[str, Any]:
        seen.append(job.meta["n"])
        return {"meta": {"n": job.meta["n"] + 1}}

    look = inspector._look

    async def changed_after(*args: Any) -> Any:
        found = await look(*args)
        if not seen:
            await other.update_job("a", {"meta": {"n": 10}})
        return found

    inspector._look = changed_after  # type: ignore[method-assign]

    assert (await inspector.update_job("a", more)).meta == {"n": 11}
    assert seen == [0, 10]
    assert (await engine.peek("a")).home == "ready"


async def test_update_of_a_job_that_never_rests(arq_redis: ArqRedis) -> None:
    """A job that changes each time that it is to be changed is given up, with words."""
    await enqueue(arq_redis, "a")
    inspector, other = Inspector(arq_redis), Inspector(arq_redis)
    look, n = inspector._look, iter(range(1, 100))

    async def changed_after(*args: Any) -> Any:
        found = await look(*args)
        await other.update_job("a", {"meta": {"n": next(n)}})
        return found

    inspector._look = changed_after  # type: ignore[method-assign]

    with pytest.raises(JobBusy, match="it changed 5 times"):
        await inspector.update_job("a", {"priority": 1})


async def test_update_keeps_what_is_remembered(arq_redis: ArqRedis) -> None:
    """A job that was tried keeps its attempts when it is changed, also when it is put off."""
    engine = await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    first = await inspector.update_job("retryable", {"tags": ["x"]})
    memory = (await engine.peek("retryable")).memory
    second = await inspector.update_job("retryable", {"scheduled_at": LATER})

    assert (first.attempt, first.state, memory) == (1, JobState.RETRYABLE, AWAITS_A_TRY)
    assert (second.attempt, second.state) == (1, JobState.SCHEDULED)
