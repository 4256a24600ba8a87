"""The ledger's tables: created, upgraded and checked, by one process or many."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from recorder_toys import started, stopped
from schema_toys import KINDS, Database, database, shape
from sqlalchemy import Connection, text
from sqlalchemy.orm import DeclarativeBase

from arqlite import telemetry
from arqlite.errors import LedgerError, LedgerUnavailable
from arqlite.ledger import (
    Auditor,
    JobRow,
    JobRowMixin,
    Ledger,
    LedgerBase,
    Recorder,
    create_missing_tables,
    store,
)
from arqlite.ledger.migrations import HEAD, VERSION_TABLE
from arqlite.ledger.migrations.running import ddl, revisions, scripts
from arqlite.telemetry import JobsManaged


class Base(DeclarativeBase):
    pass


class OwnJob(JobRowMixin, Base):
    __tablename__ = "own_jobs"


@pytest.fixture(params=KINDS)
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without any table; the test runs once with each driver."""
    async with database(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def ledger(empty: Database) -> Ledger:
    """A ledger without any table."""
    return Ledger(empty.connect())


async def run(ledger: Ledger, *statements: str) -> None:
    async with ledger.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def stamp(ledger: Ledger, revision: str) -> None:
    await run(ledger, f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
async def test_migrations_make_what_the_metadata_says(ledger: Ledger) -> None:
    """Autogenerate finds no difference; where it does, the failure tells the operations that are missing."""
    await ledger.upgrade()

    def missing(connection: Connection) -> str:
        options = {
            "compare_server_default": True,
            "version_table": VERSION_TABLE,
            "include_object": _can_be_compared,
        }
        context = MigrationContext.configure(connection, opts=options)
        return render_python_code(produce_migrations(context, LedgerBase.metadata).upgrade_ops)

    async with ledger.engine.connect() as connection:
        assert "op." not in (told := await connection.run_sync(missing)), told


def _can_be_compared(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Alembic does not know again the expressions in the indexes of tags; the next test compares them."""
    return kind != "index" or "_tag" not in str(name)


async def test_migrations_make_checks_and_defaults(
    request: pytest.FixtureRequest, tmp_path: Path, empty: Database
) -> None:
    """Tables made by migrations are in every way like those made from the metadata."""
    await Ledger(empty.connect()).upgrade()
    kind = empty.engines[-1].dialect.driver.replace("aiosqlite", "sqlite")
    other_path = tmp_path / "other"
    other_path.mkdir()

    async with database(kind, request, other_path) as other:
        await create_missing_tables(other.connect(), LedgerBase.metadata)

        assert await shape(empty.engines[-1]) == await shape(other.engines[-1])


def test_head_is_told_right() -> None:
    """The constant that spares workers to load Alembic names the last revision, and there is one line."""
    assert scripts().get_heads() == [HEAD]
    assert revisions() == sorted(revisions(), key=int)


async def test_upgrade_is_done_once(ledger: Ledger) -> None:
    """A second upgrade finds nothing to do, and loses no row."""
    await ledger.upgrade()
    async with ledger.sessions.begin() as db:
        await store.insert_queued(db, JobRow, job_id="a", job_type="A", function="a", queue="q")

    await ledger.upgrade()

    await ledger.check()
    async with ledger.sessions() as db:
        assert await store.find(db, JobRow, "a") is not None


async def test_many_upgrade_at_once(empty: Database) -> None:
    """Processes that start at the same moment do not stumble over each other's tables."""
    ledgers = [Ledger(empty.connect()) for _ in range(6)]

    await asyncio.gather(*(ledger.upgrade() for ledger in ledgers))

    await ledgers[0].check()


async def test_many_upgrade_at_once_in_one_process(ledger: Ledger) -> None:
    """Nor do ledgers of one process, or one ledger that is asked twice."""
    await asyncio.gather(*(ledger.upgrade() for _ in range(4)))

    await ledger.check()


async def test_upgrade_waits_for_its_turn(empty: Database) -> None:
    """An upgrade waits for another one that has begun, and then finds it done."""
    first, second = Ledger(empty.connect()), Ledger(empty.connect())
    async with first.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({0x617271_6C697465})"))

        with pytest.raises(LedgerUnavailable, match=r"could not be had within 0\.05s"):
            await second.upgrade(timeout=0.05)
        waiting = asyncio.create_task(second.upgrade())
        await connection.rollback()

    await waiting
    await second.check()


async def test_upgrade_is_all_or_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade that fails halfway leaves nothing, and the next one succeeds."""
    revision = scripts().get_revision(HEAD)
    assert revision is not None
    whole = revision.module.upgrade

    def broken(op: object) -> None:
        whole(op)
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(revision.module, "upgrade", broken)
        with pytest.raises(RuntimeError, match="the disk is full"):
            await ledger.upgrade()

    assert await shape(ledger.engine) == {}
    await ledger.upgrade()
    await ledger.check()


async def test_missing_tables_are_told(ledger: Ledger) -> None:
    """A database without the tables is refused, with what to do."""
    with pytest.raises(LedgerError, match="tables are missing: run `arqlite db upgrade`"):
        await ledger.check()


async def test_tables_of_somebody_else_are_left_alone(ledger: Ledger) -> None:
    """Tables of our names that no migration made are neither used nor changed."""
    await run(ledger, "CREATE TABLE arqlite_jobs (mine INTEGER)")

    for verb in (ledger.upgrade, ledger.check):
        with pytest.raises(LedgerError, match=r"did not make \(arqlite_jobs\): drop or rename"):
            await verb()


async def test_newer_tables_are_worked_with(ledger: Ledger) -> None:
    """Code of the version before goes on with tables that a later one added to: all it writes is written."""
    await ledger.upgrade()
    for table in LedgerBase.metadata.tables:
        await run(
            ledger,
            f"ALTER TABLE {table} ADD COLUMN colour TEXT",
            f"ALTER TABLE {table} ADD COLUMN weight INTEGER NOT NULL DEFAULT 1",
            f"CREATE INDEX ix_{table}_colour ON {table} (colour)",
        )
    await run(ledger, "CREATE TABLE arqlite_later (id INTEGER PRIMARY KEY)")
    await stamp(ledger, "0999")

    await ledger.check()
    await ledger.upgrade()

    recorder, auditor = Recorder(ledger), Auditor(ledger)
    await recorder.start()
    await auditor.start()
    for event in (started("a"), stopped("completed", "a"), JobsManaged("arq:queue", "delete", ("a",))):
        telemetry.execute(event)
    await auditor.stop()
    await recorder.stop()
    async with ledger.sessions.begin() as db:
        await store.insert_queued(db, JobRow, job_id="b", job_type="B", function="b", queue="q")
    async with ledger.sessions() as db:
        counts = await store.count_rows(db, JobRow, limit=10)
    assert counts == {
        "arqlite_jobs": 2,
        "arqlite_attempts": 1,
        "arqlite_minutes": 1,
        "arqlite_spreads": 2,
        "arqlite_audit": 1,
        "arqlite_queues": 0,
        "arqlite_idempotency": 0,
    }
    assert await ledger.prune() == {
        "jobs": 1, "attempts": 1, "minutes": 1, "spreads": 2, "audit": 0, "idempotency": 0,
    }  # fmt: skip


@pytest.mark.parametrize("revision", ["1000", "ae1027a6acf"])
async def test_too_new_tables_are_refused(ledger: Ledger, revision: str) -> None:
    """Tables that this version cannot know how to work with are neither used nor changed."""
    await ledger.upgrade()
    await stamp(ledger, revision)

    for verb in (ledger.upgrade, ledger.check):
        with pytest.raises(LedgerError, match=f"at revision {revision}, with which this version"):
            await verb()


async def test_old_tables_are_told(ledger: Ledger) -> None:
    """A worker is told that its tables are too old, from which revision to which, and what to do."""
    await ledger.upgrade()
    await stamp(ledger, "0000")

    with pytest.raises(LedgerError, match=f"at revision 0000, .* needs {HEAD}: run `arqlite db upgrade`"):
        await ledger.check()


async def test_own_table_is_not_created(empty: Database) -> None:
    """A table of the application's own is for the application to create; what is missing in it is told."""
    ledger = Ledger(empty.connect(), row_model=OwnJob)
    await ledger.upgrade()

    with pytest.raises(LedgerError, match="'own_jobs' is missing; it is of your own"):
        await ledger.check()
    await create_missing_tables(ledger.engine, Base.metadata)
    await ledger.check()
    await run(ledger, "ALTER TABLE own_jobs DROP COLUMN memory", "ALTER TABLE own_jobs DROP COLUMN lock")
    with pytest.raises(LedgerError, match="'own_jobs' lacks the columns lock, memory"):
        await ledger.check()


async def test_statements_for_somebody_else_do_the_same(empty: Database) -> None:
    """What `arqlite db sql` prints, run by hand, is an upgrade."""
    ledger = Ledger(empty.connect())
    script = ddl(ledger.engine.dialect.name, None).replace("BEGIN;", "").replace("COMMIT;", "")

    await run(ledger, *(statement for part in script.split(";") if (statement := part.strip())))

    await ledger.check()


def test_statements_from_the_head_are_none() -> None:
    """There is nothing to do for tables that are up to date."""
    assert ddl("postgresql", HEAD).split() == ["BEGIN;", "COMMIT;"]


async def test_repeatable_reads_do_not_hide_the_other_upgrade(empty: Database) -> None:
    """An engine whose transactions see the past only finds the tables that another process has just made."""
    if empty.schema is None:
        pytest.skip("SQLite has its turn before its first look")
    ledgers = [Ledger(empty.connect(isolation_level="REPEATABLE READ")) for _ in range(4)]

    await asyncio.gather(*(ledger.upgrade() for ledger in ledgers))

    await ledgers[0].check()


def test_alembic_is_loaded_when_it_is_needed(tmp_path: Path) -> None:
    """A worker whose tables are up to date does not pay for Alembic, which takes half a second to load."""
    code = (
        "import asyncio, sys\n"
        "from arqlite.ledger import Ledger\n"
        "async def main():\n"
        f"    ledger = Ledger('sqlite:///{tmp_path}/jobs.db')\n"
        "    try:\n"
        "        await ledger.check()\n"
        "    except Exception as error:\n"
        "        print(error)\n"
        "    await ledger.aclose()\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules)"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    ).stdout

    assert told == "the ledger's tables are missing: run `arqlite db upgrade`\nFalse\n"
