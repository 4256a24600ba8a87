"""What the tests of workers share: jobs that wait for a sign, and a worker at work for a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from signal import Signals
from typing import Any

import pytest

from arqlite import ArqRedis, Worker
from arqlite.engine import RedisEngine
from arqlite.jobs import Job, JobResult

Ctx = dict[Any, Any]


class Gate:
    """A job that tells when it has started and waits for a sign to end; notes what happens to it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.open = asyncio.Event()
        self.calls: list[Ctx] = []
        self.ended: list[str] = []

    async def __call__(self, ctx: Ctx, *args: Any) -> str:
        self.calls.append(ctx)
        self.started.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("returned")
        return "through"


@contextlib.asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    """Let a worker run beside the test; it is shut down at the end of the block."""
    worker.burst = False
    task = asyncio.create_task(worker.async_run())
    while worker._crew is None and not task.done():  # noqa: ASYNC110 (a worker has no event for it)
        await asyncio.sleep(0.001)
    try:
        yield task
    finally:
        if not task.done():
            worker.handle_sig(Signals.SIGTERM)
        await asyncio.wait_for(task, 15)


def lines(caplog: pytest.LogCaptureFixture, logger: str = "arqlite.worker") -> list[str]:
    """Read the log lines so far."""
    return [record.getMessage() for record in caplog.records if record.name == logger]


def counts(worker: Worker) -> tuple[int, int, int]:
    return worker.jobs_complete, worker.jobs_failed, worker.jobs_retried


async def traces(pool: ArqRedis, queue: str = "arq:queue") -> set[str]:
    """Name the keys that are left of a queue, without the base that all share."""
    base = RedisEngine(pool, queue).keys.base
    keys: list[Any] = await pool.keys("*")
    return {key.decode().removeprefix(base) for key in keys}


async def enqueue(pool: ArqRedis, function: str, *args: Any, **options: Any) -> Job:
    """Enqueue a job whose id is new."""
    job = await pool.enqueue_job(function, *args, **options)
    assert job is not None
    return job


async def end_of(job: Job) -> JobResult:
    """Read how a job ended."""
    result = await job.result_info()
    assert result is not None
    return result
