"""What the tests of workers with a ledger share: a database that can be stopped, and a look at its rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from arqlite.ledger import AttemptRow, JobRow, Ledger


class Switch:
    """Makes a database as good as stopped: no connection can be made, and those there are break.

    Args:
        engine: whose database.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.is_off = False
        self.tries = 0
        for name in ("do_connect", "before_cursor_execute", "commit"):
            event.listen(engine.sync_engine, name, self._break)

    def _break(self, *_: Any) -> None:
        if self.is_off:
            self.tries += 1
            raise ConnectionRefusedError("the database is stopped")


async def row_of(ledger: Ledger, job_id: str) -> JobRow | None:
    """Read a job's row."""
    async with ledger.sessions() as db:
        return (await db.execute(select(JobRow).where(JobRow.id == job_id))).scalar_one_or_none()


async def attempts_of(ledger: Ledger, job_id: str) -> list[tuple[int, str, str | None]]:
    """Read what became of each of a job's starts, and why."""
    async with ledger.sessions() as db:
        statement = select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.attempt)
        rows = (await db.execute(statement)).scalars().all()
        return [(row.attempt, row.state, row.cause) for row in rows]


async def status_of(ledger: Ledger, job_id: str) -> str | None:
    """Read where a job is by the ledger."""
    row = await row_of(ledger, job_id)
    return None if row is None else row.status.value
