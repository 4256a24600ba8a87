"""The page about cancelling as a program: `python cancel.py`."""

import asyncio
import os
import signal
from typing import Any

from arqlite import ArqRedis, Job, RedisSettings, Worker, create_pool, current_job
from arqlite.embedded import EmbeddedServer

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
started = asyncio.Event()


async def convert(ctx: dict[str, Any], name: str) -> None:
    job = current_job()
    started.set()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print(name, "was cancelled:", job and job.cancel_reason)
        await remove_half_done(name)  # it may await, and then it lets the cancellation go on
        raise


async def remove_half_done(name: str) -> None: ...


async def cancel_running(pool: ArqRedis) -> None:
    job = await pool.enqueue(convert, "a film")
    await started.wait()
    print("aborted", await job.abort(timeout=10))
    try:
        await job.result()
    except asyncio.CancelledError:
        print("its result is CancelledError")


async def cancel_waiting(pool: ArqRedis) -> None:
    job = await pool.options(delay=60).enqueue(convert, "another film")
    print("aborted", await job.abort())
    print("of an unknown job", await Job("no-such-job", pool).abort())


async def main() -> None:
    pool = await create_pool(REDIS)
    worker = Worker([convert], redis_settings=REDIS, allow_abort_jobs=True, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    await cancel_running(pool)
    await cancel_waiting(pool)

    started.clear()
    job = await pool.enqueue(convert, "a third film")
    await started.wait()
    worker.handle_sig(signal.SIGTERM)  # what the signal does
    await working
    await worker.close()
    print("after the shutdown it is", (await job.status()).value)
    await job.abort()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
