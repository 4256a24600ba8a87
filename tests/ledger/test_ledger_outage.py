"""Jobs with a row while their ledger is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ledger_toys import Row, Runner, Toy, row_of
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from arqlite import ArqRedis, func, telemetry
from arqlite.ledger import LedgerStatus, store
from arqlite.ledger.outage import Absence, Outage, is_away
from arqlite.telemetry import JobStopped

Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
def states() -> Iterator[list[str]]:
    """How the runs of jobs ended, as the worker told it."""
    told: list[str] = []
    telemetry.attach("test", (JobStopped,), lambda event: told.append(event.state))
    yield told
    telemetry.detach("test")


GONE = OperationalError("SELECT", {}, Exception("gone"))


class Refused(Exception):
    """As asyncpg raises it; SQLAlchemy makes a plain `DBAPIError` of it, or leaves it as it is."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


STOPPING = DBAPIError("SELECT", {}, Refused("57P03"))


def fail_first(monkeypatch: pytest.MonkeyPatch, times: int, error: Exception = GONE) -> None:
    """Let the ledger be away so many times when a run looks for its row."""
    real, left = store.find, [times]

    async def find(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error
        return await real(*arguments)

    monkeypatch.setattr(store, "find", find)


@pytest.mark.parametrize("state", ["57P03", "57P01", "57014", "53300", "08003", "28P01", "3D000", "42501"])
@pytest.mark.parametrize("is_wrapped", [True, False], ids=["wrapped", "plain"])
def test_server_that_starts_or_stops_is_away(state: str, is_wrapped: bool) -> None:
    """A server that starts up, shuts down, has no connection left or lets nobody in is away."""
    error: Exception = Refused(state)
    assert is_away(DBAPIError("SELECT", {}, error) if is_wrapped else error)


@pytest.mark.parametrize(
    "error",
    [
        DBAPIError("SELECT", {}, Refused("42P01")),
        DBAPIError("SELECT", {}, Refused("42703")),
        OperationalError("SELECT", {}, Exception("no such table: arqlite_jobs")),
        OperationalError("INSERT", {}, Exception("table arqlite_jobs has no column named lane")),
    ],
    ids=["table", "column", "sqlite table", "sqlite column"],
)
def test_tables_that_are_missing_are_told_with_what_makes_them(
    error: DBAPIError, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is told to start a database that runs, and only lacks its tables."""
    Absence("", "rows are written later").begin(error)

    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("the ledger cannot be used, rows are written later: ")
    assert line.endswith("its tables are missing or too old: run `arqlite db upgrade`")


def test_database_that_is_away_is_no_matter_of_tables(caplog: pytest.LogCaptureFixture) -> None:
    """An upgrade starts no server."""
    Absence("", "rows are written later").begin(GONE)

    [line] = [record.getMessage() for record in caplog.records]
    assert line == "the ledger is away, rows are written later: Exception: gone"


def test_what_is_too_large_is_not_away() -> None:
    """A row that PostgreSQL finds too large is refused for good: it must not be tried for ever."""
    assert not is_away(OperationalError("INSERT", {}, Refused("54000")))


@pytest.mark.parametrize(("retry_jobs", "error"), [(True, GONE), (False, GONE), (True, STOPPING)])
async def test_outage_costs_no_try(
    arq_redis: ArqRedis,
    make_worker: Any,
    sessions: Sessions,
    states: list[str],
    monkeypatch: pytest.MonkeyPatch,
    retry_jobs: bool,
    error: DBAPIError,
) -> None:
    """A job that found the ledger away more often than it has tries runs when the ledger is back."""
    monkeypatch.setattr(Runner, "outage", Outage(0.002, 0.02))
    fail_first(monkeypatch, 3, error)
    tries = []

    async def work(ctx: dict[str, Any]) -> Any:
        tries.append(ctx["job_try"])
        async with sessions() as db:
            return await Runner(db).run_job(Toy, "TOY", {"action": "succeed"})

    job = await arq_redis.enqueue_job("work", _job_id="job-1")
    assert job is not None
    worker = make_worker([func(work, name="work")], max_tries=2, retry_jobs=retry_jobs)
    await asyncio.wait_for(worker.main(), 10)

    assert await job.result(timeout=1) == {"done": True}
    assert tries == [1, 1, 1, 1]
    assert states == ["available", "available", "available", "completed"]
    assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == (1, 0, 3)
    row = await row_of(sessions)
    assert (row.status, row.attempt, row.cause) == (LedgerStatus.SUCCESS, 1, None)
    async with sessions() as db:
        assert len(await store.page(db, Row)) == 1


def test_pause_grows_with_the_outage() -> None:
    """A pause is about as long as the outage so far, between the shortest and the longest."""
    now = 100.0
    outage = Outage(2.0, 30.0, clock=lambda: now)

    assert 1.0 <= outage.pause() <= 2.0
    now += 10
    assert 5.0 <= outage.pause() <= 10.0
    now += 1000
    assert 15.0 <= outage.pause() <= 30.0


def test_next_outage_begins_anew() -> None:
    """Once the database has answered, the next outage begins with short pauses again."""
    now = 100.0
    outage = Outage(2.0, 30.0, clock=lambda: now)
    outage.pause()
    outage.end()
    now += 1000

    assert outage.pause() <= 2.0


def test_pauses_differ() -> None:
    """Jobs that met the outage at the same moment do not all come back at the same moment."""
    outage = Outage(clock=lambda: 100.0)

    assert len({outage.pause() for _ in range(20)}) > 1


async def test_job_that_got_through_ends_the_outage(
    db: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner tells its outage when the ledger answers."""
    now = 100.0
    outage = Outage(2.0, 30.0, clock=lambda: now)
    monkeypatch.setattr(Runner, "outage", outage)
    outage.pause()
    now += 1000
    await Runner(db).run_job(Toy, "TOY", {"action": "succeed"})

    assert outage.pause() <= 2.0
