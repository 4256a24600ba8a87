"""Attempts: those of a run that no worker tells of are written here, all others by the recorder."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Table, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from ..adoption import Run
from ..endings import Ending
from ..rows import utc_now
from ..tables import AttemptRow

_ATTEMPTS = cast(Table, AttemptRow.__table__)


async def begin_attempt(db: AsyncSession, run: Run) -> None:
    """Write that the attempt runs; one that was given back begins again under its number."""
    begun: dict[str, Any] = {
        "worker": run.worker,
        "state": "executing",
        "cause": None,
        "started_at": utc_now(),
        "finished_at": None,
        "error": None,
    }
    if not await _change(db, _of(run), begun):
        await db.execute(
            insert(_ATTEMPTS).values(job_id=run.job_id, queue=run.queue, attempt=run.attempt, **begun)
        )


async def end_attempt(db: AsyncSession, run: Run, ending: Ending | None = None) -> None:
    """Write how the attempt ended: well, or otherwise. One that is another worker's by now stays as it is."""
    ended: dict[str, Any] = {"finished_at": utc_now(), "state": "completed"}
    if ending is not None:
        ended |= {"state": ending.attempt_state, "cause": ending.cause, "error": ending.error}
    await _change(db, [*_of(run), _ATTEMPTS.c.worker == run.worker], ended)


async def _change(db: AsyncSession, conditions: list[ColumnElement[bool]], values: dict[str, Any]) -> bool:
    changed = cast(
        "CursorResult[Any]", await db.execute(update(_ATTEMPTS).where(*conditions).values(**values))
    )
    return changed.rowcount == 1


def _of(run: Run) -> list[ColumnElement[bool]]:
    columns = _ATTEMPTS.c
    return [columns.job_id == run.job_id, columns.queue == run.queue, columns.attempt == run.attempt]
