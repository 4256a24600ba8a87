"""The page about tasks as a program: `python tasks.py`."""

import asyncio
import os
from typing import Any

from arqlite import (
    Cancel,
    Discard,
    RedisSettings,
    Snooze,
    create_pool,
    current_job,
    exponential,
    jitter,
    task,
)
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.02


class RateLimited(Exception):
    """The service wants to be left alone for a while."""


class Declined(Exception):
    """The bank will not change its mind."""


class Gpus:
    """Stands in for machines that are busy at the first time of asking."""

    asked = 0

    def acquire(self) -> bool:
        self.asked += 1
        return self.asked > 1


async def page_somebody(job: Any, error: BaseException) -> None:
    print(f"{job.function} gave up at attempt {job.attempt}: {error}")


def pause(job: Any) -> float:
    if isinstance(job.error, RateLimited):
        return jitter(PAUSE_S, "inc")
    return exponential(job.attempt, max_pow=2, mult=PAUSE_S / 4)


@task(
    max_attempts=5, backoff=pause, timeout=30, discard_on=Declined, on_discard=page_somebody, tags=["billing"]
)
async def charge(ctx: dict[str, Any], account: str) -> str:
    job = current_job()
    assert job is not None
    if account == "closed":
        raise Discard("the account is closed")
    if account == "poor":
        raise Declined("no money")
    if job.attempt == 1:
        raise RateLimited("429")
    if job.attempt == 2:
        raise ConnectionError("connection refused")
    return f"charged after {', '.join(error.type for error in job.errors)}"


@task(backoff=[PAUSE_S, 120, 600, 3600])
async def train(ctx: dict[str, Any], model: str) -> str | Snooze | Cancel:
    gpus: Gpus = ctx["gpus"]
    if model == "obsolete":
        return Cancel("nobody wants it any more")
    if not gpus.acquire():
        return Snooze(PAUSE_S)  # costs no attempt
    return f"trained {model} at attempt {ctx['job'].attempt} after {ctx['job'].snoozes} snooze"


@task
async def translate(ctx: dict[str, Any], text: str) -> str:
    match ctx["job"].attempt:
        case 1 | 2:
            return f"{text}, by the best service"
        case _ if ctx["job"].is_last_attempt:
            return text
        case _:
            return f"{text}, by the other service"


class WorkerSettings:
    functions = [charge, train, translate]
    redis_settings = REDIS
    ctx = {"gpus": Gpus()}


async def main() -> None:
    pool = await create_pool(REDIS)
    charged = await pool.enqueue(charge, "Ada")
    await pool.enqueue(charge, "closed")
    await pool.enqueue(charge, "poor")
    trained = await pool.enqueue(train, "small")
    cancelled = await pool.enqueue(train, "obsolete")
    translated = await pool.options(max_attempts=3).enqueue(translate, "Hallo")
    worker = create_worker(WorkerSettings, burst=True, max_jobs=1)
    await worker.async_run()
    await worker.close()
    print(await charged.result())
    for failed in await charged.errors():
        print(f"attempt {failed.attempt}: {failed.type}: {failed.message}")
    print(await trained.result())
    try:
        await cancelled.result()
    except Cancel as cancel:
        print("cancelled:", cancel)
    print(await translated.result())
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
