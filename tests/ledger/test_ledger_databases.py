"""What a ledger can be made of, and what is told of the rest."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from arqlite.errors import ConfigurationError, MissingExtra
from arqlite.ledger import Ledger, is_away
from arqlite.ledger.databases import engine_at, shown_url, url_of
from arqlite.ledger.outage import words_of


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("jobs.db", "one is written as sqlite:///jobs.db or postgresql://user:password@host/name"),
        ("mysql://host/jobs", "a ledger is in PostgreSQL or SQLite, not in mysql"),
        (42, "a URL such as 'sqlite:///jobs.db', or an AsyncEngine, got 42"),
        (create_engine("sqlite://"), "or an AsyncEngine, got Engine"),
        ("sqlite://", "in no database in memory"),
        ("sqlite:///:memory:", "use a file, in tests a temporary one"),
        ("sqlite:///file:jobs?mode=memory&cache=shared&uri=true", "in no database in memory"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "in no database in memory"),
        (create_async_engine("sqlite+aiosqlite://"), "in no database in memory"),
        (create_async_engine("sqlite+aiosqlite:///a.db", poolclass=StaticPool), "share one connection"),
        (
            create_async_engine("sqlite+aiosqlite:///a.db").execution_options(
                schema_translate_map={None: "jobs"}
            ),
            "find the tables by their search_path",
        ),
    ],
)
def test_no_database_is_told_when_the_ledger_is_made(given: Any, words: str) -> None:
    """A ledger that nothing can come of is refused where it is written, and not by its first job."""
    with pytest.raises(ConfigurationError) as caught:
        Ledger(given)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+asyncpg://ann:hunter2@h/jobs", "postgresql+asyncpg://ann:***@h/jobs"),
        (
            "postgresql+asyncpg://h/jobs?user=ann&password=hunter2",
            "postgresql+asyncpg://h/jobs?password=***&user=ann",
        ),
        (
            "postgresql+psycopg://h/jobs?sslpassword=hunter2&sslkey=/hunter2.key&sslmode=require",
            "postgresql+psycopg://h/jobs?sslkey=***&sslmode=require&sslpassword=***",
        ),
        (
            "postgresql+psycopg://h/jobs?Access_Token=hunter2&client_secret=hunter2&client_secret=hunter2",
            "postgresql+psycopg://h/jobs?Access_Token=***&client_secret=***",
        ),
        ("postgresql+asyncpg:///jobs?host=a:1&host=b:2", "postgresql+asyncpg:///jobs?host=a%3A1&host=b%3A2"),
        ("sqlite+aiosqlite:///jobs.db", "sqlite+aiosqlite:///jobs.db"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    """A password is masked wherever a database's URL may have it, in its query too, and the rest is shown."""
    assert shown_url(make_url(url)) == shown
    assert repr(Ledger(url)) == f"<Ledger {shown} behind>"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"redact": "password"}, "redact is a list of names of arguments"),
        ({"redact": 5}, "redact is a list of names of arguments"),
        ({"redact": {"send": "otp"}}, "redact is a list of names for send, got 'otp'"),
        ({"row_model": int}, "row_model of a ledger must be a class with JobRowMixin"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    """A name alone would hide no argument, for its letters would be taken for names."""
    with pytest.raises(ConfigurationError) as caught:
        Ledger("sqlite:///jobs.db", **options)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("url", "module", "words"),
    [
        ("sqlite:///jobs.db", "aiosqlite", "arqlite[ledger]"),
        ("postgresql://host/jobs", "asyncpg", "arqlite[postgres]"),
        ("postgresql+psycopg://host/jobs", "psycopg", "arqlite[psycopg]"),
    ],
)
def test_missing_driver_names_its_extra(
    url: str, module: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lacks a driver is told what to install."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtra) as caught:
        engine_at(url_of(url))

    assert words in str(caught.value)


def test_driver_that_blocks_is_refused() -> None:
    """A driver without asyncio is told from those that work."""
    with pytest.raises(ConfigurationError, match="works with aiosqlite, asyncpg or psycopg"):
        engine_at(make_url("sqlite+pysqlite:///jobs.db"))


@pytest.mark.parametrize("user", ["postgres", "nobody_of_that_name"])
def test_refused_connection_is_an_outage_with_any_driver(postgres_url: str, user: str) -> None:
    """A database or a user that the server does not know may be there later, and is told in one line."""

    async def told(url: str) -> tuple[bool, str]:
        engine = create_async_engine(url)
        try:
            async with engine.connect():
                raise AssertionError("it is there")
        except Exception as error:
            return is_away(error), words_of(error)
        finally:
            await engine.dispose()

    for driver in ("asyncpg", "psycopg"):
        url = make_url(postgres_url).set(drivername=f"postgresql+{driver}", username=user, database="nothing")
        is_outage, words = asyncio.run(told(url.render_as_string(hide_password=False)))

        assert is_outage
        assert "does not exist" in words
        assert "sqlalche" not in words
        assert "\n" not in words
