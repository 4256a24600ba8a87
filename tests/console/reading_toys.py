"""What the tests of the console's reading share: places with a ledger and without, and fixtures."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from sqlalchemy import insert, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from arqlite import ArqRedis
from arqlite.connections import RedisSettings
from arqlite.console import Console, JobLine
from arqlite.ledger import JobRow, Ledger, configure_sqlite
from arqlite.model.query import Query

NOWHERE = "127.0.0.1"
"""With port 1: nobody listens there."""


@pytest.fixture(params=["sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger; the test runs once on each database."""
    if request.param == "sqlite":
        engine = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}"))
    else:
        schema = f"t{uuid.uuid4().hex}"
        url = make_url(request.getfixturevalue("postgres_url"))
        options: dict[str, Any] = {"server_settings": {"search_path": schema}}
        engine = create_async_engine(url, connect_args=options)
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {schema}"))
    made = Ledger(engine, read_timeout=30)
    await made.upgrade()
    yield made
    await engine.dispose()


@pytest.fixture
async def fake() -> AsyncIterator[ArqRedis]:
    """An empty pool on fakeredis, for tests that are about rows."""
    pool = fake_pool()
    yield pool
    await pool.aclose(close_connection_pool=True)


def fake_pool(**options: Any) -> ArqRedis:
    return ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool, **options)


def settings(pool: ArqRedis | None, ledger: Ledger | None = None, **more: Any) -> dict[str, Any]:
    """What stands in worker settings; without a pool it is a Redis that is away."""
    where: dict[str, Any] = {"redis_pool": pool}
    if pool is None:
        where = {"redis_settings": RedisSettings(host=NOWHERE, port=1, conn_timeout=1)}
    return {"functions": [toy], **where, "ledger": ledger, **more}


async def toy(ctx: dict[Any, Any], user_id: int = 0, **options: Any) -> None:
    """Do nothing."""


def away_ledger() -> Ledger:
    """A ledger whose database nobody serves."""
    return Ledger(f"postgresql://nobody@{NOWHERE}:1/none")


async def fill(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """Write rows."""
    names = list(dict.fromkeys(name for one in rows for name in one))
    async with ledger.sessions.begin() as db:
        await db.execute(insert(JobRow), [{name: one.get(name) for name in names} for one in rows])


async def all_jobs(console: Console, line: str = "", *, limit: int = 50) -> list[JobLine]:
    """The jobs of all pages."""
    found: list[JobLine] = []
    after: str | None = None
    for _ in range(1_000):
        page = await console.jobs(Query.parse(line), after=after, limit=limit)
        found += page.jobs
        after = page.next
        if after is None:
            return found
    raise AssertionError("the list does not end")


async def ids(console: Console, line: str = "", *, limit: int = 50) -> list[str]:
    return [one.id for one in await all_jobs(console, line, limit=limit)]
