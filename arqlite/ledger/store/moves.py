"""The one way a single row changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Table, update
from sqlalchemy.ext.asyncio import AsyncSession

from ...errors import LedgerError
from ...model.states import LedgerStatus
from ..rows import JOB_ID_LENGTH, JobRowMixin, utc_now

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus


def table_of(row_model: type[JobRowMixin]) -> Table:
    """The table behind a row model."""
    return cast(Table, row_model.__table__)  # type: ignore[attr-defined]  # (mapped by its subclass)


async def move(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    conditions: Sequence[ColumnElement[bool]],
    *,
    leaving: Sequence[LedgerStatus],
    **values: Any,
) -> bool:
    """Change one row if the conditions hold and it is in one of the states it may leave."""
    table = table_of(row_model)
    statement = (
        update(table).where(*conditions, table.c.status.in_(leaving)).values(updated_at=utc_now(), **values)
    )
    result = cast("CursorResult[Any]", await db.execute(statement))
    return result.rowcount == 1


def checked_id(job_id: str) -> str:
    """The id, if the table has room for it."""
    if len(job_id) > JOB_ID_LENGTH:
        raise LedgerError(f"a job id in the ledger has at most {JOB_ID_LENGTH} characters, got {len(job_id)}")
    return job_id
