"""Reading rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import LedgerStatus
from ..cursors import Key
from ..filters import LedgerFilter
from ..rows import OPEN_STATUSES, JobRowMixin
from .listing import list_rows
from .moves import table_of

RowT = TypeVar("RowT", bound=JobRowMixin)

MAX_PAGE = 500


async def find(db: AsyncSession, row_model: type[RowT], job_id: str, queue: str | None = None) -> RowT | None:
    """The row as the database has it now, whatever the session remembers of it.

    Without a queue it is the row that has the id in any of them, of several the latest.
    """
    columns = table_of(row_model).c
    statement = select(row_model).where(columns.id == job_id)
    if queue is not None:
        statement = statement.where(columns.queue == queue)
    statement = statement.order_by(columns.created_at.desc()).limit(1)
    return (await db.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()


async def page(
    db: AsyncSession,
    row_model: type[RowT],
    *,
    status: LedgerStatus | None = None,
    job_type: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> Sequence[RowT]:
    """Rows, the newest first; `before` is the `(created_at, id)` of the last row of the page before."""
    conditions: dict[str, Any] = {}
    if status is not None:
        conditions["status"] = status
    if job_type is not None:
        conditions["job_type"] = job_type
    wanted = LedgerFilter.of(**conditions)
    after = None if before is None else Key(*before, "")
    rows: list[RowT] = []
    while True:
        found = await list_rows(db, row_model, wanted, after=after, limit=min(limit, MAX_PAGE) - len(rows))
        rows += found.rows
        after = found.next
        if after is None or len(rows) >= min(limit, MAX_PAGE):
            return rows


async def count_open(db: AsyncSession, row_model: type[JobRowMixin]) -> dict[LedgerStatus, int]:
    """How many jobs wait and run; reads only the index of open rows."""
    columns = table_of(row_model).c
    statement = (
        select(columns.status, func.count()).where(columns.status.in_(OPEN_STATUSES)).group_by(columns.status)
    )
    counted: dict[LedgerStatus, int] = dict.fromkeys(OPEN_STATUSES, 0)
    counted.update((status, count) for status, count in (await db.execute(statement)).all())
    return counted
