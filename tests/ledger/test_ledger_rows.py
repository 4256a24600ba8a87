"""Rows, payloads, schema and SQLite's settings."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ledger_toys import Base, Row, queue, row_of
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from arqlite.errors import LedgerError
from arqlite.ledger import LedgerStatus, configure_sqlite, create_missing_tables, store
from arqlite.ledger.adoption import Adoption, Run, decide
from arqlite.ledger.payloads import MESSAGE_LENGTH, TRACEBACK_LENGTH, describe_error, jsonable_or_text
from arqlite.model.states import LEDGER_STATUS, JobState

Sessions = async_sessionmaker[AsyncSession]


@pytest.mark.parametrize("number", [2**63, 10**400, 1.0, -0.0, 0.1, 10**18, "1", "1.0"])
async def test_numbers_keep_their_value(sessions: Sessions, number: Any) -> None:
    """What `run_job` wrote as an output, a repeated run returns: it is that number, to the last digit."""
    await queue(sessions, input_payload=number)

    assert repr((await row_of(sessions)).input_payload) == repr(number)


async def test_numbers_of_older_rows_are_read(engine: AsyncEngine, sessions: Sessions) -> None:
    """SQLite's own numbers, which an older version left in its columns, are still told."""
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps JSON as text")
    await queue(sessions)
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE {Row.__tablename__} SET input_payload = '1.5'"))

    assert (await row_of(sessions)).input_payload == 1.5


async def test_times_keep_their_moment(sessions: Sessions) -> None:
    """A time goes in with any zone and comes out as the same moment in UTC."""
    at = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    async with sessions.begin() as session:
        session.add(Row(id="job-1", job_type="TOY", function="work", created_at=at))

    row = await row_of(sessions)
    assert (row.created_at, row.created_at.tzinfo) == (at, UTC)


async def test_naive_time_is_refused(sessions: Sessions) -> None:
    """A time without a zone could be any moment and is refused."""
    naive = datetime(2026, 3, 29, 3, 30)  # noqa: DTZ001
    async with sessions() as session:
        session.add(Row(id="job-1", job_type="TOY", function="work", created_at=naive))
        with pytest.raises(StatementError, match="needs a time zone"):
            await session.flush()


async def test_unknown_status_is_refused_by_the_database(sessions: Sessions) -> None:
    """A status that does not exist cannot be written past the model either."""
    await queue(sessions)
    async with sessions() as session:
        with pytest.raises(IntegrityError):
            await session.execute(text("UPDATE jobs SET status = 'DONE'"))


async def test_text_that_databases_dislike_is_kept(sessions: Sessions) -> None:
    """NUL and lone surrogates, which mail contains, survive in payloads."""
    payload = {"subject": "a\x00b \ud800 ü"}
    await queue(sessions, input_payload=payload)

    assert (await row_of(sessions)).input_payload == payload


async def test_too_long_id_is_refused(sessions: Sessions) -> None:
    """An id the table has no room for is refused in words."""
    with pytest.raises(LedgerError, match="at most 255 characters, got 256"):
        await queue(sessions, "x" * 256)


async def test_unpushed_job_says_so(sessions: Sessions) -> None:
    """A job the queue did not take is FAILED with the error; one that a worker has is left alone."""
    await queue(sessions)
    async with sessions.begin() as session:
        assert await store.fail_unpushed(session, Row, "job-1", ConnectionError("no Redis"))
        assert not await store.fail_unpushed(session, Row, "job-1", ConnectionError("no Redis"))

    row = await row_of(sessions)
    assert (row.status, row.error_payload["message"]) == (LedgerStatus.FAILED, "no Redis")


async def test_pages_have_no_gaps(sessions: Sessions) -> None:
    """Walking the pages meets every row once, newest first, also where times are equal."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    async with sessions.begin() as session:
        for number in range(10):
            row = Row(id=f"job-{number}", job_type="TOY", function="work", created_at=at)
            row.created_at += timedelta(seconds=number // 4)
            session.add(row)

    seen: list[str] = []
    before = None
    async with sessions() as session:
        while page := await store.page(session, Row, before=before, limit=3):
            seen += [row.id for row in page]
            before = (page[-1].created_at, page[-1].id)
    assert seen == ["job-9", "job-8", "job-7", "job-6", "job-5", "job-4", "job-3", "job-2", "job-1", "job-0"]


async def test_open_jobs_are_counted(sessions: Sessions) -> None:
    """The count knows the states that are open and no others."""
    for number in range(3):
        await queue(sessions, f"job-{number}")
    async with sessions.begin() as session:
        await store.cancel_queued(session, Row, "job-0")
        assert await store.count_open(session, Row) == {LedgerStatus.QUEUED: 2, LedgerStatus.RUNNING: 0}


async def test_open_jobs_are_found_by_their_index(sessions: Sessions, engine: AsyncEngine) -> None:
    """Asking for open jobs reads an index, not the table of all jobs ever."""
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL prefers to scan a small table")
    async with engine.connect() as connection:
        plan = await connection.execute(
            text("EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE status IN ('QUEUED', 'RUNNING')")
        )
    assert "ix_jobs_status" in str(plan.all())


async def test_tables_are_created_once_by_many(tmp_path: Path) -> None:
    """Processes that start at the same moment do not stumble over each other's tables."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"
    engines = [configure_sqlite(create_async_engine(url)) for _ in range(8)]

    await asyncio.gather(*(create_missing_tables(engine, Base.metadata) for engine in engines))

    async with engines[0].connect() as connection:
        assert "jobs" in await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    for engine in engines:
        await engine.dispose()


