"""Rows moved by what a worker told, many at once; late and repeated events move nothing.

Each statement writes the row of a job that has none, or moves the one it has if it may: `excluded` is
the row as the worker tells it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, cast, func, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import LedgerStatus
from ..rows import OPEN_STATUSES, JobRowMixin
from .moves import FAILED, QUEUED, RUNNING, table_of

Rows = Sequence[Mapping[str, Any]]
BatchStatement = Callable[[AsyncSession, type[JobRowMixin], Rows], Awaitable[None]]


async def record_started(db: AsyncSession, row_model: type[JobRowMixin], rows: Rows) -> None:
    """Move rows to RUNNING."""
    told = _Told(db, row_model)
    old, new = told.table.c, told.excluded
    may_move = or_(
        # A run that was given back at a shutdown is not counted: the next has its number.
        and_(old.attempt <= new.attempt, old.status == QUEUED),
        and_(old.attempt < new.attempt, told.is_any(RUNNING, FAILED)),
    )
    changes = {"started_at": new.started_at, "error_payload": None, "finished_at": None}
    await told.write(rows, may_move, changes)


async def record_ended(db: AsyncSession, row_model: type[JobRowMixin], rows: Rows) -> None:
    """Close open rows."""
    told = _Told(db, row_model)
    old, new = told.table.c, told.excluded
    may_move = and_(old.attempt <= new.attempt, told.is_any(*OPEN_STATUSES))
    changes = {
        "output_payload": new.output_payload,
        "error_payload": new.error_payload,
        "started_at": case(
            (old.attempt < new.attempt, new.started_at),
            else_=func.coalesce(old.started_at, new.started_at),
        ),
        "finished_at": new.finished_at,
    }
    await told.write(rows, may_move, changes)


async def record_given_back(db: AsyncSession, row_model: type[JobRowMixin], rows: Rows) -> None:
    """Move rows back to QUEUED.

    FAILED is left, too: the runner writes it when the job raises, and only the queue knows that the
    job will be tried again.
    """
    told = _Told(db, row_model)
    old, new = told.table.c, told.excluded
    may_move = or_(
        and_(old.attempt == new.attempt, old.worker == new.worker, told.is_any(RUNNING, FAILED)),
        and_(old.attempt < new.attempt, told.is_any(QUEUED, RUNNING, FAILED)),
    )
    changes = {
        "error_payload": func.coalesce(new.error_payload, old.error_payload),
        "queued_at": new.queued_at,
        "finished_at": None,
    }
    await told.write(rows, may_move, changes)


class _Told:
    """Rows as a worker tells them, about to meet those that are there."""

    def __init__(self, db: AsyncSession, row_model: type[JobRowMixin]) -> None:
        self.db = db
        self.table: Table = table_of(row_model)
        self.is_postgresql = db.get_bind().dialect.name == "postgresql"
        self.insert: Any = (postgresql.insert if self.is_postgresql else sqlite.insert)(self.table)
        self.excluded = self.insert.excluded

    async def write(self, rows: Rows, may_move: ColumnElement[bool], changes: Mapping[str, Any]) -> None:
        """Insert what is unknown, and move what may move."""
        always = {name: self.excluded[name] for name in ("status", "attempt", "worker", "updated_at")}
        statement = self.insert.on_conflict_do_update(
            index_elements=[self.table.c.id],
            set_=always | self._dead_worker_noted() | dict(changes),
            where=may_move,
        )
        await self.db.execute(statement, rows)

    def is_any(self, *statuses: LedgerStatus) -> ColumnElement[bool]:
        """`status IN (…)`, spelled out: SQLAlchemy expands an IN only for statements that run once."""
        return or_(*(self.table.c.status == status for status in statuses))

    def _dead_worker_noted(self) -> dict[str, ColumnElement[Any]]:
        """Count and tell the death of a worker: its run says RUNNING while a later one is heard of."""
        old = self.table.c
        has_died = and_(old.status == RUNNING, old.attempt < self.excluded.attempt)
        return {
            "crashes": case((has_died, old.crashes + 1), else_=old.crashes),
            "error_history": case((has_died, self._longer_history()), else_=old.error_history),
        }

    def _longer_history(self) -> ColumnElement[Any]:
        old, at = self.table.c, self.excluded.updated_at
        message = "worker " + func.coalesce(old.worker, "?") + " died, or lost its lease"
        entry = ("attempt", old.attempt, "worker", old.worker, "type", "WorkerDied", "message", message, "at")
        if self.is_postgresql:
            added = func.jsonb_build_array(func.jsonb_build_object(*entry, at))
            history: ColumnElement[Any] = cast(old.error_history, postgresql.JSONB)
            return cast(history + added, old.error_history.type)
        moment = func.strftime("%Y-%m-%dT%H:%M:%f+00:00", at)
        return func.json_insert(old.error_history, "$[#]", func.json_object(*entry, moment))
