"""Jobs claimed ahead: never behind a long job while another worker is free, and never lost with an abort."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arqlite import ArqRedis, Job, JobStatus, func
from arqlite.runtime import producer as producer_module

started: list[str] = []


async def noop(ctx: dict[str, Any]) -> None:
    started.append("noop")


class Gate:
    """A job that goes on when the gate is opened."""

    def __init__(self) -> None:
        self.__qualname__ = "gate"
        self.open = asyncio.Event()
        self.inside = 0

    async def __call__(self, ctx: dict[str, Any]) -> None:
        self.inside += 1
        await self.open.wait()


async def test_jobs_claimed_ahead_go_to_a_free_worker(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """After short jobs a worker claims ahead; long ones that then wait for its slots are given to others."""
    gate = Gate()
    workers = [
        make_worker([noop, func(gate, name="gate")], burst=False, max_jobs=4, allow_abort_jobs=True)
        for _ in range(2)
    ]
    first = asyncio.create_task(workers[0].async_run())
    await eventually(lambda: workers[0]._crew is not None)
    for job in await arq_redis.enqueue_many([("noop",)] * 20):
        await job.result(timeout=5)
    second = asyncio.create_task(workers[1].async_run())

    await arq_redis.enqueue_many([("gate",)] * 8)

    await eventually(lambda: gate.inside == 8)
    gate.open.set()
    for worker, task in zip(workers, (first, second), strict=True):
        await worker.close()
        await task


@pytest.mark.parametrize("lost", ["aborted", "lease", "reply"])
async def test_burst_counts_no_job_that_left_the_buffer_unstarted(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """What was claimed ahead and is aborted or lost was not started: as many others may start."""
    monkeypatch.setattr(producer_module, "_STALLED_AFTER_S", 3600)
    gate = Gate()
    worker = make_worker([noop, func(gate, name="gate")], max_jobs=1, max_burst_jobs=5)
    await arq_redis.enqueue_many([("noop",)] * 3 + [("gate",)] * 4)
    task = asyncio.create_task(worker.async_run())
    await eventually(lambda: gate.inside)
    producer = worker._crew.producer
    await eventually(lambda: producer._buffer)
    waiting, left = producer._buffer[0], producer._left_to_start

    counted: list[int] = []
    open_anew, heed = producer._open, producer._reconcile

    async def open_after_count() -> None:
        counted.append(producer._left_to_start)
        await open_anew()

    async def heed_and_count() -> None:
        await heed()
        counted.append(producer._left_to_start)

    monkeypatch.setattr(producer, "_open", open_after_count)
    monkeypatch.setattr(producer, "_reconcile", heed_and_count)
    if lost == "aborted":
        producer.abort(waiting)
        counted.append(producer._left_to_start)
    elif lost == "lease":
        producer.session_died()
    else:
        await arq_redis.srem(producer._engine.keys.run(producer.session), waiting.job_id)
        producer._is_unsure = producer._owes_turn = True
        producer.look()
    await eventually(lambda: counted)

    now_left = counted[0]
    await worker.close()
    await task
    assert (left, now_left) == (0, 1)


async def test_abort_of_a_job_claimed_ahead_ends_it_at_once(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A job that waits in a worker's hands for a slot is aborted without waiting for that slot."""
    gate = Gate()
    worker = make_worker([noop, func(gate, name="gate")], burst=False, max_jobs=1, allow_abort_jobs=True)
    task = asyncio.create_task(worker.async_run())
    await eventually(lambda: worker._crew is not None)
    for job in await arq_redis.enqueue_many([("noop",)] * 5):
        await job.result(timeout=5)
    await arq_redis.enqueue_job("gate")
    await eventually(lambda: gate.inside == 1)
    waiting = await arq_redis.enqueue_job("noop")
    assert isinstance(waiting, Job)

    assert await waiting.abort(timeout=5) is True

    assert await waiting.status() is JobStatus.complete
    gate.open.set()
    await worker.close()
    await task
