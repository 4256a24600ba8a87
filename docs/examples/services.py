"""The page of services as a program: `python services.py`."""

import asyncio
import os
from typing import Any

from arqlite import ArqRedis, Inspector, RedisSettings, create_pool, cron
from arqlite.embedded import EmbeddedServer
from arqlite.service import Host, Ticker
from arqlite.telemetry import LeaderChanged, attach
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


async def send_report(ctx: dict[str, Any], region: str) -> str:
    print("report for", region)
    return region


class QueueDepth(Ticker):
    """Tells how many jobs wait, from one worker of the queue."""

    def __init__(self, limit: int) -> None:
        super().__init__(interval=30, at_once=True, leader_only=True)
        self.limit = limit

    def join(self, host: Host) -> None:
        self.pool: ArqRedis = host.pool
        self.queue = host.queue

    async def tick(self) -> None:
        depth = await self.pool.queue_depth(self.queue)
        if depth > self.limit:
            print("too many jobs wait:", depth)


class WorkerSettings:
    cron_jobs = [
        cron(send_report, args=("north",), crontab="0 7 * * mon-fri", tags=["report"], priority=3),
        cron(
            send_report,
            name="southern-report",
            args=("south",),
            crontab="30 7 * * mon-fri",
            missed="all",
            keep_result=60,
        ),
    ]
    services = [QueueDepth(limit=1000)]
    redis_settings = REDIS
    prune_interval = 10
    prune_limit = 50_000
    rescue_after = 3600


led = asyncio.Event()


def tell(change: LeaderChanged) -> None:
    print("leads" if change.is_leader else "leads no more")
    led.set()


async def look_and_act(pool: ArqRedis) -> None:
    inspector = Inspector(pool)
    for view in await inspector.crons():
        print(view.name.partition("#")[0], view.schedule, view.function.partition("#")[0], view.missed)
    await inspector.pause_cron("southern-report")
    job = await inspector.run_cron("southern-report")
    print("ran", await job.result(timeout=10))
    await inspector.resume_cron("southern-report")


async def main() -> None:
    attach("example", [LeaderChanged], tell)
    pool = await create_pool(REDIS)
    worker = create_worker(WorkerSettings, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    await led.wait()
    await look_and_act(pool)
    await worker.close()
    await asyncio.gather(working, return_exceptions=True)
    await pool.aclose(close_connection_pool=True)


if __name__ == "__main__":
    asyncio.run(main())
