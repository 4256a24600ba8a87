"""Rows moved by what a worker told, many at once; late and repeated events move nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import LedgerStatus
from ..rows import OPEN_STATUSES, JobRowMixin, UtcDateTime
from .moves import FAILED, QUEUED, RUNNING, table_of

Changes = Sequence[Mapping[str, Any]]
BatchStatement = Callable[[AsyncSession, type[JobRowMixin], Changes], Awaitable[None]]

# What each change carries; the names differ from the columns' since SQLAlchemy keeps those for itself.
_ID: BindParameter[Any] = bindparam("job_id")
_ATTEMPT: BindParameter[Any] = bindparam("run_attempt")
_WORKER: BindParameter[Any] = bindparam("run_worker")
_AT = bindparam("at", type_=UtcDateTime())
_STARTED_AT = bindparam("run_started_at", type_=UtcDateTime())


async def record_unknown(db: AsyncSession, row_model: type[JobRowMixin], rows: Changes) -> None:
    """Write rows for jobs that have none: `{id, job_type, function, queue}` each, QUEUED."""
    table = table_of(row_model)
    make = postgresql.insert if _is_postgresql(db) else sqlite.insert
    await db.execute(make(table).on_conflict_do_nothing(index_elements=[table.c.id]), rows)


async def record_started(db: AsyncSession, row_model: type[JobRowMixin], changes: Changes) -> None:
    """Move rows to RUNNING: `{job_id, run_attempt, run_worker, at}` each."""
    table = table_of(row_model)
    statement = (
        update(table)
        .where(
            table.c.id == _ID,
            or_(
                # A run that was given back at a shutdown is not counted: the next has its number.
                and_(table.c.attempt <= _ATTEMPT, table.c.status == QUEUED),
                and_(table.c.attempt < _ATTEMPT, _is_any(table, RUNNING, FAILED)),
            ),
        )
        .values(
            status=RUNNING,
            attempt=_ATTEMPT,
            worker=_WORKER,
            **_dead_worker_noted(table, is_postgresql=_is_postgresql(db)),
            error_payload=None,
            started_at=_AT,
            finished_at=None,
            updated_at=_AT,
        )
    )
    await db.execute(statement, changes)


async def record_ended(db: AsyncSession, row_model: type[JobRowMixin], changes: Changes) -> None:
    """Close open rows: `{job_id, run_attempt, run_worker, run_started_at, end_status, output, error, at}`."""
    table = table_of(row_model)
    is_news = table.c.attempt < _ATTEMPT
    statement = (
        update(table)
        .where(
            table.c.id == _ID,
            table.c.attempt <= _ATTEMPT,
            _is_any(table, *OPEN_STATUSES),
        )
        .values(
            status=bindparam("end_status", type_=table.c.status.type),
            attempt=_ATTEMPT,
            worker=_WORKER,
            **_dead_worker_noted(table, is_postgresql=_is_postgresql(db)),
            output_payload=bindparam("output", type_=table.c.output_payload.type),
            error_payload=bindparam("error", type_=table.c.error_payload.type),
            started_at=case((is_news, _STARTED_AT), else_=func.coalesce(table.c.started_at, _STARTED_AT)),
            finished_at=_AT,
            updated_at=_AT,
        )
    )
    await db.execute(statement, changes)


async def record_given_back(db: AsyncSession, row_model: type[JobRowMixin], changes: Changes) -> None:
    """Move rows back to QUEUED: `{job_id, run_attempt, run_worker, error, at}` each.

    FAILED is left, too: the runner writes it when the job raises, and only the queue knows that the
    job will be tried again.
    """
    table = table_of(row_model)
    is_this_run = and_(
        table.c.attempt == _ATTEMPT, table.c.worker == _WORKER, _is_any(table, RUNNING, FAILED)
    )
    is_news = and_(table.c.attempt < _ATTEMPT, _is_any(table, QUEUED, RUNNING, FAILED))
    statement = (
        update(table)
        .where(table.c.id == _ID, or_(is_this_run, is_news))
        .values(
            status=QUEUED,
            attempt=_ATTEMPT,
            worker=_WORKER,
            **_dead_worker_noted(table, is_postgresql=_is_postgresql(db)),
            error_payload=func.coalesce(
                bindparam("error", type_=table.c.error_payload.type), table.c.error_payload
            ),
            queued_at=_AT,
            finished_at=None,
            updated_at=_AT,
        )
    )
    await db.execute(statement, changes)


def _dead_worker_noted(table: Table, *, is_postgresql: bool) -> dict[str, ColumnElement[Any]]:
    """Count and tell the death of a worker: its run still says RUNNING while a later one is heard of."""
    has_died = and_(table.c.status == RUNNING, table.c.attempt < _ATTEMPT)
    worker = func.coalesce(table.c.worker, "?")
    entry: list[Any] = [
        *("attempt", table.c.attempt),
        *("worker", table.c.worker),
        *("at", bindparam("noted_at", type_=Text())),
        *("type", "WorkerDied"),
        *("message", "worker " + worker + " died, or lost its lease"),
    ]
    history = table.c.error_history
    longer: ColumnElement[Any]
    if is_postgresql:
        old = cast(history, postgresql.JSONB)
        longer = cast(old + func.jsonb_build_array(func.jsonb_build_object(*entry)), history.type)
    else:
        longer = func.json_insert(history, "$[#]", func.json_object(*entry))
    return {
        "crashes": case((has_died, table.c.crashes + 1), else_=table.c.crashes),
        "error_history": case((has_died, longer), else_=history),
    }


def _is_any(table: Table, *statuses: LedgerStatus) -> ColumnElement[bool]:
    """`status IN (…)`, spelled out: SQLAlchemy expands an IN only for statements that run once."""
    return or_(*(table.c.status == status for status in statuses))


def _is_postgresql(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "postgresql"
