"""The ledger's page as a program: `python ledger.py`."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from arqlite import create_pool
from arqlite.connections import RedisSettings
from arqlite.embedded import EmbeddedServer
from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger, LedgerFilter
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())

jobs = Ledger("sqlite:///jobs.db")


async def send(ctx: dict[str, Any], to: str) -> str:
    if "@" not in to:
        raise ValueError(f"{to} is no address")
    return f"sent to {to}"


class WorkerSettings:
    functions = [send]
    queue_name = "letters"
    redis_settings = REDIS
    ledger = jobs


async def look() -> None:
    failed = await jobs.jobs(status="FAILED", function="send", limit=20)
    for job in failed.items:
        print(job.id, job.cause, job.error_payload["message"])
    if failed.next:
        failed = await jobs.jobs(status="FAILED", function="send", limit=20, after=failed.next)


async def look_closer() -> None:
    of_ada = LedgerFilter.of(function=send, args={"to": "ada@example.org"}, tags="welcome")
    for job in (await jobs.jobs(of_ada)).items:
        print(job.id, job.status, job.output_payload)

    story = await jobs.job("letter-2")
    if story is not None:
        for attempt in story.attempts:
            print(attempt.attempt, attempt.state, attempt.error and attempt.error["type"])

    print(await jobs.count(status="SUCCESS"), "succeeded")

    try:
        LedgerFilter.of(statsu="FAILED")  # type: ignore[call-arg]
    except ConfigurationError as error:
        print(error)


async def chart() -> None:
    stats = await jobs.stats(since=datetime.now(UTC) - timedelta(days=7), per="day", by="function")
    for day in stats.ended:
        print(day.function, day.counts, "in less than a minute each:", day.longest_run_ms < 60_000)
    print(len(stats.open), "states with open jobs,", stats.oldest_waiting, "waits longest")
    for one in await jobs.percentiles(by="function"):
        print(one.function, one.count, "runs, half of them within a second:", one.run_ms[0] < 1000)


async def hand_on() -> None:
    with Path("failed.csv").open("w", newline="") as file:  # noqa: ASYNC230
        async for text in jobs.export(status="FAILED", format="csv", columns=["id", "error_payload"]):
            file.write(text)


async def main() -> None:
    await jobs.upgrade()
    pool = await create_pool(REDIS, ledger=jobs, default_queue_name="letters")
    worker = create_worker(WorkerSettings, burst=True)
    welcome = pool.options(tags=["welcome"])
    await welcome.options(job_id="letter-1").enqueue("send", "ada@example.org")
    await welcome.options(job_id="letter-2").enqueue("send", "nobody")
    await worker.async_run()
    await look()
    await look_closer()
    await chart()
    await hand_on()
    await worker.close()
    await pool.aclose()
    await jobs.aclose()


if __name__ == "__main__":
    asyncio.run(main())
