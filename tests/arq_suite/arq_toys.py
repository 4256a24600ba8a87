"""Jobs that the suite runs, and ways to watch them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from arq import ArqRedis, Retry, Worker
from arq.jobs import Job, JobResult
from arq.worker import logger

Ctx = dict[Any, Any]


async def add(ctx: Ctx, a: Any = 0, b: Any = 0) -> Any:
    return a + b


async def boom(ctx: Ctx, text: str = "boom") -> None:
    raise ValueError(text)


async def echo(ctx: Ctx, *args: Any, **kwargs: Any) -> Any:
    return [list(args), kwargs]


async def nothing(ctx: Ctx) -> None: ...


async def again(ctx: Ctx, times: int, defer: float | None = None) -> Any:
    """Ask for another run so many times; returns the number of the last."""
    if ctx["job_try"] <= times:
        raise Retry(defer)
    return ctx["job_try"]


async def forever(ctx: Ctx) -> None:
    await asyncio.Event().wait()


class Gate:
    """A job that tells when it has started and waits for a sign to end."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.open = asyncio.Event()
        self.calls: list[Ctx] = []
        self.cancelled = 0

    async def enter(self, ctx: Ctx) -> str:
        self.calls.append(ctx)
        self.started.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "through"


class Diary:
    """A job that writes down the contexts it was called with."""

    def __init__(self) -> None:
        self.pages: list[Ctx] = []
        self.args: list[Any] = []

    async def write(self, ctx: Ctx, *args: Any) -> int:
        self.pages.append(ctx)
        self.args.append(args[0] if args else None)
        return len(self.pages)


async def until(condition: Callable[[], Any], within: float = 5.0) -> Any:
    """Wait until something holds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"still not so after {within} s: {condition}"
        await asyncio.sleep(0.005)


async def close(worker: Worker) -> None:
    """Close a worker; in arq a job that is just about to end throws its cancellation at who closes."""
    try:
        await worker.close()
    except asyncio.CancelledError:
        await until(lambda: all(task.done() for task in worker.tasks.values()))
        worker.tasks.clear()
        await worker.close()


@contextlib.asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[Worker]:
    """Let a worker that handles no signals run beside the test; it is closed at the end of the block."""
    worker.burst = False
    task = asyncio.create_task(worker.async_run())
    await until(lambda: "redis" in worker.ctx or task.done())
    try:
        yield worker
    finally:
        await close(worker)
        await asyncio.gather(task, return_exceptions=True)


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


def counts(worker: Worker) -> tuple[int, int, int]:
    return worker.jobs_complete, worker.jobs_failed, worker.jobs_retried


def lines(caplog: pytest.LogCaptureFixture, name: str = logger.name) -> list[str]:
    """Read the log lines so far, with all times as T."""
    said = (record.getMessage() for record in caplog.records if record.name == name)
    return [re.sub(r"^ *\d+\.\d\ds ", "T ", line) for line in said]
