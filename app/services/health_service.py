"""Looking at everything the application needs, at once and within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.core import database, queue
from app.core.database import AsyncSessionLocal
from app.models import Job
from app.schemas.health import Check, Health
from arqlite import ArqRedis, Inspector
from arqlite.constants import health_check_key_suffix
from arqlite.ledger import store

CHECK_TIMEOUT_S = 2.0
LAG_LIMIT_S = 60.0


async def look() -> Health:
    """Ask Redis, the database and the workers; none of them can keep the answer waiting."""
    looks: dict[str, Callable[[], Awaitable[str]]] = {
        "database": _database,
        "ledger": _ledger,
        "redis_base": lambda: _redis(queue.base_pool),
        "redis_email": lambda: _redis(queue.email_pool),
        "worker_base": lambda: _worker(queue.base_pool),
        "worker_email": lambda: _worker(queue.email_pool),
    }
    found = await asyncio.gather(*(_bounded(one) for one in looks.values()))
    checks = dict(zip(looks, found, strict=True))
    failing = {name for name, check in checks.items() if not check.ok}
    if not failing:
        return Health(status="ok", checks=checks)
    only_workers = all(name == "ledger" or name.startswith("worker_") for name in failing)
    return Health(status="degraded" if only_workers else "down", checks=checks)


async def _bounded(one: Callable[[], Awaitable[str]]) -> Check:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return Check(ok=True, detail=await one())
    except TimeoutError:
        return Check(ok=False, detail=f"no answer within {CHECK_TIMEOUT_S:g} s")
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what the check found)
        return Check(ok=False, detail=f"{type(error).__name__}: {error}")


async def _database() -> str:
    health = await database.ledger.health(timeout=CHECK_TIMEOUT_S)
    if health.error is not None:
        raise ConnectionError(health.error)
    async with AsyncSessionLocal() as db:
        counted = await store.count_open(db, Job)
    return ", ".join(f"{count} {status}" for status, count in counted.items())


async def _ledger() -> str:
    """How far the rows of jobs are behind; by what workers tell Redis, so that this holds nobody up."""
    pools = {"base": _opened(queue.base_pool), "email": _opened(queue.email_pool)}
    lags = {
        name: (await Inspector(pool).ledger_lag(pool.default_queue_name)).total_seconds()
        for name, pool in pools.items()
    }
    told = "; ".join(f"{name} {lag:.1f} s behind" for name, lag in lags.items())
    if max(lags.values()) > LAG_LIMIT_S:
        raise LookupError(told)
    return told


async def _redis(pool: ArqRedis | None) -> str:
    await _opened(pool).ping()
    return "answers"


async def _worker(pool: ArqRedis | None) -> str:
    """The worker's own word, which Redis forgets when the worker stops renewing it."""
    opened = _opened(pool)
    told = await opened.get(opened.default_queue_name + health_check_key_suffix)
    if told is None:
        raise LookupError("no worker of this queue has been heard of lately")
    return told.decode() if isinstance(told, bytes) else told


def _opened(pool: ArqRedis | None) -> ArqRedis:
    if pool is None:
        raise ConnectionError("the queues are not open")
    return pool
