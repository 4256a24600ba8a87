"""The page about saying which jobs are meant, as a program: `python many_queues.py`."""

import asyncio
import os
from typing import Any

from arqlite import RedisSettings, Worker, create_pool
from arqlite.console import Console, Query
from arqlite.embedded import EmbeddedServer

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
MENDED: list[str] = []


async def send_mail(ctx: dict[str, Any], to: str) -> str:
    if not MENDED:
        raise TimeoutError(f"no server for {to}")
    return f"sent to {to}"


async def resize(ctx: dict[str, Any], picture: str) -> str:
    return f"{picture} is small now"


class MailSettings:
    functions = [send_mail]
    queue_name = "mail"
    redis_settings = REDIS


class PictureSettings:
    functions = [resize]
    queue_name = "pictures"
    redis_settings = REDIS


async def look() -> None:
    async with Console([MailSettings, PictureSettings], by="ada") as console:
        page = await console.jobs(Query.parse("state:discarded since:1h"))
        for job in page.jobs:
            print(job.queue, job.function, job.arguments, "-", job.error)
        for trouble in page.troubles:  # what could not be asked, and why
            print(trouble.text)
        done = await console.retry(Query.parse("state:discarded error:TimeoutError since:1h"))
        print(f"{done.done} of {done.matched} run again")


async def work() -> None:
    for settings in (MailSettings, PictureSettings):
        worker = Worker(
            settings.functions, queue_name=settings.queue_name, redis_settings=REDIS, burst=True,
            handle_signals=False,
        )  # fmt: skip
        await worker.main()
        await worker.close()


async def main() -> None:
    pool = await create_pool(REDIS)
    await pool.options(queue="mail").enqueue(send_mail, "ada@example.org")
    await pool.options(queue="pictures").enqueue(resize, "cat.png")
    await work()
    MENDED.append("the server")
    await look()
    await work()
    async with Console([MailSettings, PictureSettings]) as console:
        counts = await console.counts()
        print({state: tally.value for state, tally in counts.items() if tally.value})
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
