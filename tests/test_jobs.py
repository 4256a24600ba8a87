"""The handle on a job: status, info, result, abort, delete."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, datetime
from typing import Any, cast

import fakeredis
import pytest
from worker_toys import Ctx, Gate, at_work, counts, end_of, enqueue, lines, traces

from arqlite import ArqRedis, RedisSettings, Worker, create_pool, func
from arqlite.engine import Beat, Peek, RedisEngine
from arqlite.errors import ResultNotFound, SerializationError
from arqlite.jobs import Job, JobDef, JobStatus
from arqlite.telemetry import JobStopped, attach, detach


async def add(ctx: Ctx, a: int, b: int = 2) -> int:
    return a + b


async def test_status_follows_the_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job is deferred, queued, in progress, complete; unknown ids are not found."""
    gate = Gate()
    later = await enqueue(arq_redis, "gate", _defer_by=60)
    job = await enqueue(arq_redis, "gate")
    assert await later.status() is JobStatus.deferred
    assert await job.status() is JobStatus.queued

    async with at_work(make_worker([func(gate, name="gate")])):
        await gate.started.wait()
        assert await job.status() is JobStatus.in_progress
        gate.open.set()
        await job.result(timeout=5)
        assert await job.status() is JobStatus.complete

    assert await Job("nobody", arq_redis).status() is JobStatus.not_found


async def test_failed_job_is_complete(arq_redis: ArqRedis, make_worker: Any) -> None:
    """arq knows no failed status: a job that failed is complete."""
    job = await enqueue(arq_redis, "add", "not", "a number", "too many")
    await make_worker([add]).async_run()

    assert await job.status() is JobStatus.complete


async def test_info_of_a_waiting_job(arq_redis: ArqRedis) -> None:
    """What was enqueued can be read while the job waits, with the moment it is due."""
    due = datetime(2100, 1, 1, tzinfo=UTC)
    job = await enqueue(arq_redis, "add", 1, b=3, _defer_until=due, _job_id="a")

    info = await job.info()

    assert isinstance(info, JobDef)
    assert (info.function, info.args, info.kwargs) == ("add", (1,), {"b": 3})
    assert (info.job_try, info.score, info.job_id) == (None, int(due.timestamp() * 1000), "a")
    assert await job.result_info() is None
    assert await Job("nobody", arq_redis).info() is None


