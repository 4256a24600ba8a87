"""The page about defining jobs as a program: `python define.py`."""

import asyncio
import os
import time
from typing import Any

from arqlite import RedisSettings, Service, Worker, create_pool, current_job, func
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


class Mailer:
    """Stands in for a client that is slow to connect and good for many jobs."""

    @classmethod
    async def connect(cls) -> "Mailer":
        return cls()

    async def send(self, to: str, text: str) -> str:
        return f"{text!r} to {to}"

    async def close(self) -> None: ...


async def welcome(ctx: dict[str, Any], to: str) -> str:
    mailer: Mailer = ctx["mailer"]
    return await mailer.send(to, "Welcome!")


async def export(ctx: dict[str, Any], *, year: int) -> str:
    return f"exported {year}"


async def startup(ctx: dict[str, Any]) -> None:
    ctx["mailer"] = await Mailer.connect()


async def shutdown(ctx: dict[str, Any]) -> None:
    await ctx["mailer"].close()


async def before(ctx: dict[str, Any]) -> None:
    ctx["began"] = time.monotonic()


async def after(ctx: dict[str, Any]) -> None:
    audit(f"ended within {time.monotonic() - ctx['began']:.0f} s")


def audit(text: str) -> None:
    job = current_job()
    print(text if job is None else f"{job.function}, try {job.job_try}: {text}")


class Greeter(Service):
    async def run(self) -> None:
        audit("the worker is up")
        await asyncio.Event().wait()


class WorkerSettings:
    functions = [
        welcome,
        func(export, name="yearly_export", timeout=3600, max_tries=2, keep_result=0, strict_arguments=True),
    ]
    services = [Greeter()]
    on_startup = startup
    on_shutdown = shutdown
    on_job_start = before
    on_job_end = after
    redis_settings = REDIS
    max_jobs = 20


async def main() -> None:
    pool = await create_pool(REDIS)
    job = await pool.enqueue(welcome, "ada@example.org")
    await pool.enqueue_job("yearly_export", year=2026)
    worker: Worker = create_worker(WorkerSettings, burst=True)
    await worker.run_check()
    await worker.close()
    print(await job.result())
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
