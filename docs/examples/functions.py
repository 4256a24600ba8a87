"""Job functions of each kind: `python functions.py` enqueues jobs, runs them and prints their results."""

import asyncio
import hashlib
import time

from arqlite import RedisSettings, Worker, create_pool, func, run_in_loop
from arqlite.embedded import EmbeddedServer
from arqlite.errors import JobInterrupted


async def fetch(ctx, name: str) -> str:
    await asyncio.sleep(0.01)
    return f"fetched {name}"


def convert(ctx, name: str) -> str:
    time.sleep(0.01)
    run_in_loop(ctx["redis"].incr("converted"))
    return f"converted {name}"


def digest(ctx, text: str, rounds: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), ctx["job_id"].encode(), rounds).hex()


def export(ctx, path: str, lines: int) -> int:
    with open(path, "w") as file:
        try:
            for number in range(lines):
                file.write(f"line {number}\n")
        except JobInterrupted:
            file.truncate(0)
            raise
    return lines


functions = [fetch, convert, func(digest, cpu=True, timeout=60), export]


async def main() -> None:
    pool = await create_pool(RedisSettings.from_dsn(EmbeddedServer.ensure().url()))
    jobs = [
        await pool.enqueue_job("fetch", "Ada"),
        await pool.enqueue_job("convert", "Ada"),
        await pool.enqueue_job("digest", "Ada", 1000, _job_id="salt"),
        await pool.enqueue_job("export", "/dev/null", 3),
    ]
    worker = Worker(functions, redis_pool=pool, burst=True)
    await worker.main()
    for job in jobs:
        print(await job.result())
    await worker.close()


if __name__ == "__main__":
    asyncio.run(main())
