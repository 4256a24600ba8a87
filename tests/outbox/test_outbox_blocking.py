"""Programs without an event loop: `Outbox` writes rows, and the relay pushes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from outbox_toys import LedgerStatus, Order, Shop, confirm
from sqlalchemy import Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from arqlite import call, func
from arqlite.errors import ConfigurationError, InvalidArguments
from arqlite.ledger import Ledger
from arqlite.transactions import Outbox

Eventually = Callable[..., Any]


@pytest.fixture
def database(shop: Shop) -> Iterator[Engine]:
    engine = shop.blocking_engine()
    yield engine
    engine.dispose()


@pytest.fixture
def outbox(shop: Shop) -> Outbox:
    return Outbox(shop.pool.ledger)


async def test_committed_job_is_pushed_by_the_relay(shop: Shop, database: Engine, outbox: Outbox) -> None:
    """Redis is not asked for anything until the relay finds the row."""

    def view() -> str:
        with Session(database) as db, db.begin():
            db.add(Order(name="a"))
            return outbox.options(priority=2, triggered_by="ada").enqueue(db, confirm, "a", copies=2).job_id

    job_id = await asyncio.to_thread(view)
    assert await shop.queued() == set()

    await shop.relay().tick()

    assert await shop.queued() == {job_id}
    row = await shop.row(job_id)
    assert (row.args, row.kwargs, row.priority, row.triggered_by) == (["a"], {"copies": 2}, 2, "ada")
    assert await shop.orders() == {"a"}


async def test_rollback_leaves_nothing(shop: Shop, database: Engine, outbox: Outbox) -> None:
    """Neither a rollback nor a session that is only closed leaves anything."""

    def view() -> None:
        with Session(database) as db:
            outbox.enqueue(db, confirm, "a")
            db.rollback()
            outbox.enqueue(db, confirm, "b")

    await asyncio.to_thread(view)

    assert await shop.untouched()


async def test_savepoint_takes_its_jobs(shop: Shop, database: Engine, outbox: Outbox) -> None:
    """What a savepoint rolled back is not there, by whatever registry the session came."""

    def view() -> str:
        registry = scoped_session(sessionmaker(database))
        kept = outbox.enqueue(registry, confirm, "a")
        savepoint = registry.begin_nested()
        outbox.enqueue(registry, confirm, "b")
        savepoint.rollback()
        registry.commit()
        registry.remove()
        return kept.job_id

    assert {await asyncio.to_thread(view)} == set(await shop.rows())


async def test_pool_pushes_at_once(shop: Shop, database: Engine, eventually: Eventually) -> None:
    """With a pool, its loop pushes what a thread has committed."""
    outbox = Outbox(shop.pool.ledger, pool=shop.pool)

    def view() -> str:
        with Session(database) as db, db.begin():
            return outbox.enqueue(db, confirm, "a").job_id

    job_id = await asyncio.to_thread(view)

    await eventually(lambda: shop.is_marked(job_id))
    assert await shop.queued() == {job_id}


async def test_many(shop: Shop, database: Engine, outbox: Outbox) -> None:
    """Many jobs go in one call, each with options of its own."""

    def view() -> list[tuple[str, bool]]:
        with Session(database) as db, db.begin():
            calls = [call(confirm, "a"), call(confirm, "b").options(job_id="x", queue="mail")]
            jobs = outbox.options(queue="base").enqueue_many(db, calls)
            jobs += outbox.options(job_id="x").options(queue="mail").enqueue_many(db, [call("named")])
        return [(job.queue, job.conflict) for job in jobs]

    assert await asyncio.to_thread(view) == [("base", False), ("mail", False), ("mail", True)]
    assert {row.status for row in (await shop.rows()).values()} == {LedgerStatus.QUEUED}


async def test_calls_are_checked(shop: Shop, database: Engine, outbox: Outbox) -> None:
    """A call that the function cannot take is refused, and the transaction goes on."""

    def view() -> None:
        with Session(database) as db, db.begin():
            with pytest.raises(InvalidArguments):
                outbox.enqueue(db, func(confirm, name="confirm"), "a", cpies=2)  # type: ignore[call-arg]
            db.add(Order(name="a"))

    await asyncio.to_thread(view)

    assert (await shop.orders(), await shop.rows()) == ({"a"}, {})


async def test_what_needs_a_loop_is_refused(shop: Shop, outbox: Outbox) -> None:
    """An `AsyncSession` and the options of pools are refused in words, and so is a pool of another ledger."""
    async with shop.sessions() as db:
        with pytest.raises(ConfigurationError, match=r"await pool\.options"):
            outbox.enqueue(db, confirm, "a")  # type: ignore[call-overload]
        with pytest.raises(ConfigurationError, match="no option session"):
            outbox.options(session=db)
    with pytest.raises(ConfigurationError, match="no option ledger"):
        outbox.options(ledger="strict")
    with pytest.raises(ConfigurationError, match="the same ledger"):
        Outbox(Ledger("sqlite:///other.db"), pool=shop.pool)
