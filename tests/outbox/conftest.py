"""A pool with a ledger, on SQLite and on PostgreSQL; its queue on fakeredis unless a test wants a server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import fakeredis
import pytest
from outbox_toys import AppBase, Shop
from postgres import postgres_url  # noqa: F401 (a fixture)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite import ArqRedis
from arqlite.ledger import Ledger, LedgerBase, configure_sqlite, create_missing_tables


@pytest.fixture(params=["sqlite", "asyncpg", "psycopg"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    """An application with a database, a ledger in it, and a pool."""
    schema = f"t{uuid.uuid4().hex}"
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
        engine = configure_sqlite(create_async_engine(url))
    else:
        server = request.getfixturevalue("postgres_url")
        url = server.replace("postgresql+asyncpg", f"postgresql+{request.param}")
        engine = create_async_engine(url, connect_args=_in_schema(request.param, schema))
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {schema}"))
    await create_missing_tables(engine, LedgerBase.metadata)
    await create_missing_tables(engine, AppBase.metadata)
    client = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())
    pool = ArqRedis(client.connection_pool, ledger=Ledger(engine))
    made = Shop(engine, pool, url, schema)
    yield made
    await pool.aclose(close_connection_pool=True)
    await engine.dispose()


def _in_schema(driver: str, schema: str) -> dict[str, object]:
    if driver == "asyncpg":
        return {"server_settings": {"search_path": schema}}
    return {"options": f"-csearch_path={schema}"}
