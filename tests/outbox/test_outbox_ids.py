"""Ids of one's own and unique jobs, in transactions: who is there already, and when that is found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from outbox_toys import LedgerStatus, Shop, confirm
from sqlalchemy import update

from arqlite import Unique, call
from arqlite.errors import JobConflict
from arqlite.ledger import Cause, JobRow, utc_now

Eventually = Callable[..., Any]


async def finish(shop: Shop, job_id: str) -> None:
    """End a job: Redis forgets it, and its row says SUCCESS."""
    await shop.pool.delete("aq:{arq:queue}:jobs", "aq:{arq:queue}:ready")
    async with shop.sessions() as db, db.begin():
        end = {
            "status": LedgerStatus.SUCCESS,
            "finished_at": utc_now(),
            "attempt": 1,
            "output_payload": "done",
        }
        await db.execute(update(JobRow).where(JobRow.id == job_id).values(**end))


async def test_id_in_use_is_a_conflict(shop: Shop) -> None:
    """An id whose job is open is not enqueued again, be it in Redis or still in this transaction."""
    async with shop.sessions() as db:
        options = shop.pool.options(session=db, job_id="x")
        first, second = await options.enqueue(confirm, "a"), await options.enqueue(confirm, "b")
        await db.commit()
        third = await options.enqueue(confirm, "c")
        await db.commit()

    assert [job.conflict for job in (first, second, third)] == [False, True, True]
    assert (await shop.row("x")).args == ["a"]


async def test_id_of_a_job_in_sql_only_is_in_use(shop: Shop) -> None:
    """An open row keeps the id, though Redis has forgotten its job."""
    async with shop.sessions() as db:
        options = shop.pool.options(session=db, job_id="x")
        await options.enqueue(confirm, "a")
        await db.commit()
        await shop.pool.flushall()
        again = await options.enqueue(confirm, "b")
        await db.commit()

    assert again.conflict


async def test_id_of_a_finished_job_begins_anew(shop: Shop) -> None:
    """When the earlier job has ended and Redis has forgotten it, its row begins anew."""
    async with shop.sessions() as db:
        options = shop.pool.options(session=db, job_id="x")
        await options.enqueue(confirm, "a")
        await db.commit()
        await finish(shop, "x")
        again = await options.enqueue(confirm, "b")
        await db.commit()

    row = await shop.row("x")
    assert not again.conflict
    assert (row.status, row.args, row.attempt, row.output_payload) == (LedgerStatus.QUEUED, ["b"], 0, None)
    assert row.finished_at is None
    assert await shop.queued() == {"x"}


async def test_rolled_back_reuse_leaves_the_finished_row(shop: Shop) -> None:
    """The row of the earlier job is as it was when the later one is rolled back."""
    async with shop.sessions() as db:
        options = shop.pool.options(session=db, job_id="x")
        await options.enqueue(confirm, "a")
        await db.commit()
        await finish(shop, "x")
        await options.enqueue(confirm, "b")
        await db.rollback()

    assert (await shop.row("x")).status is LedgerStatus.SUCCESS


async def test_equal_job_in_redis_is_a_conflict(shop: Shop) -> None:
    """A unique job is not enqueued where Redis has an equal one; no row is written."""
    there = await shop.pool.options(unique=True).enqueue(confirm, "a")
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db, unique=True).enqueue(confirm, "a")

    assert (job.conflict, job.job_id) == (True, there.job_id)


async def test_equal_job_in_redis_raises_where_its_rule_says_so(shop: Shop) -> None:
    """`on_conflict="raise"` raises at once, and the transaction goes on."""
    await shop.pool.options(unique=True).enqueue(confirm, "a")
    async with shop.sessions() as db, db.begin():
        options = shop.pool.options(session=db, unique=Unique(on_conflict="raise", period=Unique.forever))
        with pytest.raises(JobConflict):
            await options.enqueue(confirm, "a")
        other = await options.enqueue(confirm, "b")

    assert other.job_id in await shop.queued()


async def test_equal_jobs_of_one_transaction(shop: Shop) -> None:
    """Of equal jobs in one transaction the first counts, unless its savepoint is rolled back."""
    async with shop.sessions() as db, db.begin():
        options = shop.pool.options(session=db, unique=True)
        await options.enqueue(confirm, "0")
        savepoint = await db.begin_nested()
        await options.enqueue(confirm, "a")
        await savepoint.rollback()
        jobs = await options.enqueue_many([call(confirm, "a"), call(confirm, "a")])
        later = await options.enqueue(confirm, "a")

    assert [job.conflict for job in (*jobs, later)] == [False, True, True]
    assert {job.job_id for job in (*jobs, later)} == {jobs[0].job_id}
    assert jobs[0].job_id in await shop.queued()


async def test_equal_jobs_of_two_transactions(shop: Shop, eventually: Eventually) -> None:
    """Neither of two open transactions sees the other's job: the push decides, and the later one's row tells."""
    if shop.url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time")
    async with shop.sessions() as one, shop.sessions() as two:
        first = await shop.pool.options(session=one, unique=True).enqueue(confirm, "a")
        second = await shop.pool.options(session=two, unique=True).enqueue(confirm, "a")
        await one.commit()
        await two.commit()

    async def is_closed() -> bool:
        return (await shop.row(second.job_id)).status is LedgerStatus.CANCELLED

    await eventually(is_closed)
    row = await shop.row(second.job_id)
    assert (row.cause, row.state) == (Cause.DUPLICATE, "cancelled")
    assert first.job_id in row.error_payload["message"]
    assert await shop.queued() == {first.job_id}


async def test_replacing_waits_for_the_commit(shop: Shop, eventually: Eventually) -> None:
    """What an equal job takes over, it takes over with the commit, and not with a rollback."""
    there = await shop.pool.options(unique=True, priority=9).enqueue(confirm, "a")
    unique = {"period": Unique.forever, "replace": ["priority"]}

    async def priority() -> int:
        return (await shop.pool.queue("arq:queue").engine.peek(there.job_id)).record[1]

    async with shop.sessions() as db:
        options = shop.pool.options(session=db, unique=unique, priority=2)
        assert (await options.enqueue(confirm, "a")).conflict
        await db.rollback()
        assert await priority() == 9
        await options.enqueue(confirm, "a")
        await db.commit()

    assert await priority() == 2


async def test_change_by_hand_does_not_make_it_another_job(shop: Shop) -> None:
    """A job whose record was changed since its push is the same job when the relay pushes it again."""
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db, job_id="x", priority=3).enqueue(confirm, "a")
    engine = shop.pool.queue("arq:queue").engine
    peek = await engine.peek("x")
    changed = peek.record.replace(b'"p":3', b'"p":4')
    assert await engine.rewrite("x", peek.record, changed, "asr", "") == "done"
    async with shop.sessions() as db, db.begin():
        await db.execute(update(JobRow).values(pushed_at=None))

    await shop.relay().tick()

    row = await shop.row(job.job_id)
    assert (row.status, row.pushed_at is not None) == (LedgerStatus.QUEUED, True)
