"""The application on a database of its own, with pools that the test chooses."""

from __future__ import annotations

import atexit
import importlib
import shutil
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

with pytest.MonkeyPatch.context() as patch:
    # The settings are read once, here, and must not find those of the person who runs the tests.
    folder = tempfile.mkdtemp(prefix="arqlite-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    patch.setenv("DATA_DIR", folder)
    for name in ("REDIS_URL", "DATABASE_URL", "SMTP_HOST", "MAILBOX_PATH"):
        patch.delenv(name, raising=False)
    from app.core import config, database, queue
    from app.core.tasks import SECRETS

from postgres import postgres_url  # noqa: F401 (a fixture)
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from app.main import app
from app.models import ConnectedAccount, User
from app.workers import jobs
from arqlite import ArqRedis, Worker
from arqlite.ledger import Ledger, configure_sqlite

Mailbox = Callable[..., Path]


@pytest.fixture(params=["sqlite"])
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncEngine]:
    """The application's tables in an empty database: SQLite, or PostgreSQL where a test asks for it."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'app.db'}"
        made = configure_sqlite(create_async_engine(url, hide_parameters=True))
    else:
        schema = f"t{uuid.uuid4().hex}"
        made = create_async_engine(
            request.getfixturevalue("postgres_url"),
            connect_args={"server_settings": {"search_path": schema}},
        )
        async with made.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {schema}"))
    old = database.engine
    monkeypatch.setattr(database, "engine", made)
    monkeypatch.setattr(database, "ledger", Ledger(made, redact=SECRETS))
    database.AsyncSessionLocal.configure(bind=made)
    await database.create_tables()
    yield made
    database.AsyncSessionLocal.configure(bind=old)
    await made.dispose()


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A session of the application."""
    async with database.AsyncSessionLocal() as session:
        yield session


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    """Put a message into the test's mailbox; returns the mailbox."""
    folder = tmp_path / "mailbox"
    folder.mkdir()

    def put(name: str = "", raw: bytes = b"") -> Path:
        if name:
            (folder / name).write_bytes(raw)
        return folder

    return put


@pytest.fixture
async def account(db: AsyncSession, mailbox: Mailbox) -> ConnectedAccount:
    """User 1 and their account, connected to the test's mailbox."""
    user = User(email="ada@example.com", name="Ada")
    db.add(user)
    await db.flush()
    path = str(mailbox())
    made = ConnectedAccount(user_id=user.id, provider="mailbox", label=path, credentials={"path": path})
    db.add(made)
    await db.commit()
    return made


@pytest.fixture
async def pools(
    arq_redis: ArqRedis, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ArqRedis]:
    """Both pools open, on one Redis: what separates them is told by the settings, and tested there."""
    arq_redis.ledger = database.ledger
    monkeypatch.setattr(queue, "base_pool", arq_redis)
    monkeypatch.setattr(queue, "email_pool", arq_redis)
    yield arq_redis
    await arq_redis.aclose()  # before the database: its last rows are written here


@pytest.fixture
async def no_redis(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ArqRedis]:
    """Both pools open, on a Redis that is away."""
    pool = ArqRedis(unix_socket_path="/nowhere/redis.sock", ledger=database.ledger)
    monkeypatch.setattr(queue, "base_pool", pool)
    monkeypatch.setattr(queue, "email_pool", pool)
    yield pool
    await pool.aclose(close_connection_pool=True)


@pytest.fixture
def work(engine: AsyncEngine, pools: ArqRedis, make_worker: Callable[..., Worker]) -> Callable[..., Worker]:
    """Make a worker that knows every function of the application and keeps the ledger."""

    def make(**options: object) -> Worker:
        functions = [
            jobs.sample_task,
            jobs.send_email,
            jobs.send_otp_email,
            jobs.run_email_fetch,
            jobs.run_email_extraction,
        ]
        return make_worker(functions, ledger=database.ledger, allow_abort_jobs=True, **options)

    return make


@pytest.fixture
def email_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The e-mail worker's settings, which start no server for the test; the next import is a new one."""
    name = "app.core.worker.email_settings"
    kept = sys.modules.pop(name, None)
    monkeypatch.setattr(config, "redis_url", lambda: "redis://unused.example")
    yield importlib.import_module(name).WorkerSettings
    del sys.modules[name]
    if kept is not None:
        sys.modules[name] = kept


@pytest.fixture
async def api(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    """The API, without its lifespan: database and pools are the test's."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def data_dir() -> Path:
    """The application's data folder."""
    return config.settings.data_dir
