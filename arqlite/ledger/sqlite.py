"""SQLite set up for several processes that write at the same time."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

BUSY_TIMEOUT_MS = 5_000


def configure_sqlite(engine: AsyncEngine, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> AsyncEngine:
    """Give every connection of a SQLite engine WAL, a busy timeout, foreign keys and honest savepoints.

    Does nothing for other databases, so callers need not ask which one they have. Returns the engine.
    """
    if engine.dialect.name == "sqlite":

        def set_up(connection: Any, _record: Any) -> None:
            _set_up(connection, busy_timeout_ms)

        event.listen(engine.sync_engine, "connect", set_up)
        event.listen(engine.sync_engine, "savepoint", _begin_before_savepoint)
    return engine


def _set_up(connection: Any, busy_timeout_ms: int) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout_ms)}")
        _use_write_ahead_log(cursor)
        # NORMAL with WAL: a power cut may cost the last commits, never the file; a killed process costs none.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _begin_before_savepoint(connection: Connection, _name: str | None) -> None:
    """Begin the transaction that a savepoint is to be part of.

    The driver begins one before the first change only. A savepoint that is set before would be the
    transaction itself: its release would commit, and no rollback could take that back.
    """
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN")


def _use_write_ahead_log(cursor: Any) -> None:
    """Switch the file to WAL, unless another process is doing so at this moment.

    SQLite does not wait out its busy timeout for this switch. The mode belongs to the file, so the
    other process's switch serves this connection, too.
    """
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
