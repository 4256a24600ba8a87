"""The page about finding and moving jobs as a program: `python inspect_jobs.py`."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from arqlite import ArqRedis, Inspector, Job, JobView, RedisSettings, Worker, create_pool
from arqlite.embedded import EmbeddedServer
from arqlite.errors import ConfigurationError, JobNotFound

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


async def send_mail(ctx: dict[str, Any], to: str, *, copies: int = 1) -> str:
    if "@" not in to:
        raise ValueError(f"{to} is no address")
    return f"{copies} to {to}"


async def enqueue(pool: ArqRedis) -> None:
    jobs: list[Job[str]] = []
    for customer, to in enumerate(["ada@example.org", "grace", "alan@example.org"]):
        monday = pool.options(tags=["mail", "monday"], meta={"customer": {"id": customer}})
        jobs.append(await monday.enqueue(send_mail, to))
    await pool.options(tags=["mail"], delay=3600).enqueue(send_mail, "linus@example.org", copies=2)
    await asyncio.gather(*[job.result() for job in jobs], return_exceptions=True)


async def find(inspector: Inspector) -> None:
    for job in await inspector.jobs(state="discarded", newest_first=True, limit=10):
        print(job.function, job.args, "attempt", job.attempt, "ended with", repr(job.result))
    print(await inspector.count_jobs(function=send_mail, args={"copies": 2}), "with two copies")
    print(await inspector.count_jobs(tags=["mail", "monday"], state="completed"), "of Monday went out")
    [job] = await inspector.jobs(meta={"customer": {"id": 2}})
    print("customer 2 got", job.result)


async def count(inspector: Inspector) -> None:
    counts = await inspector.count_by_state()
    print({state.value: number for state, number in counts.items() if number})


async def mend(inspector: Inspector) -> None:
    [job] = await inspector.jobs(state="discarded", function="send_mail")
    await inspector.update_job(job.id, {"args": ["grace@example.org"]})
    print("retried", await inspector.retry_job(job.id))
    print("now", await Job(job.id, inspector.pool).result(timeout=10))


async def change(inspector: Inspector) -> None:
    [job] = await inspector.jobs(state="scheduled")
    soon = datetime.now(UTC) + timedelta(minutes=5)
    job = await inspector.update_job(job.id, {"scheduled_at": soon, "priority": 3})
    print(job.state.value, "with priority", job.priority)

    def one_more(job: JobView) -> dict[str, Any]:
        return {"tags": [*job.tags, "late"], "kwargs": {**job.kwargs, "copies": job.kwargs["copies"] + 1}}

    job = await inspector.update_job(job.id, one_more)
    print(job.tags, job.kwargs)
    try:
        await inspector.update_job("no-such-job", {"priority": 0})
    except JobNotFound as error:
        print(error)


async def clear(inspector: Inspector) -> None:
    print("cancelled", await inspector.cancel_jobs(tags="late"))
    print("deleted", await inspector.delete_jobs(state=["completed", "cancelled"], function="send_mail"))
    try:
        await inspector.delete_jobs()
    except ConfigurationError as error:
        print(error)


async def alert(inspector: Inspector) -> None:
    depth = await inspector.depth()
    if depth.available > 1_000 or depth.oldest > timedelta(minutes=5):
        print("too few workers:", depth)


async def main() -> None:
    pool = await create_pool(REDIS)
    inspector = Inspector(pool)
    worker = Worker([send_mail], redis_settings=REDIS, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    await enqueue(pool)
    await find(inspector)
    await count(inspector)
    await mend(inspector)
    await change(inspector)
    await clear(inspector)
    await alert(inspector)
    print("left", sum((await inspector.count_by_state()).values()))
    worker.handle_sig(signal.SIGTERM)
    await working
    await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
