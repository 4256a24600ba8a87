"""What becomes of running jobs when a worker is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from signal import Signals
from typing import Any

import pytest
from arq import ArqRedis, Worker, func
from arq.jobs import JobStatus
from arq_toys import Ctx, Gate, at_work, close, counts, end_of, enqueue, lines, until


@contextlib.asynccontextmanager
async def in_the_middle(worker: Worker, gate: Gate) -> AsyncIterator[None]:
    """Let a worker run until its job has begun; the block tells it to end."""
    worker.burst = False
    task = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(gate.started.wait(), 5)
    yield
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    await until(lambda: all(job.done() for job in worker.tasks.values()))
    await close(worker)


async def test_running_job_goes_back(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A signal cancels what runs; it is queued again, and the next worker runs it."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    job = await enqueue(arq_redis, "gate", _job_id="id")
    function = func(gate.enter, name="gate")
    worker = make_worker(function)

    async with in_the_middle(worker, gate):
        worker.handle_sig(Signals.SIGTERM)

    assert gate.cancelled == 1
    assert counts(worker) == (0, 0, 1)
    assert await job.status() == JobStatus.queued
    said = lines(caplog)
    first = "shutdown on SIGTERM ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 ongoing to cancel"
    assert said.index(first) < said.index("T ↻ id:gate cancelled, will be run again")

    gate.open.set()
    assert await make_worker(function).run_check() == 1
    assert await job.result() == "through"
    assert len(gate.calls) == 2


async def test_job_that_must_not_be_repeated(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With `retry_jobs=False` a job that is cancelled has failed."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker(func(gate.enter, name="gate"), retry_jobs=False)

    async with in_the_middle(worker, gate):
        worker.handle_sig(Signals.SIGINT)

    assert counts(worker) == (0, 1, 0)
    assert isinstance((await end_of(job)).result, asyncio.CancelledError)


async def test_running_job_may_be_given_time(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With `job_completion_wait` what runs may end, and nothing new is begun."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker(func(gate.enter, name="gate"), job_completion_wait=5)

    async with in_the_middle(worker, gate):
        worker.handle_sig_wait_for_completion(Signals.SIGTERM)
        later = await enqueue(arq_redis, "gate")
        await asyncio.sleep(0.1)
        gate.open.set()

    assert counts(worker) == (1, 0, 0)
    assert await job.result() == "through"
    assert await later.status() == JobStatus.queued
    said = lines(caplog)
    assert "shutdown on SIGTERM ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 to be completed" in said
    assert (
        "shutdown on SIGTERM, wait complete ◆ 1 jobs complete ◆ 0 failed ◆ 0 retries ◆ 0 ongoing to cancel"
        in said
    )


async def test_time_has_an_end(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What has not ended by then is cancelled and goes back."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker(func(gate.enter, name="gate"), job_completion_wait=0.1)

    async with in_the_middle(worker, gate):
        worker.handle_sig_wait_for_completion(Signals.SIGTERM)

    assert (gate.cancelled, counts(worker)) == (1, (0, 0, 1))
    assert await job.status() == JobStatus.queued
    assert (
        "shutdown on SIGTERM, wait complete ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 ongoing to cancel"
        in lines(caplog)
    )


async def test_on_stop(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`on_stop` is told the signal."""
    heard: list[Signals] = []
    gate = Gate()
    await enqueue(arq_redis, "gate")
    worker = make_worker(func(gate.enter, name="gate"))
    worker.on_stop = heard.append

    async with in_the_middle(worker, gate):
        worker.handle_sig(Signals.SIGINT)

    assert heard[0] is Signals.SIGINT


async def test_close_cancels_what_runs(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """`close` of a worker that handles no signals is a signal of its own."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    job = await enqueue(arq_redis, "gate")

    async with at_work(make_worker(func(gate.enter, name="gate"))) as worker:
        await gate.started.wait()

    assert gate.cancelled == 1
    assert worker.jobs_retried == 1
    assert await job.status() == JobStatus.queued
    assert "shutdown on SIGUSR1 ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 ongoing to cancel" in lines(
        caplog
    )


async def test_close_tells_what_was_done(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is one, too, when nothing runs any more."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    gate.open.set()
    await enqueue(arq_redis, "gate")
    worker = make_worker(func(gate.enter, name="gate"))
    await worker.run_check()

    await worker.close()

    told = "shutdown on SIGUSR1 ◆ 1 jobs complete ◆ 0 failed ◆ 0 retries ◆ "
    assert [line for line in lines(caplog) if line.startswith(told)]


async def test_shutdown_hook_comes_after_the_jobs(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`on_shutdown` is called when the jobs have ended."""
    seen: list[str] = []
    started = asyncio.Event()

    async def work(ctx: Ctx) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("job over")

    async def stop(ctx: Ctx) -> None:
        seen.append("shut down")

    await enqueue(arq_redis, "work")
    async with at_work(make_worker(func(work, name="work"), on_shutdown=stop)):
        await started.wait()

    assert seen == ["job over", "shut down"]


async def test_waiting_worker_ends(make_worker: Any) -> None:
    """A worker that waits for jobs ends at once."""

    async def never(ctx: Ctx) -> None: ...

    worker = make_worker(func(never, name="never"), burst=False)
    task = asyncio.create_task(worker.async_run())
    await until(lambda: "redis" in worker.ctx)
    worker.handle_sig(Signals.SIGTERM)

    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert task.done()
