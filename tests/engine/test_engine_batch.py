"""Group commit: the jobs of one turn of the loop travel in one script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from engine_toys import Queue, job
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite.engine import EnqueueBatch, NewJob, RedisEngine


class Recorder:
    """An engine that notes what it is given; refuses some positions, or fails."""

    def __init__(self, refused: set[int] | None = None, error: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.refused = refused or set()
        self.error = error

    async def enqueue(self, jobs: Sequence[NewJob]) -> set[int]:
        self.calls.append([one.job_id for one in jobs])
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.refused


def batch_of(recorder: Recorder) -> EnqueueBatch:
    return EnqueueBatch(cast("RedisEngine", recorder))


async def test_calls_of_one_tick_are_one_script() -> None:
    """What is enqueued at the same moment goes together; each caller gets the answer to its own job."""
    recorder = Recorder(refused={1})
    batch = batch_of(recorder)

    answers = await asyncio.gather(*[batch.enqueue(job(name)) for name in "abc"])

    assert recorder.calls == [["a", "b", "c"]]
    assert answers == [True, False, True]


async def test_calls_of_two_ticks_are_two_scripts() -> None:
    """Nobody waits for a later caller."""
    recorder = Recorder()
    batch = batch_of(recorder)

    await batch.enqueue(job("a"))
    await batch.enqueue(job("b"))

    assert recorder.calls == [["a"], ["b"]]


async def test_error_reaches_each_caller() -> None:
    """When the script fails, every caller of the tick gets the error, and the next tick starts afresh."""
    recorder = Recorder(error=RedisConnectionError("away"))
    batch = batch_of(recorder)

    answers = await asyncio.gather(*[batch.enqueue(job(name)) for name in "ab"], return_exceptions=True)

    assert answers == [recorder.error, recorder.error]
    recorder.error = None
    assert await batch.enqueue(job("c"))


async def test_caller_that_went_away_disturbs_nobody() -> None:
    """A caller that was cancelled meanwhile takes nobody along."""
    recorder = Recorder()
    batch = batch_of(recorder)
    impatient, patient = (asyncio.create_task(batch.enqueue(job(name))) for name in "ab")
    await asyncio.sleep(0)

    impatient.cancel()

    assert await patient
    with pytest.raises(asyncio.CancelledError):
        await impatient


def test_pool_may_change_its_loop() -> None:
    """A pool that outlives its event loop batches in the next one as if it were new."""
    recorder = Recorder()
    batch = batch_of(recorder)

    async def leave_early() -> None:
        asyncio.ensure_future(batch.enqueue(job("lost"))).cancel()

    asyncio.run(leave_early())

    assert asyncio.run(batch.enqueue(job("a")))
    assert recorder.calls[-1] == ["a"]


async def test_many_callers_on_the_server(queue: Queue) -> None:
    """More callers than one script takes are all answered, the double one with no."""
    batch = EnqueueBatch(queue.engine)
    names = [f"j{n}" for n in range(700)]

    answers: list[Any] = await asyncio.gather(*[batch.enqueue(job(name)) for name in [*names, "j5"]])

    assert answers == [True] * 700 + [False]
    assert (await queue.engine.size()).ready == 700
