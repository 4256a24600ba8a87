"""A job in its caller's transaction: with the commit it is in Redis, with a rollback it is nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from outbox_toys import (
    QUEUE,
    LedgerStatus,
    Order,
    Session,
    Shop,
    blocking_engine,
    confirm,
    connect_args,
)
from sqlalchemy import Connection, event, insert, text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, create_async_engine

from arqlite import call
from arqlite.errors import ConfigurationError
from arqlite.transactions import Outbox

Eventually = Callable[..., Any]


async def test_job_is_in_redis_when_the_commit_returns(shop: Shop) -> None:
    """Before the commit Redis has nothing; when it has returned, the job is there."""
    async with shop.sessions() as db:
        db.add(Order(name="a"))
        job = await shop.pool.options(session=db).enqueue(confirm, "a", copies=2)
        assert await shop.queued() == set()

        await db.commit()

        assert await shop.queued() == {job.job_id}
    assert not job.conflict
    assert await shop.orders() == {"a"}


async def test_row_tells_what_was_asked(shop: Shop) -> None:
    """The QUEUED row has all that its job was enqueued with."""
    options: dict[str, Any] = {
        "delay": 60, "priority": 3, "tags": ["x"], "meta": {"m": 1}, "triggered_by": "ada", "parent": "p",
        "max_attempts": 7, "row": {"job_type": "MAIL", "user_id": 7, "input_payload": {"i": 1}},
    }  # fmt: skip
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db, **options).enqueue("confirm", "a", copies=2)

    row = await shop.row(job.job_id)
    assert (row.queue, row.function, row.job_type, row.status) == (QUEUE, "confirm", "MAIL", "QUEUED")
    assert (row.state, row.args, row.kwargs) == ("scheduled", ["a"], {"copies": 2})
    assert (row.tags, row.meta, row.priority) == (["x"], {"m": 1}, 3)
    assert (row.triggered_by, row.parent, row.user_id, row.max_attempts) == ("ada", "p", 7, 7)
    assert (row.attempt, row.input_payload) == (0, {"i": 1})
    assert row.scheduled_at is not None
    assert row.enqueued_at is not None
    assert (row.scheduled_at - row.enqueued_at).total_seconds() == 60


async def test_row_without_tags_has_none_of_them(shop: Shop) -> None:
    """Whoever reads rows finds a list of tags and a dict in `meta`, also where there are none."""
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db).enqueue(confirm, "a")

    row = await shop.row(job.job_id)
    assert (row.tags, row.meta) == ([], {})


async def test_rollback_leaves_nothing(shop: Shop) -> None:
    """A rolled-back transaction leaves no row, no order and no key."""
    async with shop.sessions() as db:
        db.add(Order(name="a"))
        await shop.pool.options(session=db).enqueue(confirm, "a")
        await db.rollback()

    assert await shop.untouched()


async def test_session_closed_without_a_commit_leaves_nothing(shop: Shop) -> None:
    """Leaving the block of a session rolls back what it did not commit."""
    async with shop.sessions() as db:
        await shop.pool.options(session=db).enqueue(confirm, "a")

    assert await shop.untouched()


async def test_error_in_the_block_leaves_nothing(shop: Shop) -> None:
    """An exception that leaves `session.begin()` takes the job along."""

    async def fail() -> None:
        async with shop.sessions() as db, db.begin():
            await shop.pool.options(session=db).enqueue(confirm, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await shop.untouched()


async def test_begin_block_pushes_at_its_end(shop: Shop) -> None:
    """`async with session.begin()` commits and pushes when it is left."""
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db).enqueue(confirm, "a")

    assert await shop.queued() == {job.job_id}


async def test_nothing_is_flushed_for_the_job(shop: Shop) -> None:
    """Objects that the caller has not flushed stay so."""
    async with shop.sessions() as db:
        order = Order(name="a")
        db.add(order)
        await shop.pool.options(session=db).enqueue(confirm, "a")

        assert order in db.new


async def test_session_is_used_again(shop: Shop) -> None:
    """Each transaction of one session has its own jobs: what one rolled back does not come with the next."""
    async with shop.sessions() as db:
        enqueue = shop.pool.options(session=db).enqueue
        first = await enqueue(confirm, "a")
        await db.commit()
        await enqueue(confirm, "b")
        await db.rollback()
        third = await enqueue(confirm, "c")
        await db.commit()

    assert await shop.queued() == {first.job_id, third.job_id} == set(await shop.rows())


async def test_savepoint_that_is_rolled_back_takes_its_jobs(shop: Shop) -> None:
    """Of nested savepoints only what was kept is pushed."""
    async with shop.sessions() as db, db.begin():
        enqueue = shop.pool.options(session=db).enqueue
        kept = [await enqueue(confirm, "before")]
        outer = await db.begin_nested()
        kept.append(await enqueue(confirm, "outer"))
        inner = await db.begin_nested()
        await enqueue(confirm, "inner")
        await inner.rollback()
        async with db.begin_nested():
            kept.append(await enqueue(confirm, "second"))
        await outer.commit()
        lost = await db.begin_nested()
        await enqueue(confirm, "lost")
        async with db.begin_nested():
            await enqueue(confirm, "lost, too")
        await lost.rollback()
        kept.append(await enqueue(confirm, "after"))

    assert await shop.queued() == {job.job_id for job in kept} == set(await shop.rows())


async def test_savepoint_from_before_the_first_job(shop: Shop) -> None:
    """A savepoint that was set before any job was enqueued takes all jobs along when it is rolled back."""
    async with shop.sessions() as db:
        db.add(Order(name="a"))
        await db.flush()
        savepoint = await db.begin_nested()
        await shop.pool.options(session=db).enqueue(confirm, "a")
        await savepoint.rollback()
        await db.commit()

    assert await shop.orders() == {"a"}
    assert (await shop.rows(), await shop.queued()) == ({}, set())


async def test_savepoint_that_comes_first_is_part_of_the_transaction(shop: Shop) -> None:
    """A savepoint before any change, released, goes with its transaction, on SQLite as well."""
    async with shop.sessions() as db:
        async with db.begin_nested():
            db.add(Order(name="a"))
            await shop.pool.options(session=db).enqueue(confirm, "a")
        await db.rollback()

    assert await shop.untouched()


async def test_session_without_transactions_is_refused(shop: Shop) -> None:
    """Where each statement is committed by itself, no rollback could take a job back: none is accepted."""
    engine = shop.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with AsyncSession(engine) as db:
        with pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
            await shop.pool.options(session=db).enqueue(confirm, "a")

    assert await shop.untouched()


async def test_engine_without_transactions_is_refused(shop: Shop) -> None:
    """An engine that was made so says it to its driver alone: its jobs ran after a rollback."""
    drivers_words: dict[str, dict[str, Any]] = {
        "sqlite": {"isolation_level": None},
        "psycopg": {"autocommit": True},
    }
    args = connect_args(shop.url, shop.schema)
    ways: list[dict[str, Any]] = [{"isolation_level": "AUTOCOMMIT", "connect_args": args}]
    ways += [{"connect_args": args | more} for word, more in drivers_words.items() if word in shop.url]
    for way in ways:
        engine = create_async_engine(shop.url, **way)
        async with AsyncSession(engine) as db:
            with pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
                await shop.pool.options(session=db).enqueue(confirm, "a")
        await engine.dispose()

    assert await shop.untouched()


async def test_blocking_engine_without_transactions_is_refused(shop: Shop) -> None:
    """Drivers that block are asked as well."""

    def work() -> None:
        engine = blocking_engine(shop.url, shop.schema, isolation_level="AUTOCOMMIT")
        with Session(engine) as db, pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
            Outbox(shop.pool.ledger).enqueue(db, confirm, "a")
        engine.dispose()

    await asyncio.to_thread(work)

    assert await shop.untouched()


async def test_transactions_that_the_application_begins_itself(shop: Shop) -> None:
    """An engine of SQLite whose transactions are begun by hand, as SQLAlchemy advises, has transactions."""
    if not shop.url.startswith("sqlite"):
        pytest.skip("other drivers begin them")
    engine = create_async_engine(shop.url)

    @event.listens_for(engine.sync_engine, "connect")
    def leave_it_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    async with AsyncSession(engine) as db:
        await shop.pool.options(session=db).enqueue(confirm, "rolled back")
        await db.rollback()
        assert await shop.untouched()
        kept = await shop.pool.options(session=db).enqueue(confirm, "kept")
        await db.commit()
    await engine.dispose()

    assert await shop.queued() == set(await shop.rows()) == {kept.job_id}


@pytest.mark.parametrize(
    "comment", ["", "/* traceparent='00-1*2' */ ", "-- mine\n", "\n /**/ /* a */--b\n\t"]
)
async def test_savepoint_in_words_of_sql(shop: Shop, comment: str) -> None:
    """A savepoint that somebody wrote by hand counts as well, also behind the comment of who traces it."""
    async with shop.sessions() as db:
        enqueue = shop.pool.options(session=db).enqueue
        kept = await enqueue(confirm, "a")
        await db.execute(text(f"{comment}SAVEPOINT mine"))
        await enqueue(confirm, "b")
        await db.execute(text(f"{comment}rollback to mine"))
        await db.commit()

    assert await shop.queued() == {kept.job_id} == set(await shop.rows())


async def test_savepoint_of_the_connection(shop: Shop) -> None:
    """A savepoint of the session's connection, and not of the session, counts as well."""
    async with shop.sessions() as db:
        enqueue = shop.pool.options(session=db).enqueue
        kept = await enqueue(confirm, "a")
        savepoint = await (await db.connection()).begin_nested()
        await enqueue(confirm, "b")
        await savepoint.rollback()
        await db.commit()

    assert await shop.queued() == {kept.job_id} == set(await shop.rows())


