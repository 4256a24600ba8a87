"""Questions that take too long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from arqlite.errors import ConfigurationError, LedgerTooSlow
from arqlite.ledger import Ledger
from arqlite.ledger.reading import reading

_FOREVER = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
}


async def test_slow_questions_are_stopped(ledger: Ledger) -> None:
    """A question that takes too long is stopped where it runs, and its connection serves the next one."""
    with pytest.raises(LedgerTooSlow, match=r"did not answer within 0.05 s"):
        async with reading(ledger.sessions, 0.05) as db:
            await db.execute(text(_FOREVER[ledger.engine.dialect.name]))

    assert (await ledger.jobs()).items == []


async def test_timeout_is_of_the_question_alone(ledger: Ledger) -> None:
    """Whoever gets the connection next has the timeout that the database has."""
    async with reading(ledger.sessions, 0.05) as db:
        await db.execute(text("SELECT 1"))

    async with ledger.sessions() as db:
        if ledger.engine.dialect.name == "postgresql":
            assert (await db.execute(text("SHOW statement_timeout"))).scalar_one() == "0"


@pytest.mark.parametrize("way", ["enable_bitmapscan", "enable_seqscan"])
async def test_page_follows_its_index(ledger: Ledger, way: str) -> None:
    """For a page PostgreSQL neither makes a bitmap of an index nor reads the table from its beginning; for
    charts, which are of many rows, it may do both.
    """
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no such settings")
    asked = text(f"SHOW {way}")
    async with reading(ledger.sessions, 2.0, follows_index=True) as db:
        of_page = (await db.execute(asked)).scalar_one()
    async with reading(ledger.sessions, 2.0) as db:
        of_chart = (await db.execute(asked)).scalar_one()

    assert (of_page, of_chart) == ("off", "on")


async def test_other_errors_stay_what_they_are(ledger: Ledger) -> None:
    """An error of the database is not taken for slowness."""
    with pytest.raises(DBAPIError):
        async with reading(ledger.sessions, 2.0) as db:
            await db.execute(text("SELECT nothing"))


def test_timeout_is_checked() -> None:
    """A ledger without any time to answer cannot be."""
    with pytest.raises(ConfigurationError, match="read_timeout"):
        Ledger("sqlite:///jobs.db", read_timeout=0)


def test_span_of_memory_is_checked() -> None:
    """How long Redis remembers ends is told in seconds or as a timedelta, and is long enough to be of use."""
    assert Ledger("sqlite:///jobs.db").remember_ms == 300_000
    assert Ledger("sqlite:///jobs.db", remember=60).remember_ms == 60_000
    assert Ledger("sqlite:///jobs.db", remember=timedelta(hours=1)).remember_ms == 3_600_000
    with pytest.raises(ConfigurationError, match="remember must be at least 5"):
        Ledger("sqlite:///jobs.db", remember=1)
