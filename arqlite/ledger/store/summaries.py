"""What many rows have in common: the values of a column, and failures with few columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import JobState, LedgerStatus
from ..rows import JobRowMixin
from .moves import table_of

_AT_ONCE = 500


async def values_of(
    db: AsyncSession, row_model: type[JobRowMixin], column: str, *, start: str = "", most: int
) -> list[str]:
    """The values of an indexed column, in order, from a start on; costs a step in its index for each."""
    asked = table_of(row_model).c[column]
    first = select(func.min(asked).label("value")).where(asked >= start)
    steps = first.cte("steps", recursive=True)
    following = select(func.min(asked)).where(asked > steps.c.value).scalar_subquery()
    steps = steps.union_all(select(following).where(steps.c.value.is_not(None)))
    found = await db.execute(select(steps.c.value).where(steps.c.value.is_not(None)).limit(most))
    return list(found.scalars().all())


async def ids_with_rows(
    db: AsyncSession, row_model: type[JobRowMixin], ids: Sequence[str], *, queue: str
) -> set[str]:
    """Those of some jobs of a queue that have rows."""
    columns = table_of(row_model).c
    found: set[str] = set()
    for start in range(0, len(ids), _AT_ONCE):
        asked = columns.id.in_(ids[start : start + _AT_ONCE])
        found.update((await db.execute(select(columns.id).where(asked, columns.queue == queue))).scalars())
    return found


async def failures(
    db: AsyncSession, row_model: type[JobRowMixin], *, since: datetime, queues: Sequence[str], most: int
) -> Sequence[Any]:
    """Jobs that failed, or failed and are tried again, since a time; those that were created last come first.

    Rows of `(id, queue, function, state, at, error)`; `error` is the text of its JSON.

    Args:
        db: a session.
        row_model: the table.
        since: failures of before are left out.
        queues: only of these; empty is all.
        most: so many of each of both kinds are looked at.
    """
    columns = table_of(row_model).c
    at = func.coalesce(columns.finished_at, columns.updated_at)
    asked = [
        columns.id, columns.queue, columns.function, columns.state, columns.created_at, at.label("at"),
        cast(columns.error_payload, Text).label("error"),
    ]  # fmt: skip
    kinds = [columns.status == LedgerStatus.FAILED, columns.state == JobState.RETRYABLE]
    newest = [
        select(*asked).where(kind).order_by(columns.created_at.desc()).limit(most).subquery(f"kind_{place}")
        for place, kind in enumerate(kinds)
    ]
    both = union_all(*map(select, newest)).subquery("both")
    statement = select(both).where(both.c.at >= since, both.c.error.is_not(None))
    if queues:
        statement = statement.where(both.c.queue.in_(queues))
    return (await db.execute(statement.order_by(both.c.created_at.desc()))).all()
