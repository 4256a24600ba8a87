"""What the tests of the console's live side share: dead and silent servers, and workers made by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from arqlite import ArqRedis
from arqlite.connections import RedisSettings
from arqlite.console import Console
from arqlite.embedded.binaries import server_binaries
from arqlite.engine import Membership, RedisEngine
from arqlite.version import VERSION

HOUR = 3_600_000
QUEUE = "arq:queue"


async def noop(ctx: Any) -> None: ...


def dead_settings(queue: str = "dead", **options: Any) -> dict[str, Any]:
    """Settings of a queue whose Redis refuses connections."""
    return {"queue_name": queue, "redis_settings": RedisSettings(port=free_port()), **options}


@contextlib.asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[RedisSettings, list[Any]]]:
    """A server that takes connections and never says anything; with those that it took."""
    taken: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        await reader.read()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield RedisSettings(host="127.0.0.1", port=port), taken
    finally:
        for writer in taken:
            writer.close()
        server.close()
        await server.wait_closed()


async def join(
    pool: ArqRedis, session: str = "s", queue: str = QUEUE, *, leads: bool = False, **about: Any
) -> RedisEngine:
    """Open a session that tells of itself what a worker does, and other things if they are given."""
    engine = RedisEngine(pool, queue)
    told = {
        "node": "web-1", "pid": 7, "limit": 10, "version": VERSION,
        "functions": ["noop"], "function_count": 1, **about,
    }  # fmt: skip
    await engine.open(session, HOUR)
    await engine.join(session, Membership("web-1", json.dumps(told)))
    if leads:
        await engine.lead(session)
    return engine


async def codes(console: Console, **options: Any) -> list[str]:
    """Name the troubles that there are."""
    return [trouble.code for trouble in await console.troubles(**options)]


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def server(folder: Path, *options: str) -> Iterator[int]:
    """A real server on a loopback port, with options of its own."""
    port = free_port()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [str(next(server_binaries())), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
             *options],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_for(port, folder)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    with redis.Redis(port=port, socket_connect_timeout=1) as client:
        while True:
            try:
                client.ping()
            except redis.AuthenticationError:
                return
            except redis.ConnectionError:
                assert time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.01)
            else:
                return


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A healthy server for a module's tests alone, which may change its configuration; its port."""
    with server(tmp_path_factory.mktemp("redis"), "--appendonly", "yes") as port:
        yield port


@pytest.fixture
def admin(own_server: int) -> Iterator[redis.Redis]:
    """A client that may change the server; the database is emptied."""
    with redis.Redis(port=own_server) as client:
        client.flushall()
        yield client


@pytest.fixture
async def own_pool(own_server: int, admin: redis.Redis) -> AsyncIterator[ArqRedis]:
    """A pool on the server."""
    pool = ArqRedis(host="127.0.0.1", port=own_server)
    yield pool
    await pool.aclose(close_connection_pool=True)
