"""An application of arq, for the environment that has arq; imported by its workers and run to enqueue."""

# ruff: noqa: T201
from __future__ import annotations

import asyncio
import os
import sys

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job

SETTINGS = RedisSettings.from_dsn(os.environ["ACROSS_URL"])


async def count(ctx, number, pair):
    """Count that this job ran, and where."""
    await ctx["redis"].hincrby("runs", ctx["job_id"], 1)
    await ctx["redis"].incr("ran-in-arq")
    await asyncio.sleep(0.01)
    return number


class WorkerSettings:
    functions = (count,)
    redis_settings = SETTINGS
    poll_delay = 0.05
    # Without it a worker that is told to end cancels its jobs, and some keep their lock for five minutes.
    job_completion_wait = 10


async def enqueue(first, last, defer_s=None):
    """Enqueue jobs whose ids are their numbers."""
    pool = await create_pool(SETTINGS)
    for number in range(first, last):
        job = await pool.enqueue_job(
            "count", number, (number, "two"), _job_id=f"j{number}", _defer_by=defer_s
        )
        assert job is not None
    await pool.aclose(close_connection_pool=True)


async def follow(first, last):
    """Enqueue jobs and await their results as arq's producers do."""
    await enqueue(first, last)
    pool = await create_pool(SETTINGS)
    jobs = [Job(f"j{number}", pool) for number in range(first, last)]
    print(sum(await asyncio.gather(*(job.result(timeout=60) for job in jobs))))
    await pool.aclose(close_connection_pool=True)


if __name__ == "__main__":
    action, *numbers = sys.argv[1:]
    asyncio.run({"enqueue": enqueue, "follow": follow}[action](*map(int, numbers)))
