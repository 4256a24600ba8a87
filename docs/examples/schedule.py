"""The page about scheduling as a program: `python schedule.py`."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from arqlite import ArqRedis, RedisSettings, Worker, create_pool
from arqlite.embedded import EmbeddedServer

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


async def remind(ctx: dict[str, Any], text: str) -> None:
    print(text)


async def plan(pool: ArqRedis) -> None:
    await pool.options(delay=timedelta(seconds=0.6)).enqueue(remind, "in 0.6 s")
    await pool.options(at=datetime.now(UTC) + timedelta(seconds=0.3)).enqueue(remind, "at a moment")
    await pool.options(priority=9).enqueue(remind, "now, but after all others")
    await pool.options(priority=1).enqueue(remind, "now, soon")
    await pool.enqueue(remind, "now, first")


async def look_ahead(pool: ArqRedis) -> None:
    job = await pool.options(delay=3600, expires=7200).enqueue(remind, "in an hour")
    print(await job.status())
    await job.abort()  # takes it out again, without any worker


async def main() -> None:
    pool = await create_pool(REDIS)
    await plan(pool)
    await look_ahead(pool)
    worker = Worker([remind], redis_settings=REDIS, burst=True, max_jobs=1)
    await worker.run_check()  # a burst waits for deferred jobs
    await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
