"""Attempts, snoozes and crashes of jobs that ended, and of those that are retried by hand."""

from __future__ import annotations

import asyncio
import pickle
import time
from datetime import timedelta
from typing import Any

import pytest
from inspector_toys import Fault

from arqlite import (
    ArqRedis,
    Discard,
    Inspector,
    JobState,
    Snooze,
    Workflow,
    call,
    cron,
    current_job,
    func,
    task,
)
from arqlite.engine import RedisEngine
from arqlite.model.records import JobView


async def crash(pool: ArqRedis, times: int) -> None:
    """Let workers die while they run the one job of the queue."""
    engine = RedisEngine(pool, "arq:queue")
    for number in range(times):
        session = f"dead{number}"
        await engine.open(session, 60_000)
        assert (await engine.turn(session, 1, {}, ())).job_ids
        await pool.zadd(engine.keys.live, {session: 1})
        await engine.rescue("")
    await engine.close()


async def view(pool: ArqRedis, job_id: str) -> JobView:
    found = await Inspector(pool).job(job_id)
    assert found is not None
    return found


@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("fate", [JobState.COMPLETED, JobState.DISCARDED, JobState.CANCELLED])
async def test_end_tells_what_the_job_went_through(
    arq_redis: ArqRedis, make_worker: Any, serializer: str, fate: JobState
) -> None:
    """Of a job that ended, attempts, snoozes and crashes are told apart, whoever writes the ends."""
    options: dict[str, Any] = {}
    if serializer == "pickle":
        arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads
        options = {"job_serializer": pickle.dumps, "job_deserializer": pickle.loads}
    acts = [Snooze(0.001), Fault("once"), Snooze(0.001)]

    @task(name="toy", max_attempts=5, backoff=0)
    async def toy(ctx: dict[str, Any]) -> str:
        if acts:
            raise acts.pop(0)
        if fate is JobState.DISCARDED:
            raise Discard("no")
        return "fine"

    job = await arq_redis.enqueue(toy)
    await crash(arq_redis, 2)
    if fate is JobState.CANCELLED:
        acts[2:] = [Snooze(60)]
        worker = make_worker([toy], max_burst_jobs=3, **options)
        await worker.main()
        assert await Inspector(arq_redis).cancel_job(job.job_id)
    else:
        await make_worker([toy], **options).main()

    seen = await view(arq_redis, job.job_id)
    attempts = 1 if fate is JobState.CANCELLED else 2
    assert (seen.state, seen.attempt, seen.snoozes, seen.crashes) == (fate, attempts, 2, 2)
    assert seen.meta == {"snoozed": 2}
    result = await job.result_info()
    assert result is not None
    assert result.job_try == attempts + 2, "arq's number counts all starts"


