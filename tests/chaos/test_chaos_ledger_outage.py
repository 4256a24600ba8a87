"""The ledger's database stops under load and comes back: no worker ends, and every job runs once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import postgres
import pytest
from chaos_databases import Database, LockedFile, StoppedServer
from chaos_server import ChaosServer
from sqlalchemy import func, select
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite import ArqRedis, Worker, create_pool
from arqlite.connections import RedisSettings
from arqlite.ledger import JobRow, Ledger

OUTAGE_S = 6.0
JOBS = 400
# From the database's return to the last row.
CATCHING_UP_S = 10.0


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of its own for each test, for it is stopped."""
    if request.param == "sqlite":
        yield LockedFile(tmp_path / "jobs.db")
        return
    folder = request.getfixturevalue("tmp_path_factory").mktemp("pg")
    server = postgres._start(folder)
    yield StoppedServer(server)
    server.cleanup()


async def counted(ledger: Ledger) -> dict[str, int]:
    """Count the rows by their status."""
    async with ledger.sessions() as db:
        statement = select(JobRow.status, func.count()).group_by(JobRow.status)
        return {status.value: count for status, count in (await db.execute(statement)).all()}


@pytest.mark.parametrize("mode", ["behind", "strict"])
async def test_outage_of_the_ledger(
    server: ChaosServer, pool: ArqRedis, database: Database, mode: Any, eventually: Any
) -> None:
    """Jobs start, run and end while SQL is stopped: each runs once, and all rows are final soon after."""
    runs: Counter[str] = Counter()

    async def work(ctx: dict[Any, Any]) -> None:
        runs[ctx["job_id"]] += 1
        await asyncio.sleep(0.1)

    ledger = Ledger(database.url, mode=mode)
    settings = RedisSettings.from_dsn(server.url())
    work.__qualname__ = "work"
    workers = [
        Worker([work], redis_pool=await create_pool(settings), handle_signals=False, ledger=ledger)
        for _ in range(2)
    ]
    working = [asyncio.create_task(worker.async_run()) for worker in workers]
    await eventually(lambda: all(worker._crew and worker._crew.producer.session for worker in workers), 30)

    async def load() -> None:
        for _ in range(JOBS):
            await pool.enqueue_job("work")
            await asyncio.sleep(OUTAGE_S / JOBS)

    loading = asyncio.create_task(load())
    await eventually(lambda: len(runs) > JOBS // 20, 30)
    await database.stop()
    await asyncio.sleep(OUTAGE_S)
    assert not any(task.done() for task in working)
    await database.start()
    began = time.monotonic()
    await loading

    async def are_final() -> bool:
        return await counted(ledger) == {"SUCCESS": JOBS}

    await eventually(are_final, CATCHING_UP_S - (time.monotonic() - began))
    assert set(runs.values()) == {1}
    assert len(runs) == JOBS
    assert not any(task.done() for task in working)
    for worker in workers:
        await worker.close()
    await ledger.aclose()
