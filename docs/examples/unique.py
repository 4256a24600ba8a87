"""The page about unique jobs as a program: `python unique.py`."""

import asyncio
import os
from datetime import timedelta
from typing import Any

from arqlite import ArqRedis, RedisSettings, Unique, Worker, call, create_pool, task
from arqlite.embedded import EmbeddedServer
from arqlite.errors import JobConflict

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


@task(unique=Unique(period=Unique.forever, states="incomplete"))
async def rebuild(ctx: dict[str, Any], index: str) -> None: ...


async def sync(ctx: dict[str, Any], account: int, *, full: bool = False) -> str:
    return f"account {account}, {'all of it' if full else 'what is new'}"


async def enqueue_once(pool: ArqRedis) -> None:
    once = pool.options(unique=Unique(period=timedelta(minutes=5)))
    first = await once.enqueue(sync, 7)
    again = await once.enqueue(sync, account=7)
    print("the same job", again.job_id == first.job_id, "conflict", again.conflict)


async def one_per_account(pool: ArqRedis) -> None:
    rule = Unique(keys=["account"], period=Unique.forever, states="incomplete")
    jobs = await pool.options(unique=rule).enqueue_many([call(sync, n % 3, full=n > 2) for n in range(6)])
    print("conflicts", [job.conflict for job in jobs])


async def bring_forward(pool: ArqRedis) -> None:
    rule = Unique(keys=["account"], replace={"scheduled": ["scheduled_at", "args"], "available": ["args"]})
    later = await pool.options(unique=rule, delay=3600).enqueue(sync, 8)
    now = await pool.options(unique=rule, delay=0).enqueue(sync, 8, full=True)
    print("brought forward", now.job_id == later.job_id, await now.status())


async def as_the_task_has_it(pool: ArqRedis) -> None:
    first = await pool.enqueue(rebuild, "people")
    again = await pool.enqueue(rebuild, "people")
    anyway = await pool.options(unique=False).enqueue(rebuild, "people")
    aloud = pool.options(unique={"on_conflict": "raise"})  # the rest of the rule is the task's
    print(
        "by its task",
        first.conflict,
        again.conflict,
        anyway.conflict,
        (await aloud.enqueue(rebuild, "pets")).conflict,
    )


async def refuse(pool: ArqRedis) -> None:
    strict = pool.options(unique=Unique(on_conflict="raise"))
    await strict.enqueue(sync, 9)
    try:
        await strict.enqueue(sync, 9)
    except JobConflict as conflict:
        print("refused, it is", conflict.state)


async def main() -> None:
    pool = await create_pool(REDIS)
    await enqueue_once(pool)
    await one_per_account(pool)
    await bring_forward(pool)
    await as_the_task_has_it(pool)
    await refuse(pool)
    worker = Worker([sync, rebuild], redis_settings=REDIS, burst=True)
    print("jobs done", await worker.run_check())
    await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