async def test_missing_tables_come_back(engine: AsyncEngine) -> None:
    """Dropped tables are created again by several at once, on a server as in a file."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)

    await asyncio.gather(*(create_missing_tables(engine, Base.metadata) for _ in range(4)))

    sessions = async_sessionmaker(engine)
    await queue(sessions)
    assert (await row_of(sessions)).is_open


async def test_sqlite_is_set_up(tmp_path: Path) -> None:
    """Each connection has WAL, a busy timeout, NORMAL synchronous and foreign keys."""
    engine = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}"))
    async with engine.connect() as connection:
        values = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "busy_timeout", "synchronous", "foreign_keys")
        ]
    await engine.dispose()
    assert values == ["wal", 5000, 1, 1]


async def test_sqlite_waits_for_another_writer(tmp_path: Path) -> None:
    """A write waits for another process's transaction instead of failing."""
    path = tmp_path / "jobs.db"
    engine = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{path}"))
    await create_missing_tables(engine, Base.metadata)
    sessions = async_sessionmaker(engine)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    asyncio.get_running_loop().call_later(0.2, other.execute, "COMMIT")
    await queue(sessions)

    assert (await row_of(sessions)).status is LedgerStatus.QUEUED
    other.close()
    await engine.dispose()


def test_error_is_described_whatever_it_is() -> None:
    """An exception whose text cannot be had, or is endless, is described all the same."""

    class SulkyError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert describe_error(SulkyError())["message"] == "<no text: RuntimeError in __str__>"
    long = describe_error(ValueError("x" * 1_000_000))
    assert len(long["message"]) < MESSAGE_LENGTH + 100
    assert len(long["traceback"]) < TRACEBACK_LENGTH + 100


def test_error_tells_no_local_values() -> None:
    """What a job held in its variables, a password say, is not in the ledger."""

    def log_in(password: str) -> None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused") as caught:
        log_in("".join(["hun", "ter", "2"]))

    described = describe_error(caught.value)["traceback"]
    assert "in log_in" in described
    assert "hunter2" not in described


def test_any_result_has_a_payload() -> None:
    """The recorder takes whatever a function returned."""
    assert jsonable_or_text({"at": datetime(2026, 1, 1, tzinfo=UTC)}) == {"at": "2026-01-01T00:00:00Z"}
    assert isinstance(jsonable_or_text([object()])[0], str)


RUN = Run("job-1", "work", "arq:queue", attempt=2, crashes=1, worker="host:2:b")


@pytest.mark.parametrize(
    ("status", "attempt", "adoption"),
    [
        (LedgerStatus.QUEUED, 0, Adoption.ADOPT),
        (LedgerStatus.QUEUED, 2, Adoption.ADOPT),
        (LedgerStatus.RUNNING, 1, Adoption.ADOPT),
        (LedgerStatus.RUNNING, 2, Adoption.ADOPT),
        (LedgerStatus.RUNNING, 3, Adoption.OVERTAKEN),
        (LedgerStatus.FAILED, 1, Adoption.ADOPT),
        (LedgerStatus.FAILED, 3, Adoption.OVERTAKEN),
        (LedgerStatus.SUCCESS, 1, Adoption.KEEP_OUTPUT),
        (LedgerStatus.SUCCESS, 3, Adoption.KEEP_OUTPUT),
        (LedgerStatus.CANCELLED, 0, Adoption.KEEP_CANCELLED),
    ],
)
def test_adoption(status: LedgerStatus, attempt: int, adoption: Adoption) -> None:
    """What a run may do with the row it finds depends on the row's state and attempt alone."""
    assert decide(Row(status=status, attempt=attempt), RUN) is adoption


@pytest.mark.parametrize("status", [LedgerStatus.SUCCESS, LedgerStatus.FAILED, LedgerStatus.CANCELLED])
def test_id_used_again_is_a_new_job(status: LedgerStatus) -> None:
    """A job enqueued after the row had ended is another job; one enqueued before is the same."""
    ended = datetime(2026, 1, 1, tzinfo=UTC)
    row = Row(status=status, attempt=3, finished_at=ended)

    later = replace(RUN, enqueued_at=ended + timedelta(seconds=1))
    earlier = replace(RUN, enqueued_at=ended - timedelta(seconds=1))

    assert decide(row, later) is Adoption.REOPEN
    assert decide(row, earlier) is not Adoption.REOPEN


def test_id_used_again_after_redis_forgot_the_job() -> None:
    """A row that says RUNNING for a job that Redis lost gives way to a new job with the same id."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    row = Row(status=LedgerStatus.RUNNING, attempt=3, started_at=began)

    assert decide(row, replace(RUN, attempt=1, enqueued_at=began + timedelta(1))) is Adoption.REOPEN


def test_no_row_is_opened() -> None:
    """A run that finds no row opens one."""
    assert decide(None, RUN) is Adoption.OPEN


def test_every_state_has_a_ledger_status() -> None:
    """The ledger's view of the state machine is total."""
    assert set(LEDGER_STATUS) == set(JobState)


def test_importing_arqlite_imports_no_sqlalchemy() -> None:
    """Users without a ledger do not pay for it."""
    code = "import sys, arqlite; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_package_says_which_extra() -> None:
    """Without SQLAlchemy the import names the extra to install."""
    code = "import sys; sys.modules['sqlalchemy'] = None; import arqlite.ledger"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert 'MissingExtra: The SQL ledger needs extra packages: pip install "arqlite[ledger]"' in done.stderr
