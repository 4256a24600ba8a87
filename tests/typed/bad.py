"""Calls that type checkers must refuse, each on the line that says so; checked by tests/test_typed.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from arqlite import ArqRedis, Job, Workflow, call, cron, func, task


async def add(ctx: dict[Any, Any], a: int, b: int = 0) -> int:
    return a + b


async def greet(ctx: dict[Any, Any], name: str, *, at: datetime | None = None) -> str:
    return f"{name} at {at}"


def resize(ctx: dict[Any, Any], path: str) -> str:
    return path


limited = func(add, max_jobs=2)


async def enqueue(pool: ArqRedis) -> None:
    await pool.enqueue(add)  # refused: an argument is missing
    await pool.enqueue(add, "1")  # refused: a text is no int
    await pool.enqueue(add, 1, c=2)  # refused: there is no c
    await pool.enqueue(add, 1, 2, 3)  # refused: one argument too many
    await pool.enqueue(add, 1, _defer_by=5)  # refused: options do not ride in the call
    await pool.enqueue(greet, "Ada", datetime.now(UTC))  # refused: at goes by name
    await pool.enqueue(resize, 5)  # refused: an int is no text
    await pool.enqueue(limited, "1")  # refused: func() keeps the types
    await pool.enqueue(5)  # refused: an int is no function


async def options(pool: ArqRedis) -> None:
    await pool.options(delay="soon").enqueue(add, 1)  # refused: a text is no delay
    await pool.options(dely=5).enqueue(add, 1)  # refused: there is no such option
    await pool.options(delay=5).enqueue(add, "1")  # refused: options keep the types
    call(add, "1")  # refused: so does call
    call(add, 1).options(at=5)  # refused: an int is no moment
    await pool.options(ledger="later").enqueue(add, 1)  # refused: there is no such mode
    await pool.options(row=7).enqueue(add, 1)  # refused: an int is no row


async def flows(pool: ArqRedis) -> None:
    flow = Workflow("w")
    one = flow.add("one", call(add, 1))
    flow.add("two", call(resize, one.result))  # refused: what add gives is no text
    flow.add("three", add)  # refused: a function is no call
    flow.add("four", call(add, 1), after=[5])  # refused: an int is no step
    await pool.enqueue_workflow(call(add, 1))  # refused: a call is no workflow


async def results(pool: ArqRedis) -> None:
    job = await pool.enqueue(add, 1)
    text: str = await job.result()  # refused: the result is an int
    other: Job[str] = await pool.enqueue(add, 1)  # refused: so is the job's
    many: list[Job[str]] = await pool.enqueue_many([call(add, 1)])  # refused: and those of many
    assert text and other and many


@task
async def count(ctx: dict[Any, Any], word: str) -> int:
    return len(word)


@task(max_attempts=3)
def shout(ctx: dict[Any, Any], word: str) -> str:
    return word


async def tasks(pool: ArqRedis) -> None:
    await pool.enqueue(count, 5)  # refused: an int is no text
    await pool.enqueue(shout)  # refused: an argument is missing
    text: str = await (await pool.enqueue(count, "a")).result()  # refused: the result is an int
    assert text


task(max_attempt=3)  # refused: there is no such option
task(max_attempts="3")  # refused: a text is no number of attempts
cron(add, hour="nine")  # refused: a text is no hour
func(add, max_tries="3")  # refused: nor a number of tries
