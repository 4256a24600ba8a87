"""One queue, on fakeredis and on the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from engine_toys import Queue

from arqlite import ArqRedis
from arqlite.engine import RedisEngine


@pytest_asyncio.fixture
async def queue(arq_redis: ArqRedis) -> AsyncIterator[Queue]:
    """An empty queue; its invariants hold at the end of every test."""
    engine = RedisEngine(arq_redis, "q")
    queue = Queue(engine)
    yield queue
    await queue.check()
    await engine.close()
