"""Deleting what is over, a batch at a time. Only rows of jobs that have ended are ever deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    CursorResult,
    Table,
    and_,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from ..retention import Sweep
from ..rows import JobRowMixin
from ..tables import AttemptRow, AuditRow, IdempotencyRow, LedgerBase, MinuteRow, SpreadRow
from .moves import CANCELLED, FAILED, SUCCESS, table_of

ENDED = (SUCCESS, FAILED, CANCELLED)


class EndedJob(NamedTuple):
    """A job that has ended."""

    id: str
    queue: str
    finished_at: datetime


async def find_ended(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    sweep: Sweep,
    *,
    before: datetime,
    since: datetime | None = None,
    limit: int,
) -> list[EndedJob]:
    """Jobs of a sweep that ended before a moment: the first `limit` to have ended.

    `since` spares the database a look at those that ended earlier and were looked at before.
    """
    columns = table_of(row_model).c
    statement = (
        select(columns.id, columns.queue, columns.finished_at)
        .where(*_ended(columns, sweep, since, before))
        .order_by(columns.finished_at)
        .limit(_literal(limit))
    )
    return [EndedJob(*row) for row in (await db.execute(statement)).all()]


async def delete_ended(
    db: AsyncSession, row_model: type[JobRowMixin], jobs: Sequence[EndedJob], *, before: datetime
) -> tuple[int, int]:
    """Delete jobs, unless they have begun anew since they were found, with their attempts.

    Rows that somebody else holds are left for another time. Finding and deleting are apart, for SQLite would
    keep all writers out while it looks.

    Returns:
        How many jobs, and how many attempts.
    """
    table = table_of(row_model)
    old = table.alias("old")
    chosen = (
        select(old.c.id, old.c.queue)
        .where(
            or_(*(and_(old.c.queue == queue, old.c.id.in_(ids)) for queue, ids in _by_queue(jobs).items())),
            old.c.status.in_(ENDED),
            old.c.finished_at < before,
        )
        .with_for_update(skip_locked=True)
    )
    statement = (
        delete(table)
        .where(tuple_(table.c.id, table.c.queue).in_(chosen))
        .returning(table.c.id, table.c.queue)
    )
    gone = (await db.execute(statement)).all()
    return len(gone), await _delete_attempts(db, gone)


async def count_ended(
    db: AsyncSession, row_model: type[JobRowMixin], sweep: Sweep, *, before: datetime
) -> int:
    """How many jobs of a sweep ended before a moment."""
    table = table_of(row_model)
    statement = select(func.count()).select_from(table).where(*_ended(table.c, sweep, None, before))
    return (await db.execute(statement)).scalar_one()


async def end_of_newest(
    db: AsyncSession, row_model: type[JobRowMixin], count: int, status: Sequence[Any] = ENDED
) -> datetime | None:
    """When the first of the `count` jobs that ended last had ended; None if no more than these have ended."""
    columns = table_of(row_model).c
    statement = (
        select(columns.finished_at)
        .where(columns.finished_at.is_not(None), columns.status.in_(status))
        .order_by(columns.finished_at.desc())
        .offset(count - 1)
        .limit(2)
    )
    found = (await db.execute(statement)).scalars().all()
    return found[0] if len(found) == 2 else None


async def delete_older(db: AsyncSession, kind: str, *, before: datetime, limit: int) -> int:
    """Delete the oldest rows from before a moment, at most `limit`; `kind` as in `Retention.others`."""
    table, moment = _kept(kind)
    old = table.alias("old")
    chosen = (
        select(*(old.c[key.name] for key in table.primary_key))
        .where(old.c[moment.name] < _mark(kind, before))
        .order_by(old.c[moment.name])
        .limit(_literal(limit))
        .with_for_update(skip_locked=True)
    )
    keys = list(table.primary_key)
    key = keys[0] if len(keys) == 1 else tuple_(*keys)
    result = await db.execute(delete(table).where(key.in_(chosen)))
    return cast("CursorResult[Any]", result).rowcount


async def count_older(db: AsyncSession, kind: str, *, before: datetime) -> int:
    """How many rows are from before a moment; `kind` as in `Retention.others`."""
    table, moment = _kept(kind)
    statement = select(func.count()).select_from(table).where(moment < _mark(kind, before))
    return (await db.execute(statement)).scalar_one()


async def count_rows(db: AsyncSession, row_model: type[JobRowMixin], *, limit: int) -> dict[str, int]:
    """How many rows each of the ledger's tables has; at `limit` it stops to count."""
    tables = {table_of(row_model).fullname: table_of(row_model)} | dict(LedgerBase.metadata.tables)
    counts: dict[str, int] = {}
    for name, table in tables.items():
        some = select(literal_column("1")).select_from(table).limit(limit).subquery()
        counts[name] = (await db.execute(select(func.count()).select_from(some))).scalar_one()
    return counts


async def _delete_attempts(db: AsyncSession, jobs: Iterable[Any]) -> int:
    count = 0
    for queue, ids in _by_queue(jobs).items():
        statement = delete(AttemptRow).where(AttemptRow.queue == queue, AttemptRow.job_id.in_(ids))
        count += cast("CursorResult[Any]", await db.execute(statement)).rowcount
    return count


def _by_queue(jobs: Iterable[Any]) -> dict[str, list[str]]:
    """The ids of jobs, by queue."""
    found: dict[str, list[str]] = {}
    for job in jobs:
        found.setdefault(job.queue, []).append(job.id)
    return found


def _ended(columns: Any, sweep: Sweep, since: datetime | None, before: datetime) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [columns.status == sweep.status, columns.finished_at < before]
    if since is not None:
        conditions.append(columns.finished_at >= since)
    if sweep.functions:
        conditions.append(columns.function.in_(sweep.functions))
    if sweep.queues:
        conditions.append(columns.queue.in_(sweep.queues))
    if sweep.other_functions:
        conditions.append(columns.function.not_in(sweep.other_functions))
    if sweep.other_queues:
        conditions.append(columns.queue.not_in(sweep.other_queues))
    return conditions


def _kept(kind: str) -> tuple[Table, Column[Any]]:
    """The table of what is no job, and the column that tells its age."""
    model, moment = {
        "minutes": (MinuteRow, "minute"),
        "spreads": (SpreadRow, "start"),
        "audit": (AuditRow, "at"),
        "idempotency": (IdempotencyRow, "created_at"),
    }[kind]
    table = cast(Table, model.__table__)
    return table, table.c[moment]


def _mark(kind: str, before: datetime) -> datetime | int:
    return int(before.timestamp() // 60) if kind in ("minutes", "spreads") else before


def _literal(limit: int) -> ColumnElement[int]:
    """A limit that PostgreSQL's planner sees: of a parameter it thinks the worst."""
    return literal_column(str(int(limit)))
