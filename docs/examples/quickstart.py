"""Run the worker with `arqlite quickstart.WorkerSettings`, then `python quickstart.py`."""

import asyncio
import os

from arqlite import RedisSettings, Retry, create_pool
from arqlite.embedded import EmbeddedServer

# Your own Redis or Valkey, or without one a real Valkey that is started for you.
REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


async def greet(ctx, name: str) -> str:
    if ctx["job_try"] == 1:
        raise Retry(defer=0.1)
    return f"hello, {name}, at the second try"


class WorkerSettings:
    functions = [greet]
    redis_settings = REDIS


async def main() -> None:
    pool = await create_pool(REDIS)
    job = await pool.enqueue(greet, "Ada")
    print(await job.result(timeout=10))
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
