"""The page about retrying as a program: `python retry.py`."""

import asyncio
import os
import random
from typing import Any

from arqlite import RedisSettings, Retry, create_pool, func
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.05


class Shaky:
    """Stands in for a service that answers at the third call."""

    calls = 0

    async def get(self) -> str:
        self.calls += 1
        if self.calls < 3:
            raise ConnectionError("connection refused")
        return "the page"


async def fetch(ctx: dict[str, Any]) -> str:
    shaky: Shaky = ctx["shaky"]
    try:
        return await shaky.get()
    except ConnectionError as error:
        pause = PAUSE_S * 2 ** ctx["job_try"]  # longer after each try
        raise Retry(defer=pause * random.uniform(1, 1.5)) from error


async def never(ctx: dict[str, Any]) -> None:
    raise Retry


class WorkerSettings:
    functions = [func(fetch, max_tries=10, timeout=30), never]
    redis_settings = REDIS
    max_tries = 3
    ctx = {"shaky": Shaky()}


async def main() -> None:
    pool = await create_pool(REDIS)
    fetched = await pool.enqueue(fetch)
    given_up = await pool.enqueue(never)
    worker = create_worker(WorkerSettings, burst=True)
    await worker.async_run()
    await worker.close()
    for job in (fetched, given_up):
        ended = await job.result_info()
        assert ended is not None
        print(ended.result, "at try", ended.job_try)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
