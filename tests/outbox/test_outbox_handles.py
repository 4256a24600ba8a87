"""Handles on jobs that are committed and not in Redis yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from outbox_toys import QUEUE, LedgerStatus, Shop, confirm
from sqlalchemy.orm import Session

from arqlite import ArqRedis, Job, JobStatus
from arqlite.engine import RedisEngine
from arqlite.ledger import Cause
from arqlite.model.codec import Codec
from arqlite.outbox import delivery, marking, relay
from arqlite.transactions import Outbox

Eventually = Callable[..., Any]


async def commit(shop: Shop, **options: Any) -> Job[Any]:
    engine = shop.blocking_engine()

    def work() -> str:
        with Session(engine) as db, db.begin():
            return Outbox(shop.pool.ledger).options(**options).enqueue(db, confirm, "a", copies=2).job_id

    job_id = await asyncio.to_thread(work)
    engine.dispose()
    return Job(job_id, shop.pool)


async def test_it_waits_like_any_job(shop: Shop) -> None:
    """`status` and `info` tell of a job that the relay is about to push."""
    job, later = await commit(shop), await commit(shop, delay=60)

    info = await job.info()

    assert (await job.status(), await later.status()) == (JobStatus.queued, JobStatus.deferred)
    assert info is not None
    assert (info.function, info.args, info.kwargs) == ("confirm", ("a",), {"copies": 2})


async def test_result_is_waited_for(shop: Shop) -> None:
    """`result` waits for the push and the run."""
    job = await commit(shop)
    waiting = asyncio.create_task(job.result(timeout=5, poll_delay=0.01))
    await asyncio.sleep(0)
    await shop.relay().tick()
    engine = shop.pool.queue(QUEUE).engine
    assert (await engine.peek(job.job_id)).home == "ready"
    assert not waiting.done()

    await job.abort()

    error = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert isinstance(error, asyncio.CancelledError)


async def test_it_is_cancelled_before_its_push(shop: Shop) -> None:
    """`abort` closes the row, and nothing is pushed."""
    job = await commit(shop)

    assert await job.abort()

    await shop.relay().tick()
    row = await shop.row(job.job_id)
    assert (row.status, row.cause) == (LedgerStatus.CANCELLED, Cause.CANCELLED)
    assert await shop.queued() == set()


async def test_unknown_job_is_unknown(shop: Shop) -> None:
    """What neither Redis nor the ledger knows is not there."""
    job = Job[Any]("nobody", shop.pool)

    assert await job.status() is JobStatus.not_found
    assert not await job.abort()


async def test_cancellation_that_the_push_crossed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """A job that was cancelled in its row just as it was pushed is cancelled in its queue as well."""
    enqueue, cancelled = RedisEngine.enqueue, []

    async def crossed(engine: RedisEngine, jobs: Any) -> Any:
        refused = await enqueue(engine, jobs)
        cancelled.append(await shop.pool.outbox.cancel(QUEUE, job.job_id))
        return refused

    monkeypatch.setattr(RedisEngine, "enqueue", crossed)
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db).enqueue(confirm, "a")
        other = await shop.pool.options(session=db).enqueue(confirm, "b")

    async def is_cancelled() -> bool:
        return await job.status() is JobStatus.complete

    await eventually(is_cancelled)
    assert await shop.queued() == {other.job_id}
    assert cancelled == [True]


async def test_cancellation_that_the_relay_crossed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is when the relay pushed it."""
    if not shop.url.startswith("sqlite"):
        pytest.skip("the relay keeps its rows from others on PostgreSQL")
    job = await commit(shop)
    push = relay.push_again

    async def crossed(*args: Any, **options: Any) -> Any:
        assert await shop.pool.outbox.cancel(QUEUE, job.job_id)
        return await push(*args, **options)

    monkeypatch.setattr(relay, "push_again", crossed)
    await shop.relay().tick()

    assert await shop.queued() == set()
    assert await job.status() is JobStatus.complete


async def test_late_mark_of_an_earlier_job(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """A row that says that an earlier job of its id was cancelled says nothing of the later one."""
    write, is_enqueued, told = marking.write_marks, asyncio.Event(), list[Any]()

    async def write_late(*args: Any) -> Any:
        await is_enqueued.wait()
        told.append(await write(*args))
        return told[-1]

    monkeypatch.setattr(marking, "write_marks", write_late)
    async with shop.sessions() as db, db.begin():
        first = await shop.pool.options(session=db, job_id="x").enqueue(confirm, "first")
    assert await first.abort()

    async def is_closed() -> bool:
        return (await shop.row("x")).status == LedgerStatus.CANCELLED

    await eventually(is_closed)
    assert await first.delete()
    # Whose row comes later, or never.
    second = await ArqRedis(shop.pool.connection_pool).options(job_id="x").enqueue(confirm, "second")
    is_enqueued.set()
    await eventually(lambda: told)
    await shop.pool.outbox.aclose()

    assert not second.conflict
    assert await second.status() is JobStatus.queued


async def test_only_the_very_job_is_cancelled(shop: Shop) -> None:
    """Between a look into the rows and the word to Redis an id may be used again."""
    first = await shop.pool.options(job_id="x").enqueue(confirm, "first")
    engine, codec = shop.pool.queue(QUEUE).engine, Codec()
    records = {"x": (await engine.peek("x")).record}
    assert await first.abort()
    assert await first.delete()
    await delivery.cancel_all(engine, codec, records)
    await shop.pool.options(job_id="x").enqueue(confirm, "second")

    await delivery.cancel_all(engine, codec, records)
    assert await shop.queued() == {"x"}

    await delivery.cancel_all(engine, codec, {"x": (await engine.peek("x")).record})
    assert await shop.queued() == set()
