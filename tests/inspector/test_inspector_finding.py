"""Finding and counting jobs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from inspector_toys import HOUR, Fault, enqueue, enqueue_everywhere

from arqlite import ArqRedis, Inspector, JobState, task
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError, DeserializationError
from arqlite.inspector import QueueDepth
from arqlite.utils import timestamp_ms


async def ids(inspector: Inspector, **conditions: Any) -> set[str]:
    return {job.id for job in await inspector.jobs(**conditions)}


async def test_jobs_of_every_state(arq_redis: ArqRedis) -> None:
    """Each job is told with the state it is in."""
    await enqueue_everywhere(arq_redis)

    jobs = await Inspector(arq_redis).jobs()

    assert {job.id for job in jobs} == set(JobState)
    assert all(job.id == job.state for job in jobs)


async def test_jobs_by_state(arq_redis: ArqRedis) -> None:
    """Jobs are found by one state, some, or a group of them."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    assert await ids(inspector, state="retryable") == {"retryable"}
    assert await ids(inspector, state=["completed", JobState.SUSPENDED]) == {"completed", "suspended"}
    assert await ids(inspector, state="incomplete") == {
        "available", "executing", "retryable", "scheduled", "suspended",
    }  # fmt: skip


async def test_jobs_by_what_is_written(arq_redis: ArqRedis) -> None:
    """All conditions must hold: function, tags, arguments, meta, priority, ids."""
    inspector = Inspector(arq_redis)
    await enqueue(arq_redis, "a", {"user": {"id": 1}}, tags=["x", "y"], meta={"n": 1}, priority=1)
    await enqueue(arq_redis, "b", {"user": {"id": 2}}, tags=["x"], meta={"n": 2})
    await arq_redis.options(job_id="c").enqueue("other", user={"id": 1})

    assert await ids(inspector, function="toy") == {"a", "b"}
    assert await ids(inspector, tags=["x", "y"]) == {"a"}
    assert await ids(inspector, args={"user": {"id": 1}}) == {"a", "c"}
    assert await ids(inspector, kwargs={"user": {"id": 1}}) == {"c"}
    assert await ids(inspector, meta=[{"n": 2}, {"n": 3}]) == {"b"}
    assert await ids(inspector, priority=1) == {"a"}
    assert await ids(inspector, ids=["a", "c", "nobody"]) == {"a", "c"}
    assert await ids(inspector, ids=["a", "c"], function="other") == {"c"}
    assert await ids(inspector, function="toy", tags="x", state="executing") == set()


async def test_conditions_must_mean_something(arq_redis: ArqRedis) -> None:
    """Unknown conditions, None and empty ones are refused."""
    inspector = Inspector(arq_redis)
    for conditions in ({"status": "x"}, {"function": None}, {"ids": []}, {"args": {}}):
        with pytest.raises(ConfigurationError):
            await inspector.jobs(**conditions)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="limit must be a whole number of at least 1"):
        await inspector.jobs(limit=0)


@task(queue="payments")
async def pay(ctx: Any) -> None: ...


@task(queue="payments")
async def refund(ctx: Any) -> None: ...


async def toy(ctx: Any) -> None: ...


async def test_queue_is_that_of_the_functions_meant(arq_redis: ArqRedis) -> None:
    """Jobs of tasks are looked for, and moved, in the queue of the tasks, unless another one is named."""
    inspector = Inspector(arq_redis)
    for job_id, queue in (("mine", "payments"), ("stray", "arq:queue")):
        await arq_redis.options(job_id=job_id, queue=queue).enqueue(pay)

    assert await ids(inspector, function=pay) == {"mine"}
    assert await ids(inspector, function=[pay, refund], queue="arq:queue") == {"stray"}
    assert [job.id async for job in inspector.iter_jobs(function=[pay, refund])] == ["mine"]
    assert await inspector.count_jobs(function=pay) == 1
    assert await inspector.cancel_jobs(function=pay) == 1
    assert await inspector.retry_jobs(function=pay) == 1
    assert await inspector.delete_jobs(function=pay) == 1
    assert await ids(inspector) == {"stray"}


@pytest.mark.parametrize("functions", [[pay, toy], [pay, "toy"]])
async def test_functions_of_several_queues_need_one_named(arq_redis: ArqRedis, functions: Any) -> None:
    """Functions whose jobs are in several queues are refused in words rather than found in one of them."""
    with pytest.raises(ConfigurationError, match="belong to the queues arq:queue, payments: say which with"):
        await Inspector(arq_redis).jobs(function=functions)

    assert await Inspector(arq_redis).jobs("payments", function=functions) == []


