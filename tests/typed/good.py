"""Calls that type checkers accept, with the types that they see; read by tests/test_typed.py, never run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from arqlite import (
    PREVIOUS,
    ArqRedis,
    Job,
    Snooze,
    Task,
    Worker,
    Workflow,
    WorkflowRun,
    call,
    chain,
    create_pool,
    cron,
    exponential,
    func,
    group,
    run_worker,
    task,
)
from arqlite.connections import RedisSettings
from arqlite.jobs import FailedAttempt, JobDef, JobResult, JobStatus
from arqlite.ledger import Ledger
from arqlite.transactions import EnqueuedJob, Outbox
from arqlite.worker import Function
from arqlite.workflows import Step


async def add(ctx: dict[Any, Any], a: int, b: int = 0) -> int:
    return a + b


async def greet(ctx: dict[Any, Any], name: str, *, at: datetime | None = None) -> str:
    return f"{name} at {at}"


async def ping(ctx: dict[Any, Any]) -> None: ...


def resize(ctx: dict[Any, Any], path: str, *sizes: int) -> list[str]:
    return [f"{path}@{size}" for size in sizes]


async def label(ctx: dict[Any, Any], /, **words: str) -> str:
    return " ".join(words.values())


class Mailer:
    async def send(self, ctx: dict[Any, Any], to: UUID, *, subject: str = "") -> bool:
        return bool(subject)


limited = func(add, name="limited", max_jobs=2, timeout=timedelta(seconds=5))
plain = func(resize, cpu=True)
named = func("app.tasks.add")


async def enqueue(pool: ArqRedis) -> None:
    assert_type(await pool.enqueue(add, 1), Job[int])
    assert_type(await pool.enqueue(add, 1, b=2), Job[int])
    assert_type(await pool.enqueue(greet, "Ada", at=datetime.now(UTC)), Job[str])
    assert_type(await pool.enqueue(ping), Job[None])
    assert_type(await pool.enqueue(label, colour="blue"), Job[str])
    assert_type(await pool.enqueue(resize, "a.png", 1, 2), Job[list[str]])
    assert_type(await pool.enqueue(Mailer().send, UUID(int=0), subject="x"), Job[bool])
    assert_type(await pool.enqueue(limited, 1, 2), Job[int])
    assert_type(await pool.enqueue(plain, "a.png", 1), Job[list[str]])
    assert_type(await pool.enqueue(named, "anything", goes=True), Job[Any])
    assert_type(await pool.enqueue("add", "anything", goes=True), Job[Any])


async def flows(pool: ArqRedis) -> None:
    flow = Workflow("w")
    one = flow.add("one", call(add, 1))
    assert_type(one, Step[int])
    assert_type(one.result, int)
    two = flow.add("two", call(add, one.result, b=one.result), after=["one"], compensate=call(ping))
    assert_type(flow.add("three", call(greet, "Ada"), after=[two], compensate=resize), Step[str])
    assert_type(await pool.enqueue_workflow(flow), WorkflowRun)
    await pool.enqueue_workflow(chain(call(add, 1), add, group([add, limited], callback=call(add, PREVIOUS))))


async def options(pool: ArqRedis) -> None:
    later = pool.options(delay=timedelta(minutes=1), queue="mail", job_id="x", priority=9, expires=60)
    assert_type(await later.enqueue(add, 1), Job[int])
    assert_type(await later.options(at=datetime.now(UTC)).enqueue(greet, name="Ada"), Job[str])
    assert_type(await pool.options(delay=None, first_try=2).enqueue("add", 1), Job[Any])
    strict = pool.options(ledger="strict", row={"user_id": 7}, triggered_by="ada", parent="x")
    assert_type(await strict.enqueue(add, 1), Job[int])


async def transactions(pool: ArqRedis, session: AsyncSession, blocking: Session) -> None:
    assert_type(await pool.options(session=session).enqueue(add, 1), Job[int])
    assert_type(await pool.options(session=blocking).enqueue(add, 1), Job[int])
    await pool.enqueue_many([call(add, 1).options(session=session), call(greet, "Ada")])
    outbox = Outbox(Ledger("sqlite:///jobs.db"), queue="mail", pool=pool)
    assert_type(outbox.options(delay=60).enqueue(blocking, add, 1, b=2), EnqueuedJob)
    assert_type(outbox.enqueue(blocking, limited, 1), EnqueuedJob)
    assert_type(outbox.enqueue(blocking, "add", 1), EnqueuedJob)
    assert_type(outbox.enqueue_many(blocking, [call(add, 1)]), list[EnqueuedJob])


async def bulk(pool: ArqRedis) -> None:
    assert_type(await pool.enqueue_many([call(add, n) for n in range(3)]), list[Job[int]])
    assert_type(await pool.enqueue_many([call(greet, "Ada").options(delay=1)]), list[Job[str]])
    assert_type(await pool.options(queue="q").enqueue_many(call(ping) for _ in range(3)), list[Job[None]])
    await pool.enqueue_many([call(add, 1), call(greet, "Ada")])
    tuples = await pool.enqueue_many([("add", (n,)) for n in range(3)])
    assert_type(tuples, list[Job[Any]])
    untyped: list[tuple[str, tuple[int, int]]] = [("add", (1, 2))]
    await pool.enqueue_many(untyped)


async def results(pool: ArqRedis) -> None:
    job = await pool.enqueue(add, 1)
    assert_type(await job.result(timeout=5), int)
    assert_type(job.conflict, bool)
    assert_type(await job.status(), JobStatus)
    assert_type(await job.info(), JobDef | JobResult | None)
    bare: Job = Job("id", pool)
    assert_type(await bare.result(), Any)
    as_arq = await pool.enqueue_job("add", 1, _defer_by=5)
    if as_arq is not None:
        assert_type(await as_arq.result(), Any)


@task
async def count(ctx: dict[Any, Any], word: str, times: int = 1) -> int:
    return len(word) * times


@task(max_attempts=3, timeout=timedelta(minutes=1), backoff=[1, 60], retry_on=OSError, tags=["words"])
def shout(ctx: dict[Any, Any], word: str) -> str:
    return word.upper()


@task(backoff=lambda job: exponential(job.attempt), on_discard=print, unique=True)
async def later(ctx: dict[Any, Any]) -> int | Snooze:
    return Snooze(60)


async def tasks(pool: ArqRedis) -> None:
    made: Task[..., int] = count
    assert made
    assert_type(await (await pool.enqueue(count, "a", times=2)).result(), int)
    assert_type(await (await pool.enqueue(shout, "a")).result(), str)
    assert_type(await (await pool.enqueue(later)).result(), int | Snooze)
    job = await pool.options(max_attempts=3).enqueue(count, "a")
    assert_type(await job.errors(), list[FailedAttempt])
    await pool.enqueue_many([call(count, "a"), call(shout, "b")])


def workers() -> Sequence[Function | Any]:
    class Settings:
        functions = [add, limited, resize, count, shout, "app.tasks.add"]
        cron_jobs = [cron(ping, hour={9, 17}, minute=[0, 30], weekday="mon")]
        redis_settings = RedisSettings(database=1)

    run_worker(Settings, burst=True)
    run_worker(Settings(), burst=True)
    run_worker({"functions": [add]})
    assert_type(Worker([add, limited, plain, named]).jobs_complete, int)
    return Settings.functions


async def main() -> None:
    pool = await create_pool(RedisSettings())
    assert_type(pool, ArqRedis)
    await pool.set("it is", "a Redis client")