async def test_job_that_never_ran_has_no_attempt(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that expired was never attempted."""

    @task(name="toy")
    async def toy(ctx: dict[str, Any]) -> None: ...

    job = await arq_redis.options(expires=0.001).enqueue(toy)
    await asyncio.to_thread(time.sleep, 0.01)  # the server's clock has no event
    await make_worker([toy]).main()

    seen = await view(arq_redis, job.job_id)
    assert (seen.state, seen.attempt, seen.attempted_at) == (JobState.DISCARDED, 0, None)


async def test_waiting_job_shows_its_snoozes_in_its_meta(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What a job sees in its meta is what others see: how often it has snoozed."""

    @task(name="toy")
    async def toy(ctx: dict[str, Any]) -> None:
        raise Snooze(60)

    job = await arq_redis.options(meta={"a": 1}).enqueue(toy)
    await make_worker([toy], max_burst_jobs=1).main()

    assert (await view(arq_redis, job.job_id)).meta == {"a": 1, "snoozed": 1}


async def test_dead_workers_are_no_attempts_of_a_retried_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job retried by hand goes on with the attempts, the snoozes and the starts that it had."""
    seen: list[tuple[int, int, bool, int, int]] = []

    @task(name="toy", max_attempts=5)
    async def toy(ctx: dict[str, Any]) -> None:
        job = current_job()
        assert job is not None
        seen.append((job.attempt, job.max_attempts, job.is_last_attempt, job.snoozes, ctx["job_try"]))
        if len(seen) == 1:
            raise Snooze(0.001)
        if len(seen) == 2:
            raise Discard("no")

    job = await arq_redis.enqueue(toy)
    await crash(arq_redis, 2)
    await make_worker([toy]).main()
    assert await Inspector(arq_redis).retry_job(job.job_id)
    waiting = await view(arq_redis, job.job_id)
    await make_worker([toy]).main()

    assert (waiting.attempt, waiting.snoozes, waiting.crashes) == (1, 1, 2)
    assert seen == [(1, 5, False, 0, 3), (1, 5, False, 1, 3), (2, 5, False, 1, 4)]


async def test_job_that_took_workers_down_may_be_retried(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A retry by hand pardons the crashes so far; those that follow count against it again."""
    ran: list[int] = []

    @task(name="toy")
    async def toy(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_try"])

    job = await arq_redis.enqueue(toy)
    await crash(arq_redis, 2)
    await make_worker([toy], max_rescues=2).main()
    refused = await view(arq_redis, job.job_id)
    assert (refused.state, refused.attempt, refused.crashes) == (JobState.DISCARDED, 0, 2)

    await Inspector(arq_redis).retry_job(job.job_id)
    await crash(arq_redis, 1)
    await make_worker([toy], max_rescues=2).main()

    assert ran == [4]
    done = await view(arq_redis, job.job_id)
    assert (done.state, done.attempt, done.crashes) == (JobState.COMPLETED, 1, 3)

    await Inspector(arq_redis).retry_job(job.job_id)
    await crash(arq_redis, 2)
    await make_worker([toy], max_rescues=2).main()
    assert ran == [4]
    assert "worker died 2 times" in str((await view(arq_redis, job.job_id)).result)


async def test_pardoned_job_may_wait_for_another_try(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job whose crashes were pardoned and that fails is retryable like any other, for all who ask."""

    @task(name="toy", max_attempts=9, backoff=60)
    async def toy(ctx: dict[str, Any]) -> None:
        raise Discard("no") if ctx["job_try"] == 2 else Fault("broken")

    inspector = Inspector(arq_redis)
    job = await arq_redis.enqueue(toy)
    await crash(arq_redis, 1)
    await make_worker([toy]).main()
    await inspector.retry_job(job.job_id)
    await make_worker([toy], max_burst_jobs=1).main()

    seen = await view(arq_redis, job.job_id)
    assert (seen.state, seen.attempt, seen.crashes) == (JobState.RETRYABLE, 2, 1)
    assert (await inspector.count_by_state())[JobState.RETRYABLE] == 1


@pytest.mark.parametrize("way", ["enqueue", "options", "many", "workflow", "cron", "run_cron"])
async def test_maximum_of_a_task_is_known(arq_redis: ArqRedis, make_worker: Any, way: str) -> None:
    """Whoever looks at a job of a task sees how often its task said that it may be tried."""

    @task(name="toy", max_attempts=7)
    async def toy(ctx: dict[str, Any]) -> None: ...

    inspector = Inspector(arq_redis)
    match way:
        case "enqueue":
            await arq_redis.enqueue(toy)
        case "options":
            await arq_redis.options(priority=1).enqueue(toy)
        case "many":
            await arq_redis.enqueue_many([call(toy)])
        case "workflow":
            flow = Workflow("flow")
            flow.add("a", call(toy))
            await arq_redis.enqueue_workflow(flow)
        case _:
            await make_worker([toy], cron_jobs=[cron(toy, run_at_startup=way == "cron", month=1)]).main()
            if way == "run_cron":
                await inspector.run_cron("cron:toy")

    [job] = await inspector.jobs()
    assert job.max_attempts == 7


async def test_maximum_of_the_worker_counts(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker goes by its own task, by whichever the job was enqueued; a maximum of the job's own wins."""
    seen: list[int] = []

    def made(most: int) -> Any:
        @task(name="toy", max_attempts=most)
        async def toy(ctx: dict[str, Any]) -> None:
            seen.append(ctx["job"].max_attempts)

        return toy

    old = made(7)
    jobs = [await arq_redis.enqueue(old), await arq_redis.options(max_attempts=3).enqueue(old)]
    by_name = await arq_redis.enqueue("toy")
    assert [(await view(arq_redis, job.job_id)).max_attempts for job in (*jobs, by_name)] == [7, 3, None]

    await make_worker([made(9)], max_jobs=1).main()

    assert seen == [9, 3, 9]


@pytest.mark.parametrize("serializer", ["json", "pickle"])
async def test_end_tells_when_the_last_run_was_due(
    arq_redis: ArqRedis, make_worker: Any, serializer: str
) -> None:
    """A job that ran again later was due then: it has not waited since it was enqueued."""
    options: dict[str, Any] = {}
    if serializer == "pickle":
        arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads
        options = {"job_serializer": pickle.dumps, "job_deserializer": pickle.loads}

    acts = [Snooze(0.05), Snooze(0.05)]

    @task(name="toy")
    async def toy(ctx: dict[str, Any]) -> None:
        if acts:
            raise acts.pop()

    job = await arq_redis.enqueue(toy)
    await make_worker([toy], **options).main()

    told = await view(arq_redis, job.job_id)
    assert told.attempted_at is not None
    assert told.inserted_at + timedelta(seconds=0.1) <= told.scheduled_at <= told.attempted_at


async def test_end_of_the_first_run_was_due_as_it_was_enqueued(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that had no trouble was due when it was enqueued, or for the time it was deferred to."""
    job = await arq_redis.options(delay=0.05).enqueue("toy")
    await make_worker([func(noop, name="toy")]).main()

    told = await view(arq_redis, job.job_id)
    assert told.scheduled_at == told.inserted_at + timedelta(seconds=0.05)


async def noop(ctx: dict[str, Any]) -> None:
    """Do nothing."""