async def test_newest_jobs(arq_redis: ArqRedis) -> None:
    """The first or the last jobs that were enqueued are told, in that order, however many there are."""
    inspector = Inspector(arq_redis)
    engine = arq_redis.queue("arq:queue").engine
    for start in range(0, 2000, 500):
        await arq_redis.enqueue_many([("toy", [start + n]) for n in range(500)])
    assert (await engine.size()).ready == 2000
    await arq_redis.enqueue_many([("last", [n]) for n in range(3)])

    oldest = await inspector.jobs(limit=5)
    newest = await inspector.jobs(limit=3, newest_first=True, function=["toy", "last"])

    assert len(oldest) == 5
    assert oldest == sorted(oldest, key=lambda job: (job.inserted_at, job.id))
    assert {job.function for job in newest} == {"last"}


async def test_jobs_one_by_one(arq_redis: ArqRedis) -> None:
    """Jobs come by one by one, also more than a page of them."""
    await arq_redis.enqueue_many([("toy", [n]) for n in range(1200)])

    found = [job.args[0] async for job in Inspector(arq_redis).iter_jobs(function="toy")]

    assert sorted(found) == list(range(1200))


async def test_all_jobs_by_state(arq_redis: ArqRedis) -> None:
    """All jobs are told by state, with an empty list for a state that none is in."""
    await enqueue_everywhere(arq_redis)

    by_state = await Inspector(arq_redis).all_jobs()

    assert {state: [job.id for job in jobs] for state, jobs in by_state.items()} == {
        state: [state.value] for state in JobState
    }
    assert await Inspector(arq_redis).all_jobs("other") == {state: [] for state in JobState}


async def test_view_of_a_waiting_job(arq_redis: ArqRedis) -> None:
    """A job that waits is told as it was enqueued."""
    moment = datetime(2100, 1, 1, tzinfo=UTC)
    await enqueue(
        arq_redis, "a", 1, "x", at=moment, priority=4, tags=["T"], meta={"m": 1}, max_attempts=7,
    )  # fmt: skip

    job = await Inspector(arq_redis).job("a")

    assert job is not None
    assert (job.id, job.queue, job.function, job.state) == ("a", "arq:queue", "toy", JobState.SCHEDULED)
    assert (job.args, job.kwargs, job.tags, job.meta) == ((1, "x"), {}, ("t",), {"m": 1})
    assert (job.priority, job.attempt, job.max_attempts, job.snoozes, job.crashes) == (4, 0, 7, 0, 0)
    assert job.scheduled_at == moment
    assert (job.errors, job.attempted_at, job.finished_at, job.worker, job.result) == (
        (),
        None,
        None,
        None,
        None,
    )


async def test_view_of_running_and_ended_jobs(arq_redis: ArqRedis) -> None:
    """A job that runs tells its worker; one that ended its attempts, its times and its result."""
    engine = await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    await arq_redis.hset(engine.keys.tries, "executing", "2:1:0:0:4:0:0")

    running, completed, discarded = [
        await inspector.job(job_id) for job_id in ("executing", "completed", "discarded")
    ]

    assert running is not None
    assert completed is not None
    assert discarded is not None
    assert (running.worker, running.attempt, running.crashes, running.snoozes) == ("s", 3, 1, 4)
    assert (completed.attempt, completed.result) == (3, "fine")
    assert completed.finished_at == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    assert completed.attempted_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert isinstance(discarded.result, Exception)
    assert type(discarded.result).__name__ in (Fault.__name__, "JobExecutionFailed")


async def test_view_with_failed_attempts(arq_redis: ArqRedis) -> None:
    """The failed attempts of a job are told with it; of many jobs only if they are asked for."""
    inspector = Inspector(arq_redis)
    engine = RedisEngine(arq_redis, "arq:queue")
    await enqueue(arq_redis, "a")
    first = await inspector.job("a")
    assert first is not None
    enqueued = round(first.inserted_at.timestamp() * 1000)
    told = {"n": 1, "at": 5, "et": enqueued, "t": "Fault", "m": "broken", "tb": "Trace", "w": "host:1:x"}
    await arq_redis.rpush(engine.keys.errors("a"), json.dumps(told))

    job = await inspector.job("a")

    assert job is not None
    [failed] = job.errors
    assert (failed.attempt, failed.type, failed.message, failed.worker) == (1, "Fault", "broken", "host:1:x")
    assert [len(job.errors) for job in await inspector.jobs()] == [0]
    assert [len(job.errors) for job in await inspector.jobs(with_errors=True)] == [1]


async def test_unknown_job(arq_redis: ArqRedis) -> None:
    """Nothing is told of a job that nobody knows."""
    assert await Inspector(arq_redis).job("nobody") is None


