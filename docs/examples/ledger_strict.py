"""The page about workers with a ledger as a program: `python ledger_strict.py`."""

import asyncio
import os
from typing import Any

from sqlalchemy import select

from arqlite import Retry, create_pool
from arqlite.connections import RedisSettings
from arqlite.embedded import EmbeddedServer
from arqlite.ledger import AttemptRow, JobRow, Ledger
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())

shop_ledger = Ledger("sqlite:///shop.db", mode="strict")


async def charge(ctx: dict[Any, Any], order: int) -> str:
    if ctx["job_try"] == 1:
        raise Retry
    return f"order {order} is paid"


async def report(ctx: dict[Any, Any]) -> None:
    raise ValueError("there is no paper")


class WorkerSettings:
    functions = [charge, report]
    redis_settings = REDIS
    ledger = shop_ledger


async def look(job_id: str) -> None:
    async with shop_ledger.sessions() as db:
        job = (await db.execute(select(JobRow).where(JobRow.id == job_id))).scalar_one()
        print(job.function, job.status, job.cause, job.output_payload)
        starts = select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.attempt)
        for start in (await db.execute(starts)).scalars():
            print("  start", start.attempt, start.state, start.cause)


async def main() -> None:
    pool = await create_pool(REDIS)
    await pool.enqueue_job("charge", 7, _job_id="order-7")
    await pool.enqueue_job("report", _job_id="report-1")
    worker = create_worker(WorkerSettings, burst=True)
    await worker.async_run()
    await look("order-7")
    await look("report-1")
    await worker.close()
    await shop_ledger.aclose()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
