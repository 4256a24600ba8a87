"""Reads that end in time: a statement that takes too long is stopped where it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ..errors import LedgerTooSlow

READ_TIMEOUT_S = 2.0

# A page is found in a few ms; to compile its plan first, as PostgreSQL would for a dear one, takes 100.
_LIMITS = "SELECT set_config('statement_timeout', :ms, true), set_config('jit', 'off', true)"
_LIMITED = text(_LIMITS)
# A bitmap is made of all that an index has of a value, and sorted then, where 50 rows were asked for. And of
# many rows some are looked for from the table's beginning, while those that wait are mostly at its end.
_AWAY_FROM_IT = ("enable_bitmapscan", "enable_seqscan")
_FOLLOWING = text(", ".join((_LIMITS, *(f"set_config('{name}', 'off', true)" for name in _AWAY_FROM_IT))))

_STOPPED_BY_POSTGRESQL = "57014"
_STOPPED_BY_SQLITE = "interrupted"


@asynccontextmanager
async def reading(
    sessions: async_sessionmaker[AsyncSession], timeout: float, *, follows_index: bool = False
) -> AsyncIterator[AsyncSession]:
    """A session to read with.

    Args:
        sessions: on the ledger.
        timeout: seconds that a statement may take on PostgreSQL, and all of them together on SQLite.
        follows_index: whether some rows are read that are next to each other in an index.

    Raises:
        LedgerTooSlow: it took longer.
    """
    async with sessions() as db:
        try:
            if db.get_bind().dialect.name == "sqlite":
                async with _interrupted_after(db, timeout):
                    yield db
            else:
                limits = _FOLLOWING if follows_index else _LIMITED
                await db.execute(limits, {"ms": str(max(1, round(timeout * 1000)))})
                yield db
        except DBAPIError as error:
            if _was_stopped(error):
                raise LedgerTooSlow(timeout) from error
            raise


@asynccontextmanager
async def _interrupted_after(db: AsyncSession, seconds: float) -> AsyncIterator[None]:
    """SQLite knows no timeout of its own, but any thread may stop what a connection does."""
    raw = await (await db.connection()).get_raw_connection()
    driver: Any = raw.driver_connection

    async def interrupt() -> None:
        await asyncio.sleep(seconds)
        await driver.interrupt()

    timer = asyncio.create_task(interrupt(), name="arqlite: read timeout")
    try:
        yield
    finally:
        timer.cancel()
        with suppress(asyncio.CancelledError):
            await timer


def _was_stopped(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state == _STOPPED_BY_POSTGRESQL or str(error.orig) == _STOPPED_BY_SQLITE
