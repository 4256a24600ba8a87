"""Cancelling, retrying and deleting jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from inspector_toys import AWAITS_A_TRY, Fault, enqueue, enqueue_everywhere, states_of
from worker_toys import Gate, at_work

from arqlite import ArqRedis, Inspector, JobState, Worker, func, task, telemetry
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError
from arqlite.jobs import Job
from arqlite.model import memory
from arqlite.telemetry import JobStopped

STATES = {state.value for state in JobState}


async def memory_of(pool: ArqRedis, job_id: str) -> memory.Memory:
    return memory.decode((await RedisEngine(pool, "arq:queue").peek(job_id)).memory)


# -- cancel


@pytest.mark.parametrize("state", ["available", "scheduled", "retryable", "suspended"])
async def test_cancel_a_waiting_job(arq_redis: ArqRedis, state: str) -> None:
    """A job that waits is cancelled at once, without an error of its own."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    assert await inspector.cancel_job(state) is True

    job = await inspector.job(state)
    assert job is not None
    assert (job.state, job.errors, job.attempted_at) == (JobState.CANCELLED, (), None)
    assert job.finished_at is not None
    assert job.finished_at >= job.inserted_at
    assert isinstance(job.result, asyncio.CancelledError)


async def test_cancelled_job_keeps_its_attempts(arq_redis: ArqRedis) -> None:
    """A job that was tried before it was cancelled still tells how often."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    await inspector.cancel_job("retryable")

    job = await inspector.job("retryable")
    assert job is not None
    assert job.attempt == 1


@pytest.mark.parametrize("state", ["completed", "discarded", "cancelled"])
async def test_cancel_an_ended_job(arq_redis: ArqRedis, state: str) -> None:
    """A job that ended stays as it is, and that is no error."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    before = await RedisEngine(arq_redis, "arq:queue").peek(state)

    assert await inspector.cancel_job(state) is False

    assert await RedisEngine(arq_redis, "arq:queue").peek(state) == before


async def test_unknown_job_is_no_error(arq_redis: ArqRedis) -> None:
    """A job that nobody knows is not cancelled, retried or deleted, and leaves no trace."""
    inspector = Inspector(arq_redis)

    assert await inspector.cancel_job("nobody") is False
    assert await inspector.retry_job("nobody") is False
    assert await inspector.delete_job("nobody") is False
    assert await inspector.cancel_jobs(ids=["nobody", "none"]) == 0

    assert await arq_redis.keys("*") == []


