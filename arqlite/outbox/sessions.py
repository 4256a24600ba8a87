"""A caller's session, whatever kind it is of, and what is written and waits in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from ..errors import ConfigurationError
from ..ledger import Ledger

ResultT = TypeVar("ResultT")


async def in_session(given: Any, work: Callable[[Session], ResultT]) -> ResultT:
    """Work on a caller's session; a blocking one is used as its caller uses it, in this thread."""
    session = given() if isinstance(given, scoped_session | async_scoped_session) else given
    if isinstance(session, AsyncSession):
        return await session.run_sync(work)
    return work(blocking_session(session))


def blocking_session(given: Any) -> Session:
    """Take a session that may be used without a loop.

    Raises:
        ConfigurationError: it is none.
    """
    session = given() if isinstance(given, scoped_session) else given
    if isinstance(session, Session):
        return session
    if isinstance(session, AsyncSession | async_scoped_session):
        raise ConfigurationError(
            "this takes a Session; with an AsyncSession say await pool.options(session=session).enqueue(...)"
        )
    raise ConfigurationError(f"session must be an AsyncSession or a Session of SQLAlchemy, got {given!r}")


def connection_of(session: Session, ledger: Ledger) -> Connection:
    """The connection on which a session writes rows of a ledger; begins its transaction if need be.

    Raises:
        ConfigurationError: it leads to another kind of database than the ledger's, or to another file, or it
            commits each statement by itself.
    """
    theirs, ours = session.get_bind(mapper=ledger.row_model).engine.url, ledger.url
    if theirs.get_backend_name() != ours.get_backend_name() or _are_two_files(theirs, ours):
        raise ConfigurationError(
            f"the session is on {_told(theirs)} and the ledger on {_told(ours)}: a job is enqueued in a "
            f"transaction of the ledger's own database"
        )
    connection = session.connection(bind_arguments={"mapper": ledger.row_model})
    if _commits_each_statement(connection):
        raise ConfigurationError(
            "the session commits each statement by itself (AUTOCOMMIT): no rollback could take a job back"
        )
    return connection


def _commits_each_statement(connection: Connection) -> bool:
    """Whether its transaction is none: by its options, or as its driver was told when it connected."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    if connection.dialect.name != "sqlite":
        return bool(getattr(connection.connection.dbapi_connection, "autocommit", False))
    driver: Any = connection.connection.driver_connection
    if getattr(getattr(driver, "_conn", driver), "autocommit", None) is True:  # (since Python 3.12)
        return True
    # Without a level the driver begins nothing; then the application does, or nobody.
    return driver.isolation_level is None and not driver.in_transaction


def _are_two_files(one: URL, other: URL) -> bool:
    """Whether they are of SQLite, and of two files. What is behind the names of servers, URLs cannot tell."""
    if one.database == other.database:
        return False
    files = _file_of(one), _file_of(other)
    return None not in files and files[0] != files[1]


def _file_of(url: URL) -> str | None:
    """The file of a database in SQLite; None is none, or not known."""
    name = url.database or ""
    if url.get_backend_name() != "sqlite" or name in ("", ":memory:") or name.startswith("file:"):
        return None
    return os.path.realpath(name)


def _told(url: URL) -> str:
    return f"{url.get_backend_name()} {_file_of(url) or ''}".rstrip()
