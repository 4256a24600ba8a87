"""Where a ledger is: what users may say for it, and the engine that leads there."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote_plus

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import StaticPool

from ..errors import ConfigurationError, MissingExtra
from .redaction import HIDDEN
from .sqlite import configure_sqlite

DIALECTS = ("postgresql", "sqlite")

_ASYNC_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}
# Parts of the names of a driver's options: libpq's password, sslpassword, sslkey and passfile, asyncpg's dsn.
_SECRETS = ("pass", "pwd", "secret", "token", "key", "dsn")
_EXTRA_OF = {"aiosqlite": "ledger", "asyncpg": "postgres", "psycopg": "psycopg"}
_DRIVERS = "aiosqlite, asyncpg or psycopg"


def url_of(given: Any) -> URL:
    """The URL of what users give, with the driver that asyncio needs unless it names one.

    Raises:
        ConfigurationError: no ledger can be there; the message has no password.
    """
    if isinstance(given, AsyncEngine):
        url = given.url
    elif isinstance(given, str | URL):
        url = _parsed(given if isinstance(given, str) else given.render_as_string(hide_password=False))
    else:
        raise ConfigurationError(
            f"the database of a ledger is a URL such as 'sqlite:///jobs.db', or an AsyncEngine, got {given!r}"
        )
    if url.get_backend_name() not in DIALECTS:
        raise ConfigurationError(
            f"the ledger's URL is the URL of no database that can be used: a ledger is in PostgreSQL or "
            f"SQLite, not in {url.get_backend_name()}"
        )
    if _has_one_connection(given, url):
        raise ConfigurationError(
            "a ledger is in no database in memory, for all its sessions would share one connection, and a "
            "rollback of one would take rows of the others: use a file, in tests a temporary one, such as "
            "f'sqlite:///{tmp_path}/jobs.db'"
        )
    if isinstance(given, AsyncEngine) and given.get_execution_options().get("schema_translate_map"):
        raise ConfigurationError(
            "the ledger's engine has a schema_translate_map, which its own statements would not follow: have "
            "its connections find the tables by their search_path, in asyncpg "
            "connect_args={'server_settings': {'search_path': 'jobs'}}, in psycopg "
            "connect_args={'options': '-csearch_path=jobs'}"
        )
    return url


def shown_url(url: URL) -> str:
    """A database's URL as it may be shown: its password is `***`, and so is every secret in its query."""
    query = {name: HIDDEN if _is_secret(name) else value for name, value in url.query.items()}
    shown = url.set(query=query).render_as_string(hide_password=True)
    return shown.replace(f"={quote_plus(HIDDEN)}", f"={HIDDEN}")


def with_async_driver(url: str) -> str:
    """Give a database's URL the driver that asyncio needs, unless it names one."""
    scheme, separator, rest = url.partition("://")
    return f"{_ASYNC_DRIVERS.get(scheme, scheme)}{separator}{rest}"


def engine_at(url: URL) -> AsyncEngine:
    """Make the engine of a ledger; it connects when it is first used.

    Raises:
        MissingExtra: its driver is not installed.
        ConfigurationError: its driver is none for asyncio.
    """
    driver = url.drivername.partition("+")[2]
    try:
        # A look at each connection before its use: a restart of the database fails nobody's question.
        engine = create_async_engine(url, hide_parameters=True, pool_pre_ping=True)
    except ImportError as error:
        if driver in _EXTRA_OF:
            raise MissingExtra(f"A ledger by {driver}", _EXTRA_OF[driver]) from error
        raise ConfigurationError(f"a ledger works with {_DRIVERS}, and not with {driver}") from error
    except (ArgumentError, InvalidRequestError) as error:
        raise ConfigurationError(f"a ledger works with {_DRIVERS}: {error}") from error
    return configure_sqlite(engine)


def _has_one_connection(given: Any, url: URL) -> bool:
    """Whether all sessions would be on one connection, and so in one transaction."""
    if isinstance(given, AsyncEngine):
        return isinstance(given.pool, StaticPool)
    if url.get_backend_name() != "sqlite":
        return False
    name = url.database or ":memory:"
    return name in (":memory:", "file::memory:") or url.query.get("mode") == "memory"


def _is_secret(name: str) -> bool:
    return any(part in name.lower() for part in _SECRETS)


def _parsed(given: str) -> URL:
    try:
        return make_url(with_async_driver(given))
    except (ArgumentError, ValueError) as error:  # not the text itself: it may have a password in it
        raise ConfigurationError(
            "the ledger's URL is the URL of no database that can be used; one is written as "
            "sqlite:///jobs.db or postgresql://user:password@host/name"
        ) from error


def is_same_database(one: Engine, other: Engine) -> bool:
    """Whether two engines lead to the same database, as far as their URLs tell.

    Its name counts, and not the way there: to a PostgreSQL several may lead, past a pooler say.
    """
    if one is other:
        return True
    if one.dialect.name != other.dialect.name:
        return False
    if one.dialect.name != "sqlite":
        return one.url.database == other.url.database
    # In memory, each engine has a database of its own.
    paths = {os.path.realpath(engine.url.database) for engine in (one, other) if engine.url.database}
    return len(paths) == 1 and not any(path.endswith(":memory:") for path in paths)


async def read_committed(db: AsyncSession) -> None:
    """Begin a transaction that needs no more than that, for each of its statements moves rows by itself.

    SERIALIZABLE, as an engine of an application may have it, holds against each other what jobs do to rows
    beside each other. A transaction that has begun stays as it is.
    """
    bind = db.get_bind()
    if bind.dialect.name == "postgresql" and isinstance(bind, Engine) and not db.in_transaction():
        await db.connection(execution_options={"isolation_level": "READ COMMITTED"})