async def test_cancel_a_running_job(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """The worker that runs a job ends it: it never returns, and ends as cancelled."""
    gate = Gate()
    inspector = Inspector(arq_redis)
    await arq_redis.options(job_id="a").enqueue("gate")
    async with at_work(make_worker([func(gate, name="gate")], allow_abort_jobs=True)):
        await gate.started.wait()
        running = await inspector.job("a")
        assert running is not None
        assert running.state is JobState.EXECUTING

        assert await inspector.cancel_job("a") is True

        await eventually(lambda: gate.ended)
        await eventually(Job("a", arq_redis).result_info)
        job = await inspector.job("a")
    assert gate.ended == ["cancelled"]
    assert job is not None
    assert (job.state, job.worker) == (JobState.CANCELLED, None)
    assert (await inspector.count_by_state())[JobState.EXECUTING] == 0


async def test_cancel_a_running_task(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A task that is cancelled while it runs is stopped by any worker, and tells that of its one attempt."""
    gate = Gate()
    inspector = Inspector(arq_redis)

    async def toy(ctx: dict[str, Any]) -> str:
        return await gate(ctx)

    await enqueue(arq_redis, "a")
    async with at_work(make_worker([task(name="toy")(toy)])):
        await gate.started.wait()
        assert await inspector.cancel_jobs(function="toy", state="executing") == 1
        await eventually(lambda: inspector.count_jobs(state="cancelled"))

    job = await inspector.job("a")
    assert job is not None
    assert gate.ended == ["cancelled"]
    assert (job.state, job.attempt, len(job.errors)) == (JobState.CANCELLED, 1, 1)
    assert job.attempted_at is not None
    assert await inspector.count_jobs(state="executing") == 0


async def test_running_job_runs_on_until_its_worker_ends_it(arq_redis: ArqRedis) -> None:
    """A job whose cancellation was asked for is executing until its worker has ended it."""
    engine = await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    assert await inspector.cancel_job("executing") is True

    assert (await states_of(inspector))["executing"] == "executing"
    assert await arq_redis.smembers(engine.keys.inbox("s")) == {b"executing"}


async def test_cancel_jobs_counts_what_had_not_ended(arq_redis: ArqRedis) -> None:
    """Of a scheduled, a retryable, a completed and a running job three are cancelled."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    count = await inspector.cancel_jobs(ids=["scheduled", "retryable", "completed", "executing"])

    assert count == 3
    assert await inspector.cancel_jobs(state="all") == 3, (
        "the available, the suspended, and the running one again"
    )
    states = await states_of(inspector)
    assert {job_id for job_id, state in states.items() if state == "cancelled"} == STATES - {
        "completed", "discarded", "executing",
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["cancel_jobs", "retry_jobs", "delete_jobs"])
async def test_jobs_must_be_meant(arq_redis: ArqRedis, verb: str) -> None:
    """Without a condition nothing is moved: who means all jobs says so."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    with pytest.raises(ConfigurationError, match='state="all" means all of the queue'):
        await getattr(inspector, verb)()
    with pytest.raises(ConfigurationError, match="function must not be None"):
        await getattr(inspector, verb)(function=None)

    assert all(job_id == state for job_id, state in (await states_of(inspector)).items())


async def test_cancel_jobs_by_what_they_are(arq_redis: ArqRedis) -> None:
    """Only the jobs are cancelled that all conditions hold for, in the queue that is named."""
    inspector = Inspector(arq_redis)
    for job_id, options in {
        "a": {"tags": ["x"]},
        "b": {"tags": ["y"]},
        "c": {"queue": "q", "tags": ["x"]},
    }.items():
        await enqueue(arq_redis, job_id, **options)

    assert await inspector.cancel_jobs(tags="x", function="toy", state="available") == 1
    assert await inspector.cancel_jobs(tags="x", state="completed") == 0

    assert await states_of(inspector) == {"a": "cancelled", "b": "available"}
    assert await inspector.count_jobs("q", state="available") == 1


async def test_cancelled_job_is_told(arq_redis: ArqRedis) -> None:
    """Telemetry hears of each job that is cancelled while it waits, with its function."""
    await enqueue_everywhere(arq_redis)
    told: list[JobStopped] = []
    telemetry.attach("test", [JobStopped], told.append)
    try:
        await Inspector(arq_redis).cancel_jobs(state=["available", "retryable", "executing"])
    finally:
        telemetry.detach("test")

    assert {(one.job_id, one.function, one.attempt, one.state) for one in told} == {
        ("available", "toy", 0, "cancelled"),
        ("retryable", "toy", 1, "cancelled"),
    }


async def test_bulk_cancel_of_many_jobs_stays_bounded(
    arq_redis: ArqRedis, is_fake: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 jobs (on fakeredis fewer) are cancelled page by page; no page holds more than some of them."""
    total = 500 if is_fake else 5_000
    for start in range(0, total, 500):
        await arq_redis.enqueue_many([("toy", [start + n]) for n in range(500)])
    inspector = Inspector(arq_redis)
    cancel, sizes = inspector._engine(None).cancel_many, []

    async def noted(stops: list[Any], *args: Any) -> Any:
        sizes.append(len(stops))
        return await cancel(stops, *args)

    monkeypatch.setattr(inspector._engine(None), "cancel_many", noted)

    assert await inspector.cancel_jobs(function="toy") == total

    assert max(sizes) < 1_500
    assert (await inspector.count_by_state())[JobState.CANCELLED] == total


# -- retry


@pytest.mark.parametrize(
    "state", ["completed", "discarded", "cancelled", "scheduled", "retryable", "suspended"]
)
async def test_retry_makes_a_job_available(arq_redis: ArqRedis, state: str) -> None:
    """A job that ended or waits is available now, as if it had no end."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    before = datetime.now(UTC) - timedelta(seconds=1)

    assert await inspector.retry_job(state) is True

    job = await inspector.job(state)
    assert job is not None
    assert (job.state, job.finished_at, job.result) == (JobState.AVAILABLE, None, None)
    assert before < job.scheduled_at < before + timedelta(minutes=1)
    assert await inspector.retry_job(state) is False


@pytest.mark.parametrize("state", ["available", "executing"])
async def test_retry_leaves_available_and_running_jobs(arq_redis: ArqRedis, state: str) -> None:
    """A job that may start, or runs, stays as it is."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    before = await RedisEngine(arq_redis, "arq:queue").peek(state)

    assert await inspector.retry_job(state) is False

    assert await RedisEngine(arq_redis, "arq:queue").peek(state) == before


async def test_retry_jobs_counts_what_it_moved(arq_redis: ArqRedis) -> None:
    """Of a discarded, a completed, an available and a retryable job three are made available."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    assert await inspector.retry_jobs(ids=["discarded", "completed", "available", "retryable"]) == 3
    assert await inspector.retry_jobs(state="all") == 3, "the scheduled, the suspended and the cancelled one"

    assert set((await states_of(inspector)).values()) == {"available", "executing"}


async def test_retry_keeps_attempts_and_errors(arq_redis: ArqRedis) -> None:
    """Attempts and what they failed with are kept, and so is how often the job may fail, if any is left."""
    engine = await enqueue_everywhere(arq_redis, max_attempts=20)
    inspector = Inspector(arq_redis)
    before = await inspector.job("discarded")
    assert before is not None
    born = round(before.inserted_at.timestamp() * 1000)
    await arq_redis.rpush(
        engine.keys.errors("discarded"),
        f'{{"n":3,"at":5,"et":{born},"t":"Fault","m":"broken","tb":"","w":"host"}}',
    )

    await inspector.retry_job("discarded")

    job = await inspector.job("discarded")
    assert job is not None
    assert (job.attempt, job.max_attempts) == (3, 20)
    assert [error.message for error in job.errors] == ["broken"]
    assert (await memory_of(arq_redis, "discarded")).granted == 4


async def test_retry_at_the_last_attempt_grants_one(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that used up all of its attempts gets one more each time, and runs it."""
    attempts: list[int] = []

    async def toy(ctx: dict[str, Any]) -> None:
        attempts.append(ctx["job_try"])
        raise Fault("broken")

    inspector = Inspector(arq_redis)
    await enqueue(arq_redis, "a", max_attempts=20, first_try=20)
    await make_worker([func(toy, name="toy", max_tries=20)]).async_run()

    for most in (21, 22):
        assert await inspector.retry_job("a") is True
        job = await inspector.job("a")
        assert job is not None
        assert (job.attempt, job.max_attempts) == (most - 1, most)
        await make_worker([func(toy, name="toy", max_tries=20)]).async_run()
    assert attempts == [20, 21, 22]
    job = await inspector.job("a")
    assert job is not None
    assert (job.state, job.attempt) == (JobState.DISCARDED, 22)


async def test_retried_task_keeps_its_errors(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A task that was given up and is retried by hand has its old error beside the new one."""

    async def toy(ctx: dict[str, Any]) -> None:
        raise Fault(f"broken {ctx['job_try']}")

    functions = [task(name="toy", max_attempts=1)(toy)]
    inspector = Inspector(arq_redis)
    await enqueue(arq_redis, "a")
    await make_worker(functions).async_run()
    assert await inspector.retry_job("a") is True
    waiting = await inspector.job("a")
    await make_worker(functions).async_run()

    job = await inspector.job("a")
    assert waiting is not None
    assert job is not None
    assert [error.message for error in waiting.errors] == ["broken 1"]
    assert [(error.attempt, error.message) for error in job.errors] == [(1, "broken 1"), (2, "broken 2")]
    assert (job.state, job.attempt) == (JobState.DISCARDED, 2)
    engine = RedisEngine(arq_redis, "arq:queue")
    assert await arq_redis.pttl(engine.keys.errors("a")) > 0, "kept as long as its end"


async def test_retry_of_an_expired_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that came too late and is retried runs: its time limit was for the first time."""
    inspector = Inspector(arq_redis)
    ran: list[int] = []

    async def toy(ctx: dict[str, Any], n: int) -> None:
        ran.append(n)

    await enqueue(arq_redis, "a", 5, expires=0.001)
    await asyncio.sleep(0.01)
    await make_worker([func(toy, name="toy")]).async_run()
    assert (await states_of(inspector), ran) == ({"a": "discarded"}, [])

    assert await inspector.retry_job("a") is True
    await make_worker([func(toy, name="toy")]).async_run()

    assert (await states_of(inspector), ran) == ({"a": "completed"}, [5])


async def test_retried_job_is_awaited_anew(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who awaits a job that is retried hears of its new end."""
    results = iter([1, 2])

    async def toy(ctx: dict[str, Any]) -> int:
        return next(results)

    await enqueue(arq_redis, "a")
    await make_worker([func(toy, name="toy")]).async_run()
    job = Job[int]("a", arq_redis)
    assert await job.result() == 1

    await Inspector(arq_redis).retry_job("a")
    waiting = asyncio.create_task(job.result(10))
    await make_worker([func(toy, name="toy")]).async_run()

    assert await waiting == 2


async def test_retry_of_a_job_that_changes_meanwhile(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that fails once more between the look at it and the move is read again; no attempt is lost."""
    engine = await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)
    revive, seen = inspector._engine(None).revive_many, []

    async def tried_first(revivals: list[Any]) -> Any:
        if not seen:
            seen.append(revivals)
            await arq_redis.hset(engine.keys.tries, "retryable", AWAITS_A_TRY.replace("1:", "2:", 1))
        return await revive(revivals)

    monkeypatch.setattr(inspector._engine(None), "revive_many", tried_first)

    assert await inspector.retry_job("retryable") is True

    assert (await memory_of(arq_redis, "retryable")).tries == 2


async def test_retry_wakes_a_worker(
    arq_redis: ArqRedis, make_worker: Callable[..., Worker], eventually: Any
) -> None:
    """An idle worker starts a job that is retried at once."""
    runs: asyncio.Queue[int] = asyncio.Queue()

    async def toy(ctx: dict[str, Any]) -> None:
        runs.put_nowait(ctx["job_try"])

    await enqueue(arq_redis, "a")
    async with at_work(make_worker([func(toy, name="toy")])):
        first = await asyncio.wait_for(runs.get(), 5)
        await eventually(lambda: Inspector(arq_redis).retry_job("a"))
        second = await asyncio.wait_for(runs.get(), 4)

    assert (first, second) == (1, 2)


# -- delete


@pytest.mark.parametrize("state", sorted(STATES - {"executing"}))
async def test_delete_a_job(arq_redis: ArqRedis, state: str) -> None:
    """A job that nobody runs is deleted, and its id is free again."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    assert await inspector.delete_job(state) is True

    assert (await states_of(inspector)).keys() == STATES - {state}
    again: Any = await arq_redis.options(job_id=state).enqueue("toy")
    assert not again.conflict


async def test_delete_jobs_spares_what_runs(arq_redis: ArqRedis) -> None:
    """Of an available, a scheduled and a running job two are deleted, and the running one stays."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    assert await inspector.delete_jobs(ids=["available", "scheduled", "executing"]) == 2
    assert await inspector.delete_job("executing") is False
    assert await inspector.delete_jobs(state="all") == 5

    assert await states_of(inspector) == {"executing": "executing"}


async def test_delete_jobs_checks_the_state_once_more(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was retried between the look at it and the move is not deleted for the end it had."""
    engine = await enqueue_everywhere(arq_redis)
    inspector, other = Inspector(arq_redis), Inspector(arq_redis)
    drop = inspector._engine(None).drop_many

    async def retried_first(job_ids: list[str], states: str) -> Any:
        await other.retry_jobs(state="discarded")
        return await drop(job_ids, states)

    monkeypatch.setattr(inspector._engine(None), "drop_many", retried_first)

    assert await inspector.delete_jobs(state=["discarded", "completed"]) == 1

    assert (await engine.peek("discarded")).home == "ready"


async def test_moves_are_bound_to_their_queue(arq_redis: ArqRedis) -> None:
    """Jobs of another queue stay as they are."""
    await enqueue_everywhere(arq_redis, "other")
    inspector = Inspector(arq_redis)

    assert await inspector.delete_jobs(state="all") == 0
    assert await inspector.cancel_jobs("other", state="available") == 1
    assert await inspector.count_jobs("other", state="cancelled") == 2


@pytest.mark.parametrize("fate", ["completed", "discarded"])
async def test_one_retry_runs_a_job_once(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    """A job that somebody else retried, and that has run since, is not run once more, however that ended."""
    runs: list[int] = []

    async def toy(ctx: dict[str, Any]) -> None:
        runs.append(ctx["job_try"])
        if len(runs) == 1 or fate == "discarded":
            raise Fault("broken")

    await enqueue(arq_redis, "a")
    functions = [func(toy, name="toy", max_tries=9)]
    await make_worker(functions).main()
    revive = RedisEngine.revive_many

    async def late(engine: RedisEngine, revivals: Any) -> Any:
        monkeypatch.setattr(RedisEngine, "revive_many", revive)
        assert await Inspector(arq_redis).retry_job("a") is True
        await make_worker(functions).main()
        return await revive(engine, revivals)

    monkeypatch.setattr(RedisEngine, "revive_many", late)

    assert await Inspector(arq_redis).retry_job("a") is False

    await make_worker(functions).main()
    assert runs == [1, 2]


async def test_retry_of_a_job_that_was_only_changed(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that somebody changes while it is to be retried is retried as it is then."""
    await enqueue_everywhere(arq_redis)
    inspector, revive = Inspector(arq_redis), RedisEngine.revive_many

    async def late(engine: RedisEngine, revivals: Any) -> Any:
        monkeypatch.setattr(RedisEngine, "revive_many", revive)
        for revival in revivals:
            await inspector.update_job(revival.job_id, {"tags": ["changed"]})
        return await revive(engine, revivals)

    monkeypatch.setattr(RedisEngine, "revive_many", late)

    assert await inspector.retry_jobs(state=["discarded", "scheduled"]) == 2

    for job_id in ("discarded", "scheduled"):
        job = await inspector.job(job_id)
        assert job is not None
        assert (job.state, job.tags) == (JobState.AVAILABLE, ("changed",))
