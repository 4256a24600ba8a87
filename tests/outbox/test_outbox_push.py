"""The push after the commit: it holds nobody up for long, and what it does not do, the relay does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from outbox_toys import Order, Shop, confirm
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from arqlite import ArqRedis
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError
from arqlite.ledger import JobRow, Ledger
from arqlite.outbox import delivery
from arqlite.telemetry import JobEnqueued, attach, detach

Eventually = Callable[..., Any]


class Server:
    """Stands between an engine and its server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()
        self.is_away = False
        enqueue = RedisEngine.enqueue

        async def through(engine: RedisEngine, jobs: Any) -> Any:
            self.asked.set()
            if self.is_away:
                raise RedisAway("gone")
            await self.answers.wait()
            return await enqueue(engine, jobs)

        monkeypatch.setattr(RedisEngine, "enqueue", through)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


async def test_slow_redis_holds_up_no_commit(
    shop: Shop, server: Server, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """A commit waits for the push for a moment only; the push goes on."""
    monkeypatch.setattr(delivery, "PATIENCE_S", 0.01)
    async with shop.sessions() as db:
        job = await shop.pool.options(session=db).enqueue(confirm, "a")
        await db.commit()
    assert await shop.queued() == set()

    server.answers.set()

    await eventually(lambda: shop.is_marked(job.job_id))
    assert await shop.queued() == {job.job_id}


async def test_redis_that_is_away_fails_no_commit(shop: Shop, server: Server) -> None:
    """The commit is the caller's: it returns, and the relay pushes later."""
    server.is_away = True
    async with shop.sessions() as db:
        db.add(Order(name="a"))
        job = await shop.pool.options(session=db).enqueue(confirm, "a")
        await db.commit()
    server.is_away = False
    server.answers.set()

    await shop.relay().tick()

    assert await shop.orders() == {"a"}
    assert await shop.queued() == {job.job_id}
    assert await shop.is_marked(job.job_id)


async def test_outage_is_told_once(shop: Shop, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Every commit meets the same outage: the log tells of it once."""
    server.is_away = True
    async with shop.sessions() as db:
        for name in "abc":
            await shop.pool.options(session=db).enqueue(confirm, name)
            await db.commit()

    assert [record.levelname for record in caplog.records if "relay" in record.message] == ["WARNING"]


async def test_cancelled_caller_leaves_the_push_going_on(
    shop: Shop, server: Server, eventually: Eventually
) -> None:
    """Who is cancelled during the push has committed: the job is pushed, and the session can be closed."""
    db = shop.sessions()
    job = await shop.pool.options(session=db).enqueue(confirm, "a")
    commit = asyncio.create_task(db.commit())
    await server.asked.wait()

    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    server.answers.set()

    await eventually(lambda: shop.is_marked(job.job_id))
    second = await shop.pool.options(session=db).enqueue(confirm, "b")
    await db.commit()
    await db.close()
    assert await shop.queued() == {job.job_id, second.job_id}


async def test_connection_is_given_back_before_the_push(shop: Shop, server: Server) -> None:
    """While a job is pushed, its caller's connection serves others."""
    async with shop.sessions() as db:
        await shop.pool.options(session=db).enqueue(confirm, "a")
        commit = asyncio.create_task(db.commit())
        await server.asked.wait()

        lent = getattr(shop.engine.pool, "checkedout", lambda: 0)()
        server.answers.set()
        await commit

    assert lent == 0


async def test_telemetry_hears_of_the_job_when_redis_has_it(shop: Shop) -> None:
    """`JobEnqueued` is told after the push, and not of what is rolled back."""
    heard: list[str] = []
    attach("test", (JobEnqueued,), lambda event: heard.append(event.job_id))
    try:
        async with shop.sessions() as db:
            job = await shop.pool.options(session=db).enqueue(confirm, "a")
            assert heard == []
            await db.commit()
            assert heard == [job.job_id]
            await shop.pool.options(session=db).enqueue(confirm, "b")
            await db.rollback()
    finally:
        detach("test")

    assert heard == [job.job_id]


async def test_blocking_session_in_the_loop(shop: Shop) -> None:
    """A `Session` that is committed in the loop's own thread has its jobs pushed right after."""
    engine = shop.blocking_engine()
    with Session(engine) as db:
        job = await shop.pool.options(session=db).enqueue(confirm, "a")
        db.commit()
    assert await shop.queued() == set()

    assert (await job.status()).value == "queued"

    assert await shop.queued() == {job.job_id}
    engine.dispose()


async def test_blocking_session_that_is_committed_in_a_thread(shop: Shop, eventually: Eventually) -> None:
    """A thread that commits asks the pool's loop for the push."""
    engine = shop.blocking_engine()
    registry = scoped_session(sessionmaker(engine), scopefunc=lambda: 1)
    if shop.url.startswith("sqlite"):
        pytest.skip("a connection of SQLite stays in its thread")
    job = await shop.pool.options(session=registry).enqueue(confirm, "a")

    await asyncio.to_thread(registry.commit)

    await eventually(lambda: shop.is_marked(job.job_id))
    registry.remove()
    engine.dispose()


async def test_commit_in_another_loop_is_pushed_by_the_pools(shop: Shop, eventually: Eventually) -> None:
    """A pool works in its loop only; whoever commits in another one leaves the push to it."""
    if shop.url.startswith("sqlite"):
        pytest.skip("a connection of SQLite stays in its thread")
    engine = shop.blocking_engine()
    db = Session(engine)
    job = await shop.pool.options(session=db).enqueue(confirm, "a")

    async def commit() -> None:
        db.commit()

    thread = threading.Thread(target=lambda: asyncio.run(commit()))
    thread.start()
    await asyncio.to_thread(thread.join)

    await eventually(lambda: shop.is_marked(job.job_id))
    db.close()
    engine.dispose()


async def test_blocking_code_of_an_async_session(shop: Shop) -> None:
    """`AsyncSession.run_sync` may commit as well."""
    async with shop.sessions() as db:
        job = await shop.pool.options(session=db).enqueue(confirm, "a")
        await db.run_sync(lambda session: session.commit())

        assert await shop.queued() == {job.job_id}


async def test_closing_the_pool_finishes_what_was_begun(shop: Shop) -> None:
    """Marks that wait are written when the pool is closed."""
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db).enqueue(confirm, "a")

    await shop.pool.aclose()

    assert await shop.is_marked(job.job_id)


async def test_session_needs_a_ledger(shop: Shop) -> None:
    """Without a ledger the option says what is missing."""
    shop.pool.ledger, ledger = None, shop.pool.ledger
    async with shop.sessions() as db:
        with pytest.raises(ConfigurationError, match="create_pool"):
            await shop.pool.options(session=db).enqueue(confirm, "a")
    shop.pool.ledger = ledger


@pytest.mark.parametrize(
    "row", [{"user_id": 2**63}, {"job_type": "a\0b"}, {"job_type": "a\ud800"}], ids=["long", "nul", "half"]
)
@pytest.mark.parametrize("way", ["session", "strict", "behind"])
async def test_values_that_no_database_takes(shop: Shop, row: dict[str, Any], way: str) -> None:
    """They are refused in words, whichever way a row is written: behind, the QUEUED row was left out."""
    async with shop.sessions() as db:
        where: dict[str, Any] = {"session": db} if way == "session" else {"ledger": way}
        with pytest.raises(ConfigurationError, match=f"{next(iter(row))} must be"):
            await shop.pool.options(row=row, **where).enqueue(confirm, "a")

    assert await shop.untouched()


@pytest.mark.parametrize("row", [{"nonsense": 1}, {"status": "QUEUED"}, {"triggered_by": "x"}, {"id": "x"}])
async def test_columns_that_are_none_of_the_callers(shop: Shop, row: dict[str, Any]) -> None:
    """Unknown columns, and those that the library keeps, are refused in words; nothing is written."""
    async with shop.sessions() as db:
        with pytest.raises(ConfigurationError, match=next(iter(row))):
            await shop.pool.options(session=db, row=row).enqueue(confirm, "a")
        await db.commit()

    assert await shop.rows() == {}


@pytest.mark.parametrize("way", ["session", "strict", "behind"])
async def test_columns_that_are_no_json(shop: Shop, eventually: Eventually, way: str) -> None:
    """What JSON has no word for is told as in outputs, whichever way a row is written."""
    said = {"input_payload": {"nan": float("nan"), "half": "caf\udce9"}}
    async with shop.sessions() as db:
        where: dict[str, Any] = {"session": db} if way == "session" else {"ledger": way}
        job = await shop.pool.options(row=said, **where).enqueue(confirm, "a")
        await db.commit()

    async def has_row() -> bool:
        return job.job_id in await shop.rows()

    await eventually(has_row)
    row = await shop.row(job.job_id)
    assert row.input_payload == {"nan": None, "half": "caf\udce9"}


async def test_what_is_hidden_cannot_wait_in_a_row(shop: Shop) -> None:
    """A job with arguments that the ledger must not hold is refused in a transaction, in words."""
    shop.pool.ledger.redaction.__init__(("name",))  # type: ignore[misc]
    async with shop.sessions() as db:
        with pytest.raises(ConfigurationError, match="must not hold"):
            await shop.pool.options(session=db).enqueue(confirm, "a")
        job = await shop.pool.options(session=db).enqueue(confirm, copies=3)
        await db.commit()

    assert await shop.queued() == {job.job_id}


async def test_session_of_another_kind_of_database(shop: Shop) -> None:
    """A session that leads elsewhere is refused before anything is written."""
    other = (
        "postgresql+asyncpg://nobody@localhost:1/none"
        if shop.url.startswith("sqlite")
        else "sqlite+aiosqlite://"
    )
    engine = create_async_engine(other)
    async with AsyncSession(engine) as db:
        with pytest.raises(ConfigurationError, match="the session is on"):
            await shop.pool.options(session=db).enqueue(confirm, "a")
    await engine.dispose()


async def test_session_of_another_file(tmp_path: Path) -> None:
    """A session on another file of SQLite is refused: no relay would ever look there."""
    client = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())
    pool = ArqRedis(client.connection_pool, ledger=Ledger(f"sqlite:///{tmp_path}/jobs.db"))
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db")
    async with AsyncSession(engine) as db:
        with pytest.raises(ConfigurationError, match=r"shop\.db and the ledger on .*jobs\.db"):
            await pool.options(session=db).enqueue(confirm, "a")
    await engine.dispose()
    await pool.aclose(close_connection_pool=True)


async def test_same_file_by_another_path(shop: Shop, tmp_path: Path) -> None:
    """A file may be named in more than one way."""
    if not shop.url.startswith("sqlite"):
        pytest.skip("servers have no files")
    (tmp_path / "link").symlink_to(tmp_path)
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/link/shop.db")
    async with AsyncSession(engine) as db, db.begin():
        job = await shop.pool.options(session=db).enqueue(confirm, "a")
    await engine.dispose()

    assert await shop.queued() == {job.job_id}


async def test_missing_tables_are_told(shop: Shop) -> None:
    """Who enqueues in a database without the tables of the ledger is told how they come to be there."""
    async with shop.engine.begin() as connection:
        await connection.run_sync(JobRow.metadata.tables[JobRow.__tablename__].drop)
    async with shop.sessions() as db:
        with pytest.raises(DBAPIError) as caught:
            await shop.pool.options(session=db).enqueue(confirm, "a")

    assert any("arqlite db upgrade" in note for note in caught.value.__notes__)
