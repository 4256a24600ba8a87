"""The page of progress and logs as a program: `python progress.py`."""

import asyncio
import logging
import os

from arqlite import RedisSettings, create_pool, report_progress
from arqlite.embedded import EmbeddedServer
from arqlite.logs import install_job_fields, job_fields
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


async def read_rows(ctx, count: int) -> int:
    for number in range(1, count + 1):
        await ctx["progress"](number, count, "reading rows")
    ctx["log"].info("read %d rows", count)
    await asyncio.to_thread(render, 3)
    return count


def render(pages: int) -> None:
    for page in range(1, pages + 1):
        report_progress(page, pages, "rendering")
    logging.getLogger("renderer").warning("no logo was found")


class WorkerSettings:
    functions = [read_rows]
    redis_settings = REDIS
    capture_logs = "WARNING"


async def watch(job) -> None:
    async for progress in job.follow_progress():
        print(f"{progress.fraction:.0%} {progress.message}")
    for line in await job.logs():
        print(line.level_name, line.logger, line.message)


def add_job(_logger, _method, event):
    """Work as a processor of structlog."""
    return event | job_fields()


async def main() -> None:
    install_job_fields()
    logging.basicConfig(level=logging.WARNING, format="[%(job_function)s try %(job_try)s] %(message)s")
    worker = create_worker(WorkerSettings, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    pool = await create_pool(REDIS)
    job = await pool.enqueue_job("read_rows", 20_000)
    await watch(job)
    await worker.close()
    await working
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
