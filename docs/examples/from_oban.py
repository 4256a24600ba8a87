"""The page for those who come from Oban as a program: `python from_oban.py`."""

import asyncio
import os
from datetime import timedelta
from typing import Any

from arqlite import ArqRedis, Discard, Inspector, RedisSettings, Snooze, Unique, call, create_pool, cron, task
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.02
CONFIRMED = {1: "ada@example.org", 2: "bob@example.org"}
WAITING = {3: "cy@example.org"}


@task(
    queue="mail",
    max_attempts=5,
    timeout=30,
    backoff=lambda job: job.attempt * 60,
    unique=Unique(period=300, keys=["user"]),
    tags=["onboarding"],
)
async def welcome(ctx: dict[str, Any], user: int, *, locale: str = "en") -> str:
    if user in CONFIRMED:
        return f"welcomed {CONFIRMED[user]} in {locale}"
    if user not in WAITING:
        raise Discard(f"there is no user {user}")
    CONFIRMED[user] = WAITING.pop(user)  # the user confirms meanwhile
    raise Snooze(PAUSE_S)


@task(queue="mail", max_attempts=1)
async def digest(ctx: dict[str, Any]) -> None: ...


class WorkerSettings:
    queue_name = "mail"
    max_jobs = 10
    functions = [welcome]
    cron_jobs = [cron(digest, crontab="0 7 * * MON-FRI", timezone="Europe/Prague")]
    job_completion_wait = 15
    keep_result = timedelta(days=1)
    redis_settings = REDIS


async def insert(pool: ArqRedis) -> None:
    job = await pool.enqueue(welcome, 1)
    again = await pool.enqueue(welcome, 1)
    print("the same job", again.job_id == job.job_id, "conflict", again.conflict)
    await pool.options(delay=3600, priority=3, meta={"by": "import"}).enqueue(welcome, 2, locale="cs")
    await pool.enqueue_many([call(welcome, user) for user in (3, 4)])


async def manage(inspector: Inspector) -> None:
    await inspector.scale_queue("mail", limit=20)
    print("waiting", await inspector.count_jobs("mail", state="incomplete"))
    print("cancelled", await inspector.cancel_jobs("mail", state="scheduled", function=welcome))


async def look_back(inspector: Inspector) -> None:
    for job in await inspector.jobs("mail", state="discarded", with_errors=True):
        print(job.function, job.args, job.errors[-1].message)
    counts = await inspector.count_by_state("mail")
    print({state.value: number for state, number in counts.items() if number})


async def main() -> None:
    pool = await create_pool(REDIS)
    inspector = Inspector(pool)
    await insert(pool)
    await manage(inspector)
    worker = create_worker(WorkerSettings, burst=True, handle_signals=False)
    await worker.async_run()
    await worker.close()
    await look_back(inspector)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
