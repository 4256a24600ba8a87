"""Figures: of open jobs, from their index, and of runs that ended, from the minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import JobState
from ..rows import OPEN_STATUSES, JobRowMixin
from ..tables import MinuteRow, SpreadRow
from .moves import QUEUED, table_of

_FIRST_ONES = 1_000


async def open_by_state(
    db: AsyncSession, row_model: type[JobRowMixin], *, queue: str | None, function: str | None, most: int
) -> tuple[dict[JobState, int], bool]:
    """How many open jobs are in which state, of so many that are looked at, and whether that were all."""
    columns = table_of(row_model).c
    looked = (
        select(columns.state, columns.queue, columns.function)
        .where(columns.status.in_(OPEN_STATUSES))
        .limit(most + 1)
        .subquery()
    )
    said = _of(looked.c, queue, function)
    counts = select(looked.c.state, func.count(), func.count().filter(*said) if said else func.count())
    rows = (await db.execute(counts.group_by(looked.c.state))).all()
    return {state: meant for state, _, meant in rows if meant}, sum(row[1] for row in rows) <= most


async def oldest_waiting(
    db: AsyncSession, row_model: type[JobRowMixin], *, queue: str | None, function: str | None
) -> datetime | None:
    """When the job that has waited longest for a slot began to, of those that were created first."""
    columns = table_of(row_model).c
    first = (
        select(columns.queued_at)
        .where(columns.status == QUEUED, columns.state == JobState.AVAILABLE, *_of(columns, queue, function))
        .order_by(columns.created_at)
        .limit(_FIRST_ONES)
        .subquery()
    )
    found: datetime | None = (await db.execute(select(func.min(first.c.queued_at)))).scalar_one()
    return found


async def ended_runs(
    db: AsyncSession,
    *,
    since: int,
    until: int,
    step: int | None,
    by: Sequence[str],
    queue: str | None,
    function: str | None,
) -> Sequence[Any]:
    """Rows of `(minute or None, *by, state, count, run_ms, wait_ms, longest_run_ms, longest_wait_ms)`.

    Args:
        db: a session.
        since, until: minutes since 1970; the later one is no longer meant.
        step: so many minutes are added up; None is all of them.
        by: `queue`, `function`.
        queue, function: only of this one.
    """
    columns = MinuteRow.__table__.c
    minute: list[ColumnElement[Any]] = []
    if step is not None:
        minute = [cast(columns.minute - columns.minute % step, Integer).label("at")]
    keys = [*minute, *(columns[name] for name in by), columns.state]
    statement = (
        select(
            *keys,
            func.sum(columns["count"]),
            func.sum(columns.run_ms),
            func.sum(columns.wait_ms),
            func.max(columns.longest_run_ms),
            func.max(columns.longest_wait_ms),
        )
        .where(columns.minute >= since, columns.minute < until, *_of(columns, queue, function))
        .group_by(*keys)
        .order_by(*keys)
    )
    return (await db.execute(statement)).all()


async def spread_runs(
    db: AsyncSession,
    *,
    since: int,
    until: int,
    span: int,
    by: Sequence[str],
    queue: str | None,
    function: str | None,
) -> Sequence[Any]:
    """Rows of `(*by, run_ms, wait_ms)`, many of each key, as `SpreadRow` has them.

    Args:
        db: a session.
        since, until: minutes since 1970; the later one is no longer meant.
        span: one of `spreads.SPANS`; those are meant that overlap the time.
        by: `queue`, `function`.
        queue, function: only of this one.
    """
    columns = SpreadRow.__table__.c
    statement = select(*(columns[name] for name in by), columns.run_ms, columns.wait_ms).where(
        columns.start > since - span,
        columns.start < until,
        columns.span == span,
        *_of(columns, queue, function),
    )
    return (await db.execute(statement)).all()


async def runs_in_state(db: AsyncSession, state: str, *, since: int, until: int) -> dict[str, int]:
    """How many runs ended in a state, by queue; much cheaper than all that `ended_runs` adds up.

    Args:
        db: a session.
        state: as the minutes have it.
        since, until: minutes since 1970; the later one is no longer meant.
    """
    columns = MinuteRow.__table__.c
    statement = (
        select(columns.queue, func.sum(columns["count"]))
        .where(columns.minute >= since, columns.minute < until, columns.state == state)
        .group_by(columns.queue)
    )
    return {queue: int(count) for queue, count in (await db.execute(statement)).all()}


def _of(columns: Any, queue: str | None, function: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if queue is not None:
        conditions.append(columns.queue == queue)
    if function is not None:
        conditions.append(columns.function == function)
    return conditions
