"""A queue and its ledger: fakeredis and the real server, SQLite and PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from postgres import postgres_url  # noqa: F401 (a fixture)
from reconcile_toys import Desk
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite import ArqRedis
from arqlite.engine import RedisEngine
from arqlite.ledger import Ledger


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger; the test runs once on each database."""
    if request.param == "sqlite":
        made = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
        await made.upgrade()
        yield made
        await made.aclose()
        return
    schema = f"t{uuid.uuid4().hex}"
    url = request.getfixturevalue("postgres_url")
    engine = create_async_engine(url, connect_args={"server_settings": {"search_path": schema}})
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
    made = Ledger(engine)
    await made.upgrade()
    yield made
    await engine.dispose()


@pytest_asyncio.fixture
async def desk(arq_redis: ArqRedis, ledger: Ledger) -> AsyncIterator[Desk]:
    """A queue, its ledger, and a reconciler that ticks when it is told to."""
    engine = RedisEngine(arq_redis, "q")
    engine.remember_ms = 300_000
    yield Desk(engine, ledger)
    await engine.close()