async def test_info_of_a_running_job_tells_its_try(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A running job's info tells which start it is."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate", _job_try=3)
    async with at_work(make_worker([func(gate, name="gate")])):
        await gate.started.wait()
        info = await job.info()
        gate.open.set()
        await job.result(timeout=5)

    assert info is not None
    assert info.job_try == 3


async def test_result_waits_for_the_end(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A caller waits for the job's end and hears of it at once, not at the next poll; so do all callers."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    async with at_work(make_worker([func(gate, name="gate")])):
        waiting = [asyncio.create_task(job.result(timeout=10, poll_delay=3600)) for _ in range(3)]
        await gate.started.wait()
        gate.open.set()
        assert await asyncio.gather(*waiting) == ["through"] * 3

    assert "wait" not in await traces(arq_redis)


async def test_announcement_may_overtake_a_look() -> None:
    """An end that is announced while a look is under way is seen by a second look at once."""
    announced: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    looks: list[Peek] = [Peek("running", b"", -1, ""), Peek("absent", b"", -1, "")]

    class Engine:
        async def peek(self, job_id: str) -> Peek:
            if not announced.done():
                announced.set_result(b"S")
            return looks.pop(0)

    job: Job = Job("a", object())
    job._engine = cast("RedisEngine", Engine())

    peek = await asyncio.wait_for(job._wait_for_end(announced, 3600), 5)

    assert (peek.home, looks) == ("absent", [])


@pytest.mark.real
async def test_many_results_need_few_connections(real_url: str) -> None:
    """A thousand callers who await results at once share a handful of connections, and all get theirs."""
    pool = await create_pool(RedisSettings.from_dsn(real_url))
    jobs = await pool.enqueue_many([("echo", (n,)) for n in range(1000)])

    async def echo(ctx: Ctx, value: int) -> int:
        return value

    results = asyncio.gather(*[job.result(timeout=20) for job in jobs])
    async with at_work(Worker([func(echo, name="echo")], redis_pool=pool, handle_signals=False)):
        assert await results == list(range(1000))

    clients = await pool.info("clients")
    await pool.aclose(close_connection_pool=True)
    assert clients["connected_clients"] < 12


async def test_result_gives_up_in_time(arq_redis: ArqRedis) -> None:
    """A caller waits no longer than it said, and leaves no trace."""
    job = await enqueue(arq_redis, "add", 1)

    with pytest.raises(TimeoutError):
        await job.result(timeout=0.05)

    assert "wait" not in await traces(arq_redis)


async def test_result_of_an_unknown_job(arq_redis: ArqRedis) -> None:
    """Nobody waits for a job that does not exist."""
    with pytest.raises(ResultNotFound, match="Not waiting for job result because the job is not in queue"):
        await Job("nobody", arq_redis).result()


async def test_result_that_is_not_kept(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who waits for a job whose result is not kept hears that there is none, not silence."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    async with at_work(make_worker([func(gate, name="gate", keep_result=0)])):
        waiting = asyncio.create_task(job.result(timeout=10, poll_delay=3600))
        await gate.started.wait()
        gate.open.set()
        with pytest.raises(ResultNotFound):
            await waiting


async def test_failure_that_a_serializer_made_a_text_of(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Where a serializer turned the exception into text, that text is what is raised, as in arq."""

    def write(envelope: dict[str, Any]) -> bytes:
        return json.dumps(envelope, default=str).encode()

    async def fail(ctx: Ctx) -> None:
        raise ValueError("broken")

    job = await enqueue(arq_redis, "fail")
    await make_worker(
        [func(fail, name="fail")], job_serializer=write, job_deserializer=json.loads
    ).async_run()

    with pytest.raises(SerializationError, match=r"^broken$"):
        await job.result()


async def test_misspelt_delay_is_deprecated(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`pole_delay` still works and warns, as in arq."""
    job = await enqueue(arq_redis, "add", 1)
    await make_worker([add]).run_check()

    with pytest.warns(DeprecationWarning, match="pole_delay"):
        assert await job.result(pole_delay=0.1) == 3


async def test_result_times_and_place(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A result tells when, where and how often its job ran."""
    job = await enqueue(arq_redis, "add", 1, _queue_name="q")
    await make_worker([add], queue_name="q").run_check()

    result = await end_of(job)

    assert result.enqueue_time <= result.start_time <= result.finish_time
    assert (result.success, result.result, result.queue_name, result.job_try) == (True, 3, "q", 1)
    assert result.job_id == job.job_id


async def test_any_client_will_do(make_worker: Any, arq_redis: ArqRedis) -> None:
    """A plain redis-py client can look at a job, wait for it and abort it."""
    server = fakeredis.FakeServer()
    pool = ArqRedis(fakeredis.FakeAsyncRedis(server=server).connection_pool)
    plain = fakeredis.FakeAsyncRedis(server=server)
    job = await enqueue(pool, "add", 1)
    waiting = asyncio.create_task(Job(job.job_id, plain).result(timeout=5, poll_delay=0.01))
    await make_worker([add], redis_pool=pool).run_check()

    assert await waiting == 3
    assert not await Job("nobody", plain).abort()
    await plain.aclose()


# -- abort


@pytest.mark.parametrize("options", [{}, {"_defer_by": 60}])
async def test_abort_of_a_waiting_job(arq_redis: ArqRedis, make_worker: Any, options: dict[str, Any]) -> None:
    """A job that waits is taken out at once, without any worker; it never runs."""
    job = await enqueue(arq_redis, "add", 1, **options)

    assert await job.abort(timeout=1)

    result = await end_of(job)
    assert (result.success, result.function, result.args) == (False, "add", (1,))
    with pytest.raises(asyncio.CancelledError):
        await job.result()
    worker = make_worker([add])
    await worker.async_run()
    assert counts(worker) == (0, 0, 0)


async def test_abort_of_a_running_job(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A running job is cancelled at once, counts as failed and is not retried."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    job = await enqueue(arq_redis, "gate", _job_id="g")
    worker = make_worker([func(gate, name="gate")], allow_abort_jobs=True, max_jobs=1)
    async with at_work(worker):
        await gate.started.wait()

        assert await job.abort(timeout=5, poll_delay=3600)

    assert (gate.ended, counts(worker)) == (["cancelled"], (0, 1, 0))
    assert isinstance((await end_of(job)).result, asyncio.CancelledError)
    assert any(line.endswith("⊘ g:gate aborted") for line in lines(caplog))


async def test_abort_without_a_result_kept(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The caller hears that the job was cancelled though nothing is kept of it (arq says no)."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    async with at_work(make_worker([func(gate, name="gate", keep_result=0)], allow_abort_jobs=True)):
        await gate.started.wait()

        assert await job.abort(timeout=5, poll_delay=3600)

    assert await traces(arq_redis) - {"wake"} == set()


async def test_abort_means_no_later_job_of_the_id(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is enqueued anew after its abort runs, though beats tell of that abort."""
    beat, beats = RedisEngine.beat, list[float]()

    def counted(engine: RedisEngine, *args: Any) -> Beat:
        beats.append(time.monotonic())
        return beat(engine, *args)

    monkeypatch.setattr(RedisEngine, "beat", counted)
    gate = Gate()
    job = await enqueue(arq_redis, "gate", _job_id="g")
    worker = make_worker([func(gate, name="gate", keep_result=0)], allow_abort_jobs=True, lease=0.9)
    async with at_work(worker):
        await gate.started.wait()
        gate.started.clear()
        assert await job.abort(timeout=5, poll_delay=3600)
        await enqueue(arq_redis, "gate", _job_id="g")
        await gate.started.wait()
        started_at = time.monotonic()

        await eventually(lambda: sum(at > started_at for at in beats) > 2)
        gate.open.set()

    assert gate.ended == ["cancelled", "returned"]


async def test_abort_that_may_mean_an_earlier_job_waits_for_the_next_beat(
    arq_redis: ArqRedis, make_worker: Any
) -> None:
    """A beat that was sent before a job was claimed cancels it not; one that was sent later does."""
    gate = Gate()
    await enqueue(arq_redis, "gate", _job_id="g")
    worker = make_worker([func(gate, name="gate")], allow_abort_jobs=True)
    async with at_work(worker):
        await gate.started.wait()
        crew = worker._crew
        run, heard = crew.producer.owned["g"], Beat(True, -1, frozenset({"g"}))

        crew._messages.heard(crew.producer.session, heard, run.claimed_at - 1)
        reason_of_old = run.cancel_reason
        crew._messages.heard(crew.producer.session, heard, run.claimed_at + 1)

    assert (reason_of_old, run.cancel_reason) == (None, "abort")


async def test_abort_of_an_ended_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that ended cannot be aborted, and keeps its result."""
    job = await enqueue(arq_redis, "add", 1)
    await make_worker([add]).run_check()

    assert not await job.abort(timeout=1)
    assert await job.result() == 3


async def test_abort_of_an_unknown_job_leaves_no_trace(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Aborting an unknown id does nothing to a later job of that id (in arq it dies)."""
    assert not await Job("a", arq_redis).abort(timeout=1)
    assert await traces(arq_redis) == set()

    job = await enqueue(arq_redis, "add", 1, _job_id="a")
    assert await make_worker([add], allow_abort_jobs=True).run_check() == 1
    assert await job.result() == 3


async def test_abort_that_is_not_allowed(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker without `allow_abort_jobs` lets the job run; the caller waits, in vain, as long as it said."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    async with at_work(make_worker([func(gate, name="gate")])):
        await gate.started.wait()
        with pytest.raises(TimeoutError):
            await job.abort(timeout=0.1)
        gate.open.set()
        assert await job.result(timeout=5) == "through"

    assert any("is not aborted: this worker has allow_abort_jobs=False" in line for line in lines(caplog))


async def test_job_may_refuse_its_cancellation(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that catches its cancellation and returns has succeeded; the abort says no."""
    started = asyncio.Event()

    async def stubborn(ctx: Ctx) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "not me"
        return "never"

    job = await enqueue(arq_redis, "stubborn")
    async with at_work(make_worker([func(stubborn, name="stubborn")], allow_abort_jobs=True)):
        await started.wait()
        assert not await job.abort(timeout=5)

    assert await job.result() == "not me"


async def test_abort_is_told(arq_redis: ArqRedis) -> None:
    """The abort of a waiting job is an event where it was asked for."""
    events: list[JobStopped] = []
    attach("test", [JobStopped], events.append)
    try:
        job = await enqueue(arq_redis, "add", 1)
        await job.abort(timeout=1)
    finally:
        detach("test")

    [event] = events
    assert (event.job_id, event.state) == (job.job_id, "cancelled")
    assert isinstance(event.error, asyncio.CancelledError)


async def test_delete(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A finished job can be forgotten, so that its id is free; one that has not ended cannot."""
    job = await enqueue(arq_redis, "add", 1, _job_id="a")
    assert not await job.delete()
    await make_worker([add]).run_check()

    assert await job.delete()

    assert not await job.delete()
    assert await job.status() is JobStatus.not_found


def test_repr(arq_redis: ArqRedis) -> None:
    """A job shows itself as in arq."""
    assert repr(Job("a", arq_redis)) == "<arq job a>"