async def test_unreadable_jobs_hide_nothing(arq_redis: ArqRedis) -> None:
    """A job that cannot be read is told as unknown, and is found by no condition on what is written."""
    engine = await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    await arq_redis.hset(engine.keys.jobs, "available", b"Q\x00not json")
    record = (await engine.peek("completed")).record
    await arq_redis.hset(engine.keys.jobs, "completed", record[:15] + b"00000002??")

    jobs = {job.id: job for job in await inspector.jobs()}

    assert jobs["available"].function == "<unknown>"
    assert isinstance(jobs["completed"].result, DeserializationError)
    assert len(jobs) == 8
    assert await inspector.count_jobs(function="toy") == 6
    assert await ids(inspector, state="available") == {"available"}


async def test_forgotten_jobs_are_gone(arq_redis: ArqRedis) -> None:
    """A job whose end is kept no longer is not told, though nobody has pruned it yet."""
    engine = await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    record = (await engine.peek("completed")).record
    await arq_redis.hset(engine.keys.jobs, "completed", b"R0000000000001" + record[14:])

    assert "completed" not in await ids(inspector)
    assert await inspector.job("completed") is None
    assert (await inspector.count_by_state())[JobState.COMPLETED] == 0


async def test_count_by_state(arq_redis: ArqRedis) -> None:
    """Every state is counted, in the same words as jobs are found."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    assert await inspector.count_by_state() == dict.fromkeys(JobState, 1)
    assert await inspector.count_by_state("other") == dict.fromkeys(JobState, 0)


async def test_count_of_jobs_whose_time_has_come(arq_redis: ArqRedis) -> None:
    """A job that is due counts as available, whether it waited for its time or for another try."""
    engine = await enqueue_everywhere(arq_redis)
    await arq_redis.zadd(engine.keys.sched, {"retryable": 1, "scheduled": 2}, xx=True)

    counts = await Inspector(arq_redis).count_by_state()

    assert (counts[JobState.AVAILABLE], counts[JobState.SCHEDULED], counts[JobState.RETRYABLE]) == (3, 0, 0)


async def test_count_jobs(arq_redis: ArqRedis) -> None:
    """Jobs are counted by the same conditions as they are found."""
    await enqueue_everywhere(arq_redis, tags=["x"])
    inspector = Inspector(arq_redis)

    assert await inspector.count_jobs() == 8
    assert await inspector.count_jobs(state="incomplete") == 5
    assert await inspector.count_jobs(state=["retryable", "discarded"]) == 2
    assert await inspector.count_jobs(tags="x", state="incomplete") == 5
    assert await inspector.count_jobs(tags="x", state="retryable") == 1
    assert await inspector.count_jobs(function="toy") == 8
    assert await inspector.count_jobs(function="other") == 0
    assert await inspector.count_jobs(ids=["completed", "nobody"]) == 1


async def test_job_that_ends_while_it_is_looked_for(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that ends between the look at its record and at its home is told as it is then."""
    engine = await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    ask, asked = inspector._engine(None).standings, []

    async def cancelled_first(job_ids: list[str], **options: Any) -> Any:
        if not asked:
            asked.append(job_ids)
            await engine.cancel("available", b"C00000000", HOUR)
        return await ask(job_ids, **options)

    monkeypatch.setattr(inspector._engine(None), "standings", cancelled_first)

    assert await ids(inspector, state="cancelled") == {"cancelled"}
    assert await ids(inspector, state=["available", "cancelled"]) == {"available", "cancelled"}


async def test_queue_depth(arq_redis: ArqRedis) -> None:
    """The depth is how many jobs could start, and for how long the eldest could have."""
    inspector = Inspector(arq_redis)
    assert await inspector.depth() == QueueDepth(0, timedelta(0))

    await enqueue(arq_redis, "old", at=datetime.now(UTC) - timedelta(hours=1), priority=9)
    await enqueue(arq_redis, "new")
    await enqueue(arq_redis, "later", delay=60)
    depth = await inspector.depth()

    assert depth.available == 2
    assert timedelta(hours=1) <= depth.oldest < timedelta(hours=1, minutes=1)


async def test_queue_depth_with_a_rescued_job(arq_redis: ArqRedis) -> None:
    """A job that a rescue put in front is as old as it is, not as its place says."""
    inspector = Inspector(arq_redis)
    engine = RedisEngine(arq_redis, "arq:queue")
    await enqueue(arq_redis, "a")
    for session in ("s", "t"):
        await engine.open(session, HOUR)
    await engine.turn("s", 1, {}, ())
    await engine.close()
    await arq_redis.zadd(engine.keys.live, {"s": 1}, xx=True)
    await engine.rescue("t")

    depth = await inspector.depth()

    assert depth.available == 1
    assert depth.oldest < timedelta(minutes=1)
    [job] = await inspector.jobs()
    assert abs(job.scheduled_at.timestamp() * 1000 - timestamp_ms()) < 60_000
