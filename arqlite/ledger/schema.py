"""Create, upgrade and check tables, also when several processes start at the same moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, MetaData, column, inspect, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..errors import LedgerError, LedgerUnavailable
from .migrations import VERSION_TABLE
from .revisions import Standing, in_words, standing_of
from .rows import JobRowMixin
from .store.moves import table_of
from .tables import LedgerBase

TURN_TIMEOUT_S = 30.0

_LOCK = 0x617271_6C697465  # "arqlite"; any number does, if every process takes the same
_LOCK_NOT_AVAILABLE = "55P03"


class Tables(NamedTuple):
    """What the database has of the ledger.

    Attributes:
        revision: the one it tells; None is none.
        names: the ledger's tables that are there.
    """

    revision: str | None
    names: frozenset[str]

    @property
    def standing(self) -> Standing:
        """How they are to this version of the code."""
        return standing_of(self.revision, has_tables=bool(self.names))

    def in_words(self) -> str:
        """What is the matter with them."""
        return in_words(self.standing, self.revision, self.names)


async def create_missing_tables(
    engine: AsyncEngine, metadata: MetaData, *, timeout: float = TURN_TIMEOUT_S
) -> None:
    """Create the tables of `metadata` that the database lacks; the others are left as they are.

    It is for tables of the application's own; those of the library are `Ledger.upgrade`'s. Looking and
    creating happen in one transaction that one process at a time may hold, so a worker and an API that start
    together do not stumble over each other's tables.

    Args:
        engine: the database.
        metadata: the tables.
        timeout: seconds to wait for other processes that do the same.

    Raises:
        LedgerUnavailable: another process holds the tables for longer.
    """
    async with _turn(engine, timeout) as connection:
        await connection.run_sync(metadata.create_all)


async def upgrade_tables(engine: AsyncEngine, *, timeout: float = TURN_TIMEOUT_S) -> Tables:
    """Bring the ledger's tables to the last revision, all of it or nothing; tells how they were before.

    Raises:
        LedgerUnavailable: another process holds them for longer than `timeout` seconds.
        LedgerError: they cannot be upgraded.
    """
    async with engine.connect() as connection:
        tables = await look_at_tables(connection)
    if tables.standing.is_upgradable:
        async with _turn(engine, timeout) as connection:
            # Again: another process may have had its turn before.
            tables = await look_at_tables(connection)
            if tables.standing.is_upgradable:
                await connection.run_sync(_run_migrations, tables.revision)
                return tables
    if not tables.standing.is_usable:
        raise LedgerError(tables.in_words())
    return tables


async def check_tables(engine: AsyncEngine, row_model: type[JobRowMixin]) -> None:
    """Make sure that this version of the code can work with the tables.

    Raises:
        LedgerError: it cannot; the message tells why and what to do.
    """
    async with engine.connect() as connection:
        tables = await look_at_tables(connection)
        if not tables.standing.is_usable:
            raise LedgerError(tables.in_words())
        if table_of(row_model).metadata is not LedgerBase.metadata:
            await connection.run_sync(_check_own_table, row_model)


async def look_at_tables(connection: AsyncConnection) -> Tables:
    """Tell what the database has of the ledger."""
    return await connection.run_sync(_look)


def _look(connection: Connection) -> Tables:
    names = set(inspect(connection).get_table_names())
    found: str | None = None
    if VERSION_TABLE in names:
        found = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    return Tables(found, frozenset(names & LedgerBase.metadata.tables.keys()))


def _run_migrations(connection: Connection, found: str | None) -> None:
    from .migrations.running import upgrade  # here, since Alembic takes half a second to load

    upgrade(connection, found)


def _check_own_table(connection: Connection, row_model: type[JobRowMixin]) -> None:
    """See that a table of the application's own has what the library's columns need."""
    own = table_of(row_model)
    if not inspect(connection).has_table(own.name, schema=own.schema):
        raise LedgerError(
            f"the ledger's table {own.fullname!r} is missing; it is of your own ({row_model.__name__}): "
            f"create it by a migration of yours, or by `create_missing_tables`"
        )
    there = {found["name"] for found in inspect(connection).get_columns(own.name, schema=own.schema)}
    if missing := [name for name in own.columns.keys() if name not in there]:  # noqa: SIM118 (no mapping)
        raise LedgerError(
            f"the ledger's table {own.fullname!r} lacks the columns {', '.join(missing)}; it is of your own "
            f"({row_model.__name__}): add them by a migration of yours"
        )


@asynccontextmanager
async def _turn(engine: AsyncEngine, timeout: float) -> AsyncIterator[AsyncConnection]:
    """A transaction that one process at a time may hold; committed at the end."""
    async with engine.connect() as connection:
        try:
            if connection.dialect.name == "sqlite":
                async with _sqlite_turn(connection, timeout):
                    yield connection
            else:
                await _postgresql_turn(connection, timeout)
                yield connection
                await connection.commit()
        except DBAPIError as error:
            if not _is_timeout(error):
                raise
            raise LedgerUnavailable(
                f"the ledger's tables could not be had within {timeout:g}s: another process upgrades them, "
                f"or holds them in a long transaction; try again when it has ended"
            ) from error


@asynccontextmanager
async def _sqlite_turn(connection: AsyncConnection, timeout: float) -> AsyncIterator[None]:
    usual_ms = (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar()
    await connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(timeout * 1000)}")
    try:
        # The driver opens a transaction before INSERT and UPDATE, not before CREATE TABLE.
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        await connection.commit()
    finally:
        await connection.rollback()
        await connection.exec_driver_sql(f"PRAGMA busy_timeout = {usual_ms}")


async def _postgresql_turn(connection: AsyncConnection, timeout: float) -> None:
    # An engine of the application's own may be set to a level whose snapshot is older than our turn.
    await connection.execution_options(isolation_level="READ COMMITTED")
    await connection.execute(
        text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": f"{round(timeout * 1000)}ms"}
    )
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _is_timeout(error: DBAPIError) -> bool:
    original: Any = error.orig
    is_locked_file = "database is locked" in str(original)
    return is_locked_file or getattr(original, "sqlstate", None) == _LOCK_NOT_AVAILABLE
