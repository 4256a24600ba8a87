"""Ending a worker: what runs is given time, then given back; nothing is lost and nobody hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from signal import Signals
from typing import Any

import pytest
from worker_toys import Ctx, Gate, at_work, counts, end_of, enqueue, lines, traces

from arqlite import ArqRedis, Worker, func
from arqlite.jobs import JobStatus
from arqlite.service import Service
from arqlite.worker import leave_stubborn_jobs


async def ok(ctx: Ctx) -> None: ...


async def test_running_job_goes_back(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A shutdown cancels what runs; the job loses no try and runs again elsewhere."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    job = await enqueue(arq_redis, "gate", _job_id="g")
    first = make_worker([func(gate, name="gate", max_tries=1)])
    async with at_work(first) as task:
        await gate.started.wait()
        first.handle_sig(Signals.SIGINT)
        await asyncio.wait_for(asyncio.shield(task), 5)

    assert gate.ended == ["cancelled"]
    assert counts(first) == (0, 0, 1)
    assert await job.status() is JobStatus.queued
    said = lines(caplog)
    assert "shutdown on SIGINT ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 ongoing to cancel" in said
    assert any(line.endswith("↻ g:gate cancelled, will be run again") for line in said)

    gate.open.set()
    assert await make_worker([func(gate, name="gate", max_tries=1)]).run_check() == 1
    assert [ctx["job_try"] for ctx in gate.calls] == [1, 1]


async def test_three_shutdowns_cost_no_try(arq_redis: ArqRedis, make_worker: Any) -> None:
    """However often a deploy interrupts a job, it still has all its tries (arq gives up after the second)."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    for _ in range(3):
        worker = make_worker([func(gate, name="gate")], max_tries=2)
        async with at_work(worker):
            await gate.started.wait()
        gate.started.clear()

    gate.open.set()
    assert await make_worker([func(gate, name="gate")], max_tries=2).run_check() == 1
    assert await job.result() == "through"


async def test_shutdown_without_retries_fails_the_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With `retry_jobs=False` an interrupted job has failed, as in arq."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], retry_jobs=False)
    async with at_work(worker):
        await gate.started.wait()

    assert counts(worker) == (0, 1, 0)
    assert isinstance((await end_of(job)).result, asyncio.CancelledError)


async def test_running_job_may_be_given_time(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """With `job_completion_wait` a running job may end; nothing new is started meanwhile."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate"), ok], job_completion_wait=10)
    async with at_work(worker):
        await gate.started.wait()
        worker.handle_sig_wait_for_completion(Signals.SIGTERM)
        await eventually(lambda: any("to be completed" in line for line in lines(caplog)))
        later = await enqueue(arq_redis, "ok")
        gate.open.set()

    assert await job.result() == "through"
    assert counts(worker) == (1, 0, 0)
    assert await later.status() is JobStatus.queued
    said = [line for line in lines(caplog) if line.startswith("shutdown")]
    assert said == [
        "shutdown on SIGTERM ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 to be completed",
        "shutdown on SIGTERM, wait complete ◆ 1 jobs complete ◆ 0 failed ◆ 0 retries ◆ 0 ongoing to cancel",
    ]


async def test_wait_has_an_end(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that is not done within `job_completion_wait` is given back."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], job_completion_wait=0.05)
    async with at_work(worker):
        await gate.started.wait()

    assert gate.ended == ["cancelled"]
    assert await job.status() is JobStatus.queued


async def test_second_signal_does_not_wait(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who signals twice is in a hurry: running jobs are given back at once."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], job_completion_wait=3600)
    async with at_work(worker) as task:
        await gate.started.wait()
        worker.handle_sig(Signals.SIGINT)
        worker.handle_sig(Signals.SIGINT)
        await asyncio.wait_for(asyncio.shield(task), 5)

    assert gate.ended == ["cancelled"]
    assert await job.status() is JobStatus.queued


async def test_on_stop_is_told_the_signal(make_worker: Any) -> None:
    """`on_stop` is called once, with the signal."""
    told: list[Signals] = []
    worker = make_worker([ok])
    worker.on_stop = told.append
    async with at_work(worker):
        worker.handle_sig(Signals.SIGINT)
        worker.handle_sig(Signals.SIGTERM)

    assert told == [Signals.SIGINT]


async def test_close_shuts_a_running_worker_down(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """`close` cancels what runs, in arq's words, and calls `on_shutdown` once."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    closed: list[Ctx] = []

    async def on_shutdown(ctx: Ctx) -> None:
        closed.append(ctx)

    await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], on_shutdown=on_shutdown)
    async with at_work(worker):
        await gate.started.wait()
        await asyncio.wait_for(worker.close(), 5)

    await worker.close()
    assert closed == [worker.ctx]
    assert gate.ended == ["cancelled"]
    assert any(line.startswith("shutdown on SIGUSR1 ◆") for line in lines(caplog))


