"""The overflow of the ledger's recorders, in Redis."""

from __future__ import annotations

import logging

import pytest

from arqlite import ArqRedis
from arqlite.engine import RedisEngine
from arqlite.outbox.overflow import RedisOverflow


@pytest.fixture
def engine(arq_redis: ArqRedis) -> RedisEngine:
    return RedisEngine(arq_redis, "shop")


async def test_packets_come_back_in_order(engine: RedisEngine) -> None:
    """What was put first is taken first, and stays until it is forgotten."""
    overflow = RedisOverflow(engine)
    await overflow.put([b"1", b"2\x00\xff"])
    await overflow.put([b"3"])

    first = await overflow.take(2)
    again = await overflow.take(2)
    await overflow.forget([token for token, _ in first])
    rest = await overflow.take(10)

    assert [packet for _, packet in first] == [b"1", b"2\x00\xff"]
    assert again == first
    assert [packet for _, packet in rest] == [b"3"]


async def test_one_worker_reads_at_a_time(engine: RedisEngine) -> None:
    """While one reads, others find nothing; when it has read all, or is gone, they do."""
    one, other = RedisOverflow(engine), RedisOverflow(engine)
    await one.put([b"1", b"2"])

    [(token, _)] = await one.take(1)
    while_read = await other.take(10)
    await one.forget([token])
    await engine.client.delete(engine.keys.scooper)  # as it expires
    after_death = await other.take(10)
    await other.forget([token for token, _ in after_death])
    await other.take(1)
    await one.put([b"3"])

    assert while_read == []
    assert [packet for _, packet in after_death] == [b"2"]
    assert [packet for _, packet in await one.take(10)] == [b"3"]


async def test_reader_has_a_lease(engine: RedisEngine) -> None:
    """A worker that dies while it reads holds up the others for some seconds at most."""
    overflow = RedisOverflow(engine)
    await overflow.put([b"1"])
    await overflow.take(1)

    assert 0 < await engine.client.pttl(engine.keys.scooper) <= 10_000


async def test_overflow_is_bounded(engine: RedisEngine, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond the limit the oldest packets go, and the log says so."""
    caplog.set_level(logging.ERROR)
    overflow = RedisOverflow(engine, limit=3)

    await overflow.put([b"1", b"2", b"3", b"4", b"5"])

    assert [packet for _, packet in await overflow.take(10)] == [b"3", b"4", b"5"]
    assert "queue shop: the ledger's overflow is full, its 2 oldest packets are dropped" in caplog.text
