"""Jobs that took workers down are kept apart, so that an innocent one is not blamed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arqlite import ArqRedis, task
from arqlite.engine import Keys
from arqlite.model.memory import Memory

together = 0
most_together = 0


async def watched(ctx: dict[str, Any]) -> None:
    global together, most_together
    together += 1
    most_together = max(most_together, together)
    await asyncio.sleep(0.02)
    together -= 1


@pytest.mark.parametrize("function", [watched, task(watched)], ids=["bare", "task"])
async def test_jobs_on_their_last_chance_run_one_at_a_time(
    arq_redis: ArqRedis, make_worker: Any, function: Any
) -> None:
    """Two jobs whose workers died twice are never in the same process at once."""
    global most_together
    most_together = 0
    for _ in range(3):
        job = await arq_redis.enqueue_job("watched")
        await arq_redis.hset(Keys("arq:queue").tries, job.job_id, Memory(crashes=2).encode())

    assert await make_worker([function]).run_check() == 3

    assert most_together == 1


@pytest.mark.parametrize("function", [watched, task(watched)], ids=["bare", "task"])
async def test_job_that_keeps_killing_workers_is_given_up(
    arq_redis: ArqRedis, make_worker: Any, function: Any
) -> None:
    """After `max_rescues` dead workers a job fails in words, without another run."""
    global most_together
    most_together = 0
    job = await arq_redis.enqueue_job("watched")
    await arq_redis.hset(Keys("arq:queue").tries, job.job_id, Memory(crashes=3).encode())
    worker = make_worker([function])

    await worker.main()

    assert (worker.jobs_failed, most_together) == (1, 0)
    assert str((await job.result_info()).result) == "worker died 3 times"
