"""What the API opens when it starts and closes when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from app.core import database, queue
from app.core.tasks import BASE_QUEUE, EMAIL_QUEUE
from app.services.account_service import create_demo_account
from arqlite import ArqRedis, create_pool
from arqlite.fastapi import open_queues

if TYPE_CHECKING:
    from arqlite.connections import RedisSettings


async def create_redis_queue_pools() -> None:
    """Open the pools to the base queue and to the e-mail queue."""
    # Asking for the workers' settings may start the embedded server, which blocks for a moment.
    base, email = await asyncio.to_thread(_worker_redis_settings)
    queue.base_pool = await _open(base, BASE_QUEUE)
    queue.email_pool = await _open(email, EMAIL_QUEUE)


async def close_redis_queue_pools() -> None:
    """Close both pools; pools that are closed or were never opened are left alone."""
    pools = (queue.base_pool, queue.email_pool)
    queue.base_pool = queue.email_pool = None
    for pool in pools:
        if pool is not None:
            await pool.aclose(close_connection_pool=True)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Tables and pools before the first request, pools and connections closed after the last."""
    await database.create_tables()
    await create_demo_account()
    try:
        await create_redis_queue_pools()
        # For the routes of `jobs_router`, and for the dashboard.
        async with open_queues(app, queue.base_pool, queue.email_pool):
            yield
    finally:
        await close_redis_queue_pools()
        await database.engine.dispose()


async def _open(settings: RedisSettings, queue_name: str) -> ArqRedis:
    return await create_pool(settings, default_queue_name=queue_name, ledger=database.ledger)


def _worker_redis_settings() -> tuple[RedisSettings, RedisSettings]:
    from app.core.worker.base_settings import WorkerSettings as BaseWorkerSettings
    from app.core.worker.email_settings import WorkerSettings as EmailWorkerSettings

    return BaseWorkerSettings.redis_settings, EmailWorkerSettings.redis_settings
