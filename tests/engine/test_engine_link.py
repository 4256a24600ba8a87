"""How scripts reach the server: unknown digests, silence, broken connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from engine_toys import HOUR, LEASE, Queue, ended, record
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from arqlite import ArqRedis
from arqlite.engine import RedisEngine
from arqlite.engine.link import Link


@pytest.fixture
async def link(arq_redis: ArqRedis) -> AsyncIterator[Link]:
    link = Link(arq_redis, 5.0)
    yield link
    await link.close()


async def test_unknown_digest_is_loaded(queue: Queue) -> None:
    """After a restart or SCRIPT FLUSH every verb goes on as if nothing had happened."""
    engine, client = queue.engine, queue.client
    await queue.fill("a")
    await queue.open("s")
    flush = client.script_flush
    calls: list[Any] = [
        lambda: queue.fill("b"),
        lambda: engine.open("t", LEASE),
        lambda: engine.turn("s", 1, {}, ()),
        lambda: engine.turn("s", 0, ended("a"), ()),
        lambda: engine.rescue("s"),
        lambda: engine.cancel("b", b"C", HOUR),
        lambda: engine.peek("b"),
        lambda: engine.forget("b"),
        lambda: engine.fire(["tick"], 1, "c", record()),
        lambda: engine.ticks(["tick"]),
        lambda: engine.prune(),
        lambda: engine.size(),
        lambda: engine.nudge(),
        lambda: engine.leave("t"),
    ]

    for call in calls:
        await flush()
        await call()
    await flush()

    assert engine.beat("s", LEASE, ()).alive


async def test_replies_are_bytes(link: Link) -> None:
    """A command's reply comes as it is, and what Redis refuses is raised."""
    assert await link.command("SET", "key", b"\xff\x00") == b"OK"
    assert await link.command("GET", "key") == b"\xff\x00"
    with pytest.raises(ResponseError):
        await link.command("LPUSH", "key", 1)
    assert await link.command("GET", "key") == b"\xff\x00"


async def test_silence_is_an_error_and_ends_the_connection(link: Link) -> None:
    """An answer that does not come in time is an error, and is never taken for the next one's answer."""
    with pytest.raises(RedisTimeoutError, match=r"no answer within 0\.1s"):
        await link.command("BLPOP", "empty", 0, timeout=0.1)

    assert await link.command("ECHO", "next") == b"next"


async def test_cancelled_call_ends_the_connection(link: Link, arq_redis: ArqRedis, eventually: Any) -> None:
    """The answer of a call that was cancelled is never taken for the next one's answer."""
    waiting = asyncio.create_task(link.command("BLPOP", "list", 0))
    await eventually(lambda: link._connection is not None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await arq_redis.rpush("list", "late")

    assert await link.command("ECHO", "next") == b"next"


@pytest.mark.real
async def test_broken_connection_is_replaced(real_url: str) -> None:
    """A connection that the server closed fails one call; the next call has a new one."""
    client = ArqRedis.from_url(real_url)
    link = Link(client, 5.0)
    await link.command("PING")

    await client.client_kill_filter(_type="normal", skipme=True)

    with pytest.raises((RedisConnectionError, OSError)):
        await link.command("PING")
    assert await link.command("PING") == b"PONG"
    await link.close()
    await client.aclose(close_connection_pool=True)


@pytest.mark.real
async def test_pooled_call_survives_a_dead_connection(real_url: str) -> None:
    """A call over a pooled connection that died unseen is made once more: scripts are idempotent."""
    client = ArqRedis.from_url(real_url)
    other = ArqRedis.from_url(real_url)
    queue = Queue(RedisEngine(client, "q"))
    await queue.fill("a")

    await other.client_kill_filter(_type="normal", skipme=True)

    await queue.fill("b")
    assert (await queue.engine.size()).ready == 2
    for one in (client, other):
        await one.aclose(close_connection_pool=True)


async def test_unreachable_server_is_an_error() -> None:
    """A server that is not there is told as such."""
    client = ArqRedis(unix_socket_path="/nowhere/redis.sock", retry=Retry(NoBackoff(), 0))
    link = Link(client, 5.0)

    with pytest.raises((RedisConnectionError, OSError)):
        await link.command("PING")
    await client.aclose(close_connection_pool=True)


async def test_close_may_be_called_twice(link: Link) -> None:
    """A closed link opens again for the next call."""
    await link.command("PING")
    await link.close()
    await link.close()

    assert await link.command("PING") == b"PONG"
