"""Fixtures for everybody: the same engine on fakeredis and on a real server from the wheel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import pytest_asyncio

from arqlite import ArqRedis, Worker
from arqlite.connections import RedisSettings
from arqlite.embedded import EmbeddedServer
from arqlite.logs import uninstall_job_fields

Eventually = Callable[..., Awaitable[Any]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make what a test printed and logged fit to travel: some log text that is no Unicode, on purpose."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def _plain_log_records() -> Iterator[None]:
    """Take back what a worker that ran in a test did to log records, which is meant for its own process."""
    yield
    uninstall_job_fields()


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One real Valkey for the whole run, on a Unix socket of its own."""
    folder = tmp_path_factory.mktemp("valkey", numbered=True)
    server = EmbeddedServer.ensure(Path(folder), grace=0, force=True)
    yield server
    server.release()


@pytest.fixture
def real_url(real_server: EmbeddedServer) -> str:
    """The URL of database 1 of the real server, emptied."""
    import redis

    with redis.from_url(real_server.url(1)) as client:
        client.flushall()
    return real_server.url(1)


@pytest_asyncio.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
async def arq_redis(request: pytest.FixtureRequest) -> AsyncIterator[ArqRedis]:
    """An empty pool: on fakeredis, and again on the real server."""
    if request.param == "fake":
        pool = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
    else:
        settings = RedisSettings.from_dsn(request.getfixturevalue("real_url"))
        pool = ArqRedis(unix_socket_path=settings.unix_socket_path, db=settings.database)
    yield pool
    await pool.aclose(close_connection_pool=True)


@pytest.fixture
def is_fake(arq_redis: ArqRedis) -> bool:
    """Whether the pool speaks to fakeredis, on which a script takes a hundred times as long."""
    return arq_redis.connection_pool.connection_class.__module__.startswith("fakeredis")


@pytest_asyncio.fixture
async def make_worker(arq_redis: ArqRedis) -> AsyncIterator[Callable[..., Worker]]:
    """Make burst workers on the pool; they are closed afterwards."""
    workers: list[Worker] = []

    def make(functions: Any = (), **options: Any) -> Worker:
        options = {"redis_pool": arq_redis, "burst": True, "handle_signals": False, **options}
        worker = Worker(functions, **options)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        await worker.close()


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds; fails after `within` seconds."""

    async def wait(condition: Callable[[], Any], within: float = 5.0) -> Any:
        deadline = time.monotonic() + within
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return value
            assert time.monotonic() < deadline, f"still not so after {within}s: {condition}"
            await asyncio.sleep(0.005)

    return wait
