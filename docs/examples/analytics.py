"""Steps inside of one job, in the name of a user: `python analytics.py`."""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from typing import Any

from arqlite import ArqRedis, Discard, Job, RedisSettings, create_pool, current_job, task
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.02  # a minute in an application


class Role(Enum):
    VIEWER = "viewer"
    ANALYST = "analyst"


@dataclass(frozen=True)
class ActorRef:
    """In whose name a job runs: what finds the user again, and what he was when he asked."""

    user: int
    organization: int
    role: Role


@dataclass
class User:
    id: int
    organization: int
    role: Role


@dataclass
class Prompt:
    text: str
    status: str = "new"


class Database:
    """Stands in for your tables."""

    def __init__(self) -> None:
        self.users = {1: User(1, 7, Role.ANALYST), 2: User(2, 7, Role.ANALYST)}
        self.prompts = {"sales": Prompt("sales by month"), "moon": Prompt("sales by the moon")}
        self.told: list[str] = []  # what the pages in the users' browsers were told
        self.log: list[str] = []

    def actor(self, ref: ActorRef) -> User:
        """Rebuild the actor as he is now: he may have lost his rights while the job waited."""
        user = self.users.get(ref.user)
        if user is None or (user.organization, user.role) != (ref.organization, ref.role):
            raise Discard(f"user {ref.user} may not do this any more")
        return user


async def make_table(db: Database, actor: User) -> str:
    db.log.append(f"table made for user {actor.id}")
    return "table"


async def drop_table(db: Database, table: str) -> None:
    db.log.append(f"{table} dropped")


async def query(table: str, text: str) -> int:
    if "moon" in text:
        raise ConnectionError("no answer from the moon")
    return 42


async def analyse(db: Database, actor: User, prompt: Prompt) -> int:
    async with AsyncExitStack() as undo:
        table = await make_table(db, actor)
        undo.push_async_callback(drop_table, db, table)
        result = await query(table, prompt.text)
        db.log.append("published")
        undo.pop_all()  # all went well: nothing is taken back
    return result


@task(queue="analytics", max_attempts=2, timeout=300, backoff=PAUSE_S)
async def answer(ctx: dict[str, Any], prompt_id: str, actor: ActorRef) -> int:
    db: Database = ctx["db"]
    asking = db.actor(actor)
    prompt = db.prompts[prompt_id]
    try:
        result = await analyse(db, asking, prompt)
    except Exception as error:
        job = current_job()
        if job is not None and job.is_last_attempt:
            prompt.status = "failed"
            db.told.append(f"user {asking.id}: {prompt.text} failed, {error}")
        raise
    prompt.status = "answered"
    return result


async def ask(pool: ArqRedis, user: User, prompt_id: str) -> Job[int]:
    return await pool.enqueue(answer, prompt_id, ActorRef(user.id, user.organization, user.role))


class WorkerSettings:
    functions = [answer]
    queue_name = "analytics"
    max_jobs = 5
    redis_settings = REDIS
    log_results = False


async def main() -> None:
    db = Database()
    ada, bob = db.users[1], db.users[2]
    pool = await create_pool(REDIS)
    worker = create_worker(WorkerSettings, burst=True, max_jobs=1, ctx={"db": db})

    sales = await ask(pool, ada, "sales")
    await worker.async_run()
    print(await sales.result(), db.prompts["sales"].status, db.log)

    db.log.clear()
    moon = await ask(pool, ada, "moon")
    await worker.async_run()
    print(db.log)
    print(db.prompts["moon"].status, "after", len(await moon.errors()), "attempts;", db.told)

    late = await ask(pool, bob, "sales")
    bob.role = Role.VIEWER
    await worker.async_run()
    print((await late.errors())[0].message)
    await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