async def test_close_gives_running_jobs_their_time(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`close` waits for running jobs as long as `job_completion_wait` says."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], job_completion_wait=10)
    async with at_work(worker):
        await gate.started.wait()
        closing = asyncio.create_task(worker.close())
        gate.open.set()
        await asyncio.wait_for(closing, 5)

    assert gate.ended == ["returned"]
    assert await job.result() == "through"


async def test_cancelled_main_gives_its_jobs_back(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Cancelling `main` is a shutdown, too: jobs go back, and the cancellation leaves."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    task = asyncio.create_task(make_worker([func(gate, name="gate")]).main())
    await gate.started.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert gate.ended == ["cancelled"]
    assert await job.status() is JobStatus.queued


async def test_leaving_worker_leaves_no_session(arq_redis: ArqRedis, make_worker: Any) -> None:
    """After a clean end no lease, no health record and no thread is left."""
    await enqueue(arq_redis, "ok")

    await make_worker([ok], keep_result=0).run_check()

    assert await traces(arq_redis) - {"wake"} == set()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("arqlite")] == []


class Diary(Service):
    """A service that notes its start and its stop, and may fail at either."""

    def __init__(self, notes: list[str], fails: str = "") -> None:
        super().__init__()
        self.notes = notes
        self.fails = fails

    async def start(self) -> None:
        self.notes.append("start")
        if self.fails == "start":
            raise ValueError("no start")

    async def stop(self) -> None:
        self.notes.append("stop")
        if self.fails == "stop":
            raise ValueError("no stop")


async def test_services_of_the_user(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A user's services are started before the first job and stopped after the last."""
    notes: list[str] = []

    async def note(ctx: Ctx) -> None:
        notes.append("job")

    await enqueue(arq_redis, "note")
    await make_worker([func(note, name="note")], services=[Diary(notes)]).run_check()

    assert notes == ["start", "job", "stop"]


@pytest.mark.parametrize("fails", ["start", "stop"])
async def test_service_that_fails_leaves_nothing_behind(
    arq_redis: ArqRedis, make_worker: Any, fails: str
) -> None:
    """A service that fails to start ends the worker, one that fails to stop does not; both leave no lease."""
    notes: list[str] = []
    worker = make_worker([ok], services=[Diary(notes, fails), Diary(notes)])

    if fails == "start":
        with pytest.raises(ValueError, match="no start"):
            await asyncio.wait_for(worker.main(), 10)
    else:
        await asyncio.wait_for(worker.main(), 10)
        assert notes.count("stop") == 2

    assert not await arq_redis.exists("aq:{arq:queue}:live")
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("arqlite")] == []


async def _deadline(pool: ArqRedis, worker: Worker) -> float:
    assert worker._crew is not None
    return await pool.zscore(worker._crew.engine.keys.live, worker._crew.producer.session or "") or 0.0


class Stubborn(Gate):
    """A job that ends when it is told to, and not when it is cancelled."""

    async def __call__(self, ctx: Ctx, *args: Any) -> str:
        self.started.set()
        while not self.open.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.open.wait()
        return "in the end"


async def test_stubborn_job_keeps_its_lease_until_it_ends(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """What ignores its cancellation runs nowhere else meanwhile; when it has ended, the worker leaves."""
    monkeypatch.setattr("arqlite.crew._CANCEL_PATIENCE_S", 0.05)
    job, gate = await enqueue(arq_redis, "stubborn"), Stubborn()
    worker = make_worker([func(gate, name="stubborn")], lease=1)
    async with at_work(worker):
        await gate.started.wait()
    last = await _deadline(arq_redis, worker)

    await worker.close()

    async def is_renewed() -> bool:
        return await _deadline(arq_redis, worker) > last

    async def is_gone() -> bool:
        return await _deadline(arq_redis, worker) == 0.0

    assert worker.has_stubborn_jobs
    await eventually(is_renewed)
    gate.open.set()
    await eventually(is_gone)
    # Its last deed is to close the pool, and with it any connection that is just being made.
    await asyncio.wait_for(worker._crew._vigil, 10)
    assert (await end_of(job)).result == "in the end"
    assert "arqlite:heartbeat" not in {thread.name for thread in threading.enumerate()}


async def test_loop_that_ends_waits_with_the_lease_for_stubborn_jobs(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """Whoever cancels all tasks of a loop, as `asyncio.run` does, does not end the lease of what runs on."""
    monkeypatch.setattr("arqlite.crew._CANCEL_PATIENCE_S", 0.05)
    job, gate = await enqueue(arq_redis, "stubborn"), Stubborn()
    worker = make_worker([func(gate, name="stubborn")], lease=1)
    async with at_work(worker):
        await gate.started.wait()

    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    last = await _deadline(arq_redis, worker)

    async def is_renewed() -> bool:
        return await _deadline(arq_redis, worker) > last

    await eventually(is_renewed)
    gate.open.set()
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 10)
    assert (await end_of(job)).result == "in the end"


async def test_nothing_slow_comes_between_a_bequest_and_the_end(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """Ends are delivered and logs closed before any job is bequeathed; one silent Redis holds nobody up."""
    monkeypatch.setattr("arqlite.crew._CANCEL_PATIENCE_S", 0.05)
    gates, workers, events = [Stubborn(), Stubborn()], [], []
    for number, gate in enumerate(gates):
        await enqueue(arq_redis, "stubborn", _queue_name=f"q{number}")
        workers.append(make_worker([func(gate, name="stubborn")], queue_name=f"q{number}", lease=60))
        async with at_work(workers[-1]):
            await gate.started.wait()
    crews = [worker._crew for worker in workers]
    silent = asyncio.Event()

    async def flush(patience_s: float) -> None:
        await asyncio.sleep(0)
        events.append("flushed")

    async def never(session: str, soon_ms: int) -> bool:
        return await silent.wait()

    def gone(code: int) -> None:
        events.append(f"exit {code}")

    for crew in crews:
        monkeypatch.setattr(crew.producer, "flush", flush)
    monkeypatch.setattr(crews[0].engine, "bequeath", never)
    monkeypatch.setattr("arqlite.worker.logging.shutdown", lambda: events.append("logged"))
    monkeypatch.setattr("arqlite.worker.os._exit", gone)
    monkeypatch.setattr("arqlite.worker._BEQUEST_PATIENCE_S", 0.1)
    before = await _deadline(arq_redis, workers[1])

    await asyncio.wait_for(leave_stubborn_jobs(workers), 10)

    assert events == ["flushed", "flushed", "logged", "exit 1"]
    assert 0 < await _deadline(arq_redis, workers[1]) < before
    for gate, crew in zip(gates, crews, strict=True):
        gate.open.set()
        await crew.producer.drained()
        await crew._end()


async def test_job_that_ends_after_all_ends_the_worker_in_order(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stubborn job that ended while `on_shutdown` ran leaves nothing behind: its end is delivered."""
    monkeypatch.setattr("arqlite.crew._CANCEL_PATIENCE_S", 0.05)
    job, gate = await enqueue(arq_redis, "stubborn"), Stubborn()

    async def end_it(ctx: Ctx) -> None:
        gate.open.set()
        await worker._crew.producer.drained()

    worker = make_worker([func(gate, name="stubborn")], on_shutdown=end_it)
    async with at_work(worker):
        await gate.started.wait()
    await worker.close()

    await asyncio.wait_for(leave_stubborn_jobs([worker]), 10)

    assert (await end_of(job)).result == "in the end"
    assert await _deadline(arq_redis, worker) == 0.0
