"""The ledger's database goes away under load, at every moment of a job's life, and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from chaos_account import close_books, ended_count, left_in_redis, tell
from chaos_fleet import Fleet
from chaos_sql import Database, SqliteFile, StoppedPostgres
from chaos_trace import Trace
from chaos_wait import until
from postgres import start_postgres
from sqlalchemy import func, select

from arqlite.connections import ArqRedis
from arqlite.ledger import AttemptRow, JobRow, Ledger, LedgerStatus

OUTAGE_S = 10.0
ALL_FINAL_WITHIN_S = 10.0


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with a switch."""
    is_sqlite = request.param == "sqlite"
    made: Database = SqliteFile(tmp_path) if is_sqlite else StoppedPostgres(start_postgres())
    yield made
    made.close()


@pytest_asyncio.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """The ledger, as the test reads it."""
    made = Ledger(database.url)
    await made.upgrade()
    yield made
    await made.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["behind", "strict"])
async def test_outage_of_the_database_under_load(
    database: Database, ledger: Ledger, mode: str, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """Jobs start, run and end while it is away: no worker exits, nothing runs twice, all rows end well."""
    pids = await fleet.start(2, lease=3.0, max_jobs=50, ledger=database.url, mode=mode)
    load = _Load(pool)
    loading = asyncio.create_task(load.run())
    await until(lambda: len(trace.finished()) >= 100, 20, "jobs run")

    database.take_away()
    await asyncio.sleep(OUTAGE_S)  # the length of the outage is what is tested
    database.give_back()
    back_at = time.monotonic()
    load.enough = True
    await loading
    await until(lambda: _all_final(ledger, len(load.accepted)), 60, f"all rows are final\n{fleet.logs()}")
    took = time.monotonic() - back_at

    account = close_books(load.accepted, trace, fleet.killed)
    where = f"{mode}, {ledger.engine.dialect.name}"
    tell(f"database away {OUTAGE_S:.0f} s, {where}: {account}, rows final {took:.1f} s after")
    assert all(fleet.is_alive(pid) for pid in pids)
    assert (account.lost, account.repeats) == (set(), 0)
    assert took < ALL_FINAL_WITHIN_S
    assert await left_in_redis(pool, load.accepted) == {}
    assert await _attempts(ledger) == len(load.accepted)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["behind", "strict"])
async def test_workers_start_while_the_database_is_away(
    database: Database, ledger: Ledger, mode: str, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """Workers that start into an outage neither exit nor lose a job, and their rows come once it is over. In
    strict mode no job has ended for Redis before its row says so.
    """
    jobs = await pool.enqueue_many([("nap", (0.1,))] * 100)
    ids = [job.job_id for job in jobs]
    database.take_away()
    pids = [fleet.hire(lease=3.0, ledger=database.url, mode=mode) for _ in range(2)]
    if mode == "behind":
        await until(lambda: len(trace.finished()) == len(ids), 30, f"the jobs run\n{fleet.logs()}")
    else:
        await asyncio.sleep(3.0)  # so long jobs might have ended
        # A locked file can be read, so that workers begin; what they have done they keep to themselves.
        assert await ended_count(pool) == 0
        assert ledger.backend == "sqlite" or trace.runs() == []

    database.give_back()
    await until(lambda: _all_final(ledger, len(ids)), 20, f"all rows are final\n{fleet.logs()}")

    account = close_books(ids, trace, fleet.killed)
    assert all(fleet.is_alive(pid) for pid in pids)
    assert (account.lost, account.repeats) == (set(), 0)


class _Load:
    """Enqueues jobs that take a second, some hundred of them each second, until told that it is enough."""

    def __init__(self, pool: ArqRedis) -> None:
        self.pool = pool
        self.accepted: list[str] = []
        self.enough = False

    async def run(self) -> None:
        while not self.enough:
            jobs = await self.pool.enqueue_many([("nap", (1.0,))] * 5)
            self.accepted += [job.job_id for job in jobs]
            await asyncio.sleep(0.1)  # the pace of the load


async def _all_final(ledger: Ledger, count: int) -> bool:
    async with ledger.sessions() as db:
        columns = JobRow.__table__.c
        final = select(func.count()).where(columns.status == LedgerStatus.SUCCESS)
        return (await db.execute(final)).scalar_one() == count


async def _attempts(ledger: Ledger) -> int:
    async with ledger.sessions() as db:
        statement = select(func.count()).select_from(AttemptRow).where(AttemptRow.state == "completed")
        return (await db.execute(statement)).scalar_one()
