"""A ledger on SQLite, and on PostgreSQL where there is one."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ledger_toys import Base
from postgres import postgres_url  # noqa: F401 (a fixture)
from recorder_toys import Outage, Sessions, ToyLedger
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite.ledger import Ledger, LedgerBase, Recorder, configure_sqlite, create_missing_tables


@pytest.fixture(params=["sqlite", "postgres"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty ledger; the test runs once on each database. `psycopg` is PostgreSQL by its other driver."""
    if request.param == "sqlite":
        made = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}"))
    else:
        schema = f"t{uuid.uuid4().hex}"
        url = make_url(request.getfixturevalue("postgres_url"))
        options: dict[str, Any] = {"server_settings": {"search_path": schema}}
        if request.param == "psycopg":
            url, options = url.set(drivername="postgresql+psycopg"), {"options": f"-csearch_path={schema}"}
        made = create_async_engine(url, connect_args=options)
        async with made.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {schema}"))
    await create_missing_tables(made, Base.metadata)
    await create_missing_tables(made, LedgerBase.metadata)
    yield made
    await made.dispose()


@pytest.fixture(params=[False, True], ids=["kept", "expired"])
def expire_on_commit(request: pytest.FixtureRequest) -> bool:
    """Whether a commit expires what the session holds; the runner has to work with both."""
    return bool(request.param)


@pytest.fixture
def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on the ledger."""
    return async_sessionmaker(engine, expire_on_commit=False)


@pytest.fixture
async def db(engine: AsyncEngine, expire_on_commit: bool) -> AsyncIterator[AsyncSession]:
    """The session of the job under test."""
    async with async_sessionmaker(engine, expire_on_commit=expire_on_commit)() as session:
        yield session


@pytest.fixture
def outage(sessions: Sessions) -> Outage:
    """The ledger's sessions, with a switch for outages."""
    return Outage(sessions)


@pytest.fixture
def toy_ledger(engine: AsyncEngine, outage: Outage) -> ToyLedger:
    """The ledger, with a switch for outages."""
    return ToyLedger(engine, outage)


@pytest.fixture
async def recorder(toy_ledger: ToyLedger) -> AsyncIterator[Recorder]:
    """A recorder at work."""
    made = Recorder(toy_ledger, max_backoff=0.01, capacity=100)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def ledger(engine: AsyncEngine) -> Ledger:
    """A ledger with the library's own tables."""
    await create_missing_tables(engine, LedgerBase.metadata)
    return Ledger(engine)
