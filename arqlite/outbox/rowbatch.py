"""Rows that are committed before their callers are told that their jobs are accepted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table
from sqlalchemy.ext.asyncio import AsyncSession

from ..engine.batch import Gathering
from ..errors import LedgerUnavailable
from ..ledger import Ledger, store
from ..ledger.outage import NO_TABLES, UPGRADE, is_away, lacks_tables, trouble_of

logger = logging.getLogger("arqlite.outbox")

PATIENCE_S = 8.0
"""Longer than SQLite waits for a lock, so that it is SQLite that says no."""
_TRIPS = 2
"""Transactions under way at once: what is asked meanwhile shares the next one."""
_CERTAIN = ("locked", "busy")


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to be written; one whose id its caller chose may be there already."""

    values: dict[str, Any]
    has_own_id: bool

    @property
    def is_whole(self) -> bool:
        """Whether its job can be pushed from it; not where the ledger must not hold an argument."""
        return self.values["record"] is not None


RowAnswer: TypeAlias = bool | Exception
"""Whether it was written; False where a job of its id is open."""


def write_rows(connection: Connection, table: Table, rows: Sequence[NewRow]) -> list[bool]:
    """Write QUEUED rows in a transaction; tells of each whether it was."""
    store.queue_rows(connection, table, [row.values for row in rows if not row.has_own_id])
    return [not row.has_own_id or store.queue_unless_open(connection, table, row.values) for row in rows]


class RowBatch:
    """Commits rows of jobs, all that are asked for in one turn of the loop in one transaction.

    Args:
        ledger: where.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # SQLite has one writer: a second one would only ask it again and again, and might never get its turn.
        trips = 1 if ledger.backend == "sqlite" else _TRIPS
        self._rows: Gathering[NewRow, RowAnswer] = Gathering(self._commit_each, trips)

    async def commit(self, row: NewRow) -> bool:
        """Commit one row.

        Raises:
            LedgerUnavailable: the database is away.
        """
        answer = await self._rows.ask(row)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def commit_all(self, rows: Sequence[NewRow]) -> list[bool]:
        """Commit rows in one transaction, all or none.

        Raises:
            LedgerUnavailable: the database is away.
        """
        table = store.table_of(self._ledger.row_model)
        db = self._ledger.sessions()
        try:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    connection = await db.connection()
                    written = await connection.run_sync(write_rows, table, rows)
            except Exception as error:
                if is_away(error) or isinstance(error, TimeoutError):
                    raise _unavailable(len(rows), error) from error
                raise
            await self._commit(db, len(rows))
        except BaseException:
            await _drop(db)
            raise
        await db.close()
        return written

    async def _commit(self, db: AsyncSession, count: int) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await db.commit()
        except Exception as error:
            if is_away(error) or isinstance(error, TimeoutError):
                is_known = any(word in str(error) for word in _CERTAIN)
                raise _unavailable(count, error, is_known=is_known) from error
            raise

    async def _commit_each(self, rows: Sequence[NewRow]) -> Sequence[RowAnswer]:
        """One row that the database refuses must not cost those of others."""
        try:
            return await self.commit_all(rows)
        except LedgerUnavailable:
            raise
        except Exception as error:
            if len(rows) == 1:
                raise
            logger.info("one of %d rows was refused, writing them one by one: %r", len(rows), error)
        return [await self._answer(row) for row in rows]

    async def _answer(self, row: NewRow) -> RowAnswer:
        try:
            [written] = await self.commit_all([row])
        except Exception as error:  # noqa: BLE001 (it is raised where the row was asked for)
            return error
        return written


def _unavailable(count: int, error: Exception, *, is_known: bool = True) -> LedgerUnavailable:
    which = "a job was not accepted" if count == 1 else f"{count} jobs were not accepted"
    if not is_known:
        which = "nobody knows whether " + (
            "a job was accepted" if count == 1 else f"{count} jobs were accepted"
        )
    advice = f"; {NO_TABLES}: {UPGRADE}" if lacks_tables(error) else ""
    return LedgerUnavailable(f"the ledger {trouble_of(error)}, and {which}{advice}", is_known=is_known)


async def _drop(db: AsyncSession) -> None:
    """Let go of a connection that may not answer any more."""
    try:
        async with asyncio.timeout(1.0):
            await db.invalidate()
    except Exception as error:  # noqa: BLE001 (it failed before)
        logger.debug("a connection to the ledger could not be closed: %r", error)
