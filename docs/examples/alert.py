"""An alert when a queue grows: `python alert.py`."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from arqlite import Inspector, RedisSettings, Worker, call, create_pool
from arqlite.embedded import EmbeddedServer
from arqlite.service import Host, Ticker
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


class QueueAlert(Ticker):
    """Tells when too many jobs wait or one waits too long, and when that is over; each once."""

    def __init__(
        self,
        tell: Callable[[str], Awaitable[None]],
        *,
        most: int = 100,
        longest: timedelta = timedelta(minutes=5),
        interval: float = 30,
    ) -> None:
        super().__init__(interval, at_once=True, leader_only=True)
        self.tell = tell
        self.most = most
        self.longest = longest
        self.is_up = False

    def join(self, host: Host) -> None:
        self.inspector = Inspector(host.pool)
        self.queue = host.queue

    async def tick(self) -> None:
        depth = await self.inspector.depth(self.queue)
        is_bad = depth.available > self.most or depth.oldest > self.longest
        if is_bad and not self.is_up:
            await self.tell(f"{self.queue}: {depth.available} jobs wait, the eldest for {depth.oldest}")
        elif self.is_up and not is_bad:
            await self.tell(f"{self.queue} is well again")
        self.is_up = is_bad


told: asyncio.Queue[str] = asyncio.Queue()
gpu = asyncio.Event()


async def page_somebody(message: str) -> None:
    """Stands in for your pager."""
    await told.put(message)


async def train(ctx: dict[str, Any], model: int) -> None:
    await gpu.wait()


class WorkerSettings:
    functions = [train]
    services = [QueueAlert(page_somebody, most=10)]
    queue_name = "training"
    max_jobs = 1
    redis_settings = REDIS
    log_results = False


def worker() -> Worker:
    """One of several workers in this process: a service belongs to one worker, and looks quickly here."""
    alert = QueueAlert(page_somebody, most=10, longest=timedelta(seconds=10), interval=0.02)
    return create_worker(WorkerSettings, services=[alert], handle_signals=False)


async def main() -> None:
    pool = await create_pool(REDIS, default_queue_name="training")
    workers = [worker() for _ in range(2)]
    working = [asyncio.create_task(worker.async_run()) for worker in workers]
    jobs = await pool.enqueue_many(call(train, model) for model in range(20))
    print((await told.get()).partition(" jobs wait")[0].rstrip("0123456789") + "many jobs wait")
    gpu.set()
    await asyncio.gather(*(job.result(timeout=10) for job in jobs))
    print(await told.get())
    for one in workers:
        await one.close()
    await asyncio.gather(*working, return_exceptions=True)
    print("told by one of two workers:", told.empty())
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
