"""The relay: what was committed and is not in Redis comes there, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from outbox_toys import QUEUE, LedgerStatus, Shop, confirm
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from arqlite import call
from arqlite.engine import RedisEngine
from arqlite.ledger import Cause, JobRow
from arqlite.transactions import Outbox
from arqlite.utils import timestamp_ms

Eventually = Callable[..., Any]


async def commit(shop: Shop, *names: str, **options: Any) -> list[str]:
    """Commit jobs that nobody pushes."""
    engine = shop.blocking_engine()
    outbox = Outbox(shop.pool.ledger).options(**options)

    def work() -> list[str]:
        from sqlalchemy.orm import Session

        with Session(engine) as db, db.begin():
            jobs = outbox.enqueue_many(db, [call(confirm, name) for name in names])
        return [job.job_id for job in jobs]

    ids = await asyncio.to_thread(work)
    engine.dispose()
    return ids


async def test_committed_jobs_are_pushed_and_marked(shop: Shop) -> None:
    """More of them than fit into one batch, with all that they were enqueued with."""
    ids = await commit(shop, *map(str, range(700)), priority=4)
    [later] = await commit(shop, "later", delay=3600)

    await shop.relay().tick()

    rows = await shop.rows()
    assert await shop.queued() == {*ids, later} == set(rows)
    assert all(row.pushed_at is not None for row in rows.values())
    engine = shop.pool.queue(QUEUE).engine
    assert (await engine.peek(ids[0])).record[1] == 4
    peek = await engine.peek(later)
    assert peek.home == "scheduled"
    assert abs(peek.ms - timestamp_ms() - 3_600_000) < 60_000


async def test_second_push_changes_nothing(shop: Shop) -> None:
    """A job that was pushed and not marked is there once, whoever pushes it again."""
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db).enqueue(confirm, "a")
    await shop.pool.outbox.aclose()
    async with shop.sessions() as db, db.begin():
        await db.execute(update(JobRow).values(pushed_at=None))

    await asyncio.gather(shop.relay().tick(), shop.relay().tick())

    assert (await shop.pool.queue(QUEUE).engine.size()).jobs == 1
    assert await shop.is_marked(job.job_id)


@pytest.mark.parametrize("status", [status for status in LedgerStatus if status != LedgerStatus.QUEUED])
async def test_job_that_has_begun_is_not_pushed(shop: Shop, status: LedgerStatus) -> None:
    """A row that is not QUEUED any more tells that its job was in Redis, marked or not."""
    await commit(shop, "a")
    async with shop.sessions() as db, db.begin():
        await db.execute(update(JobRow).values(status=status))

    await shop.relay().tick()

    assert await shop.queued() == set()


async def test_young_rows_are_left_to_those_who_wrote_them(shop: Shop) -> None:
    """The process that committed a job has a second for its push."""
    [job_id] = await commit(shop, "a")
    now_ms = timestamp_ms()

    await shop.relay(age=60, now_ms=lambda: now_ms).tick()
    assert await shop.queued() == set()
    await shop.relay(age=60, now_ms=lambda: now_ms + 61_000).tick()
    assert await shop.queued() == {job_id}


async def test_rows_of_a_clock_that_is_ahead(shop: Shop) -> None:
    """Where the clock of who committed a job is ahead, the relay waits for no moment of its own."""
    [job_id] = await commit(shop, "a")
    now_ms = timestamp_ms()

    await shop.relay(age=20, now_ms=lambda: now_ms - 15_000).tick()
    assert await shop.queued() == set()
    await shop.relay(age=1, now_ms=lambda: now_ms - 15_000).tick()
    assert await shop.queued() == {job_id}


async def test_other_queues_are_left_alone(shop: Shop) -> None:
    """Another queue may be on another Redis: its own workers push its jobs."""
    await commit(shop, "a", queue="mail")

    await shop.relay().tick()

    assert await shop.pool.queued_jobs(queue_name="mail") == []


async def test_duplicates_are_closed(shop: Shop) -> None:
    """A job that the queue does not take ends as CANCELLED, and its row names the one that is there."""
    there = await shop.pool.options(unique=True).enqueue(confirm, "a")
    [refused] = await commit(shop, "a", unique=True)
    await shop.pool.options(job_id="x").enqueue(confirm, "b")
    await shop.pool.outbox.aclose()
    async with shop.sessions() as db, db.begin():
        await db.execute(JobRow.__table__.delete().where(JobRow.id == "x"))  # type: ignore[attr-defined]
    await commit(shop, "c", job_id="x")

    await shop.relay().tick()

    rows = await shop.rows()
    for job_id, named in ((refused, there.job_id), ("x", "x")):
        assert (rows[job_id].status, rows[job_id].cause) == (LedgerStatus.CANCELLED, Cause.DUPLICATE)
        assert named in rows[job_id].error_payload["message"]
        assert rows[job_id].finished_at is not None


async def test_nothing_is_pushed_while_somebody_says_no(shop: Shop) -> None:
    """Where ends of jobs are still to be written, nothing that may have ended is pushed."""
    [job_id] = await commit(shop, "a")
    allowed = [False, True]

    async def may_push() -> bool:
        return allowed.pop(0)

    relay = shop.relay(may_push=may_push)
    await relay.tick()
    assert await shop.queued() == set()
    await relay.tick()
    assert await shop.queued() == {job_id}


async def test_relay_waits_for_redis(shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """While Redis is away it waits longer and longer, says so once, and goes on afterwards."""
    [job_id] = await commit(shop, "a")
    relay = shop.relay()
    with monkeypatch.context() as broken:

        async def fail(engine: RedisEngine, jobs: Any) -> None:
            raise RedisAway("gone")

        broken.setattr(RedisEngine, "restore", fail)
        pauses = []
        for _ in range(4):
            await relay.tick()
            pauses.append(relay.next_pause())
    assert pauses[3] > 3 * pauses[0]

    await relay.tick()

    assert await shop.queued() == {job_id}
    assert [record.levelname for record in caplog.records if "relay" in record.message] == ["WARNING"] * 2


async def test_relay_waits_for_the_database(shop: Shop) -> None:
    """While the database is away the relay waits as well, and loses nothing."""
    [job_id] = await commit(shop, "a")
    relay = shop.relay()

    def fail(*_: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    event.listen(shop.engine.sync_engine, "before_cursor_execute", fail)
    await relay.tick()
    event.remove(shop.engine.sync_engine, "before_cursor_execute", fail)

    await relay.tick()

    assert await shop.queued() == {job_id}


async def test_relay_that_is_told_looks_at_once(shop: Shop, eventually: Eventually) -> None:
    """A hurry ends its pause."""
    relay = shop.relay()
    relay.interval = 3600
    await relay.start()
    [job_id] = await commit(shop, "a")

    relay.hurry()

    await eventually(lambda: shop.is_marked(job_id))
    await relay.stop()