@pytest.mark.parametrize(
    "mode", ["conditional_savepoint", "rollback_only", "control_fully", "create_savepoint"]
)
@pytest.mark.parametrize("ends_well", [True, False])
async def test_session_in_somebody_elses_transaction(shop: Shop, mode: Any, ends_well: bool) -> None:
    """A session that joined a transaction of its connection pushes nothing before that one is committed."""
    async with shop.engine.connect() as connection:
        outer = await connection.begin()
        # Python's driver of SQLite begins a transaction with the first change, and not with a savepoint.
        await connection.execute(insert(Order).values(name="outer"))
        async with AsyncSession(bind=connection, join_transaction_mode=mode) as db:
            db.add(Order(name="a"))
            job = await shop.pool.options(session=db).enqueue(confirm, "a")
            await db.commit()
        if mode != "control_fully":
            assert await shop.queued() == set()
            await (outer.commit() if ends_well else outer.rollback())

    is_committed = ends_well or mode == "control_fully"
    await shop.relay().tick()
    assert await shop.queued() == ({job.job_id} if is_committed else set())
    assert set(await shop.rows()) == await shop.queued()


async def test_commit_that_fails_pushes_nothing(shop: Shop) -> None:
    """When the commit itself raises, there is no job."""
    async with shop.sessions() as db:
        await shop.pool.options(session=db).enqueue(confirm, "a")

        @event.listens_for(db.sync_session, "before_commit")
        def refuse(session: Session) -> None:
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            await db.commit()
        await db.rollback()

    assert await shop.untouched()


