"""An application with two queues, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import fastapi_toys as toys
import httpx
import pytest
from fastapi_toys import Running

from arqlite import ArqRedis


@pytest.fixture
async def running(arq_redis: ArqRedis) -> AsyncIterator[Running]:
    """The application of `fastapi_toys`, on fakeredis and on a real server."""
    mail = ArqRedis(arq_redis.connection_pool, default_queue_name="mail")
    app = toys.application(arq_redis, mail)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client,
    ):
        yield Running(app, arq_redis, mail, client)
