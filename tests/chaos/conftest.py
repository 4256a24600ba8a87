"""A server that can be killed, a proxy that breaks connections, and a fleet of worker processes."""

from __future__ import annotations

import gc
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from chaos_fleet import Fleet
from chaos_proxy import Proxy
from chaos_server import ChaosServer
from chaos_trace import Trace
from postgres import postgres_url  # noqa: F401 (a fixture)
from sqlalchemy import create_engine, make_url, text

from arqlite import create_pool
from arqlite.connections import ArqRedis, RedisSettings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.real)
            # redis-py drops a connection cut in its greeting without closing it; the collector may meet it at
            # any moment.
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ChaosServer]:
    """A server of its own for each test, with an append-only file."""
    server = ChaosServer(tmp_path / "server")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[ChaosServer]:
    """Another server, which follows none until it is told to."""
    replica = ChaosServer(tmp_path / "replica")
    replica.start()
    yield replica
    replica.stop()


@pytest.fixture
def proxy(server: ChaosServer) -> Iterator[Proxy]:
    """A proxy before the server that passes everything until told otherwise."""
    proxy = Proxy(server.port)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest_asyncio.fixture
async def pool(server: ChaosServer) -> AsyncIterator[ArqRedis]:
    """A client of the server, not through the proxy."""
    pool = await create_pool(RedisSettings.from_dsn(server.url()))
    yield pool
    await pool.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def fleet(server: ChaosServer, pool: ArqRedis, tmp_path: Path) -> AsyncIterator[Fleet]:
    """Worker processes; those that are left at the end are killed by their pid."""
    fleet = Fleet(server.url(), pool, tmp_path)
    yield fleet
    fleet.dismiss()


@pytest.fixture
def trace(fleet: Fleet) -> Trace:
    """What the jobs of the fleet recorded."""
    return Trace(fleet.trace_path)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database for a ledger; the test runs once on each."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    name, url = f"t{uuid.uuid4().hex}", make_url(request.getfixturevalue("postgres_url"))
    engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


@pytest_asyncio.fixture(autouse=True)
async def _cut_connections_are_collected() -> AsyncIterator[None]:
    """redis-py drops a connection cut in its greeting without closing it; that is garbage of this loop."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