async def test_constraint_that_fails_at_the_flush_of_the_commit(shop: Shop) -> None:
    """What the commit flushes may break a rule of the database: then there is no job."""
    async with shop.sessions() as db:
        await shop.pool.options(session=db).enqueue(confirm, "a")
        db.add_all([Order(id=1, name="a"), Order(id=1, name="b")])
        with pytest.raises(Exception, match=r"(?i)unique|conflict"):
            await db.commit()

    assert await shop.untouched()


async def test_scoped_session(shop: Shop) -> None:
    """A registry stands for the session of the running task."""
    scoped = async_scoped_session(shop.sessions, scopefunc=asyncio.current_task)
    job = await shop.pool.options(session=scoped).enqueue(confirm, "a")
    await scoped.commit()
    await scoped.remove()

    assert await shop.queued() == {job.job_id}


async def test_many_jobs_of_one_transaction(shop: Shop) -> None:
    """`enqueue_many` goes into the transaction as well, and calls may have transactions of their own."""
    async with shop.sessions() as one, one.begin():
        jobs = await shop.pool.options(session=one).enqueue_many([call(confirm, str(n)) for n in range(600)])
        assert await shop.queued() == set()

    assert await shop.queued() == {job.job_id for job in jobs} == set(await shop.rows())


async def test_pushed_rows_are_marked_in_the_background(shop: Shop, eventually: Eventually) -> None:
    """Soon after the push the row says so."""
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db).enqueue(confirm, "a")

    await eventually(lambda: shop.is_marked(job.job_id))
    assert (await shop.row(job.job_id)).status is LedgerStatus.QUEUED


async def test_rows_of_many_have_their_own_columns(shop: Shop) -> None:
    """What is said of some of many rows is written, and nothing of it in the others."""
    async with shop.sessions() as db, db.begin():
        calls = [call(confirm, "a"), call(confirm, "b").options(row={"input_payload": {"b": 1}})]
        one, two = await shop.pool.options(session=db).enqueue_many(calls)

    rows = await shop.rows()
    assert (rows[one.job_id].input_payload, rows[two.job_id].input_payload) == (None, {"b": 1})
