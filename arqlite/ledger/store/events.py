"""Rows moved by what a worker told, many at once; late and repeated events move nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, false, func, literal, not_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from ..changes import ToldRow
from ..rows import BY_QUEUE, OPEN_STATUSES, JobRowMixin
from .moves import CANCELLED, FAILED, QUEUED, RUNNING, SUCCESS, table_of
from .unpacking import PostgresqlUnpacking, SqliteUnpacking, Unpacking, packed


async def record_told(db: AsyncSession, row_model: type[JobRowMixin], rows: Sequence[ToldRow]) -> None:
    """Open rows for jobs that have none, and move those that are there where they may move.

    Each id may occur once.
    """
    is_postgresql = db.get_bind().dialect.name == "postgresql"
    telling = _telling(table_of(row_model), PostgresqlUnpacking if is_postgresql else SqliteUnpacking)
    if telling.has_defaults_of_its_own:
        for row in rows:
            await db.execute(telling.statement, packed([row]))
    else:
        await db.execute(telling.statement, packed(rows))


@lru_cache(maxsize=32)
def _telling(table: Table, unpacking: type[Unpacking]) -> _Telling:
    """The statement for a table; it is long, and made once."""
    return _Telling(table, unpacking())


class _Telling:
    """Rows as a worker tells them (`new`), about to meet those that are there (`old`)."""

    def __init__(self, table: Table, unpacking: Unpacking) -> None:
        self.table = table
        self.unpacking = unpacking
        opened = self._opened()
        # Python's defaults are called once per statement: all rows would get the same token or number.
        self.has_defaults_of_its_own = any(
            column.default is not None and column.default.is_callable
            for column in table.columns
            if column.name not in opened
        )
        # SQLite takes the ON of ON CONFLICT for that of a join, unless there is a WHERE.
        rows = select(*opened.values()).select_from(unpacking.source).where(true())
        self.insert = unpacking.insert(table).from_select(list(opened), rows)
        self.old, self.new = table.c, self.insert.excluded
        self.is_later_job = self._is_later_job()
        self.statement = self.insert.on_conflict_do_update(
            index_elements=[table.c.id, table.c.queue],
            set_=self._begun_anew() | self._moved() | self._dead_worker_noted(),
            where=or_(self.is_later_job, and_(not_(self._is_of_earlier_job()), self._may_move())),
        )

    def _opened(self) -> dict[str, ColumnElement[Any]]:
        """The row of a job that has none."""
        value, moment, column = self.unpacking.value, self.unpacking.moment, self.table.c
        payloads = {
            name: self.unpacking.json(value(name), column[name].type)
            for name in ("output_payload", "error_payload")
        }
        return payloads | {
            "id": value("id"),
            "job_type": value("function"),
            "function": value("function"),
            "queue": value("queue"),
            "status": value("status"),
            "triggered_by": literal(BY_QUEUE),
            "attempt": value("attempt"),
            "crashes": literal(0),
            "worker": value("worker"),
            "enqueued_at": moment("enqueued_at"),
            "created_at": moment("created_at"),
            "queued_at": case(
                (value("status") == QUEUED.name, moment("updated_at")), else_=moment("created_at")
            ),
            "started_at": moment("started_at"),
            "finished_at": moment("finished_at"),
            "updated_at": moment("updated_at"),
        }

    # Which job, and which of its runs?

    def _is_later_job(self) -> ColumnElement[bool]:
        """As `adoption.decide` has it: the event's job was enqueued after the row's; the id is used again."""
        known = func.coalesce(self.old.enqueued_at, self.old.finished_at, self.old.started_at)
        return func.coalesce(self.new.enqueued_at > known, false())

    def _is_of_earlier_job(self) -> ColumnElement[bool]:
        return func.coalesce(self.new.enqueued_at < self.old.enqueued_at, false())

    def _may_move(self) -> ColumnElement[bool]:
        """Whether a run may move the row of its job."""
        old, new = self.old, self.new
        begins = or_(
            # A run that was given back at a shutdown is not counted: the next has its number.
            and_(old.attempt <= new.attempt, old.status == QUEUED),
            and_(old.attempt < new.attempt, old.status.in_([RUNNING, FAILED])),
        )
        ends = and_(old.attempt <= new.attempt, old.status.in_(OPEN_STATUSES))
        # FAILED is left, too: the runner writes it when the job raises, and only the queue knows that the
        # job will be tried again.
        waits_again = or_(
            and_(old.attempt == new.attempt, old.worker == new.worker, old.status.in_([RUNNING, FAILED])),
            and_(old.attempt < new.attempt, old.status.in_([QUEUED, RUNNING, FAILED])),
        )
        return or_(
            and_(new.status == RUNNING, begins),
            and_(new.status.in_([SUCCESS, FAILED, CANCELLED]), ends),
            and_(new.status == QUEUED, waits_again),
        )

    # What becomes of the row?

    def _moved(self) -> dict[str, ColumnElement[Any]]:
        old, new = self.old, self.new
        told = ("status", "attempt", "worker", "output_payload", "finished_at", "updated_at")
        is_new_run = or_(self.is_later_job, new.status == RUNNING, old.attempt < new.attempt)
        return {name: new[name] for name in told} | {
            "error_payload": case(
                (
                    and_(new.status == QUEUED, new.error_payload.is_(None)),
                    self._unless_later_job("error_payload"),
                ),
                else_=new.error_payload,
            ),
            "enqueued_at": func.coalesce(new.enqueued_at, old.enqueued_at),
            "queued_at": case(
                (or_(self.is_later_job, new.status == QUEUED), new.queued_at), else_=old.queued_at
            ),
            "started_at": case(
                (is_new_run, new.started_at), else_=func.coalesce(old.started_at, new.started_at)
            ),
        }

    def _begun_anew(self) -> dict[str, ColumnElement[Any]]:
        """What stays as it is, unless the row is now that of a later job."""
        names = ("job_type", "function", "triggered_by", "created_at", "user_id", "input_payload")
        return {name: self._unless_later_job(name) for name in names}

    def _unless_later_job(self, name: str) -> ColumnElement[Any]:
        return case((self.is_later_job, self.new[name]), else_=self.old[name])

    def _dead_worker_noted(self) -> dict[str, ColumnElement[Any]]:
        """Count and tell the death of a worker: its run says RUNNING while a later one is heard of."""
        old = self.old
        has_died = and_(old.status == RUNNING, old.attempt < self.new.attempt)
        return {
            "crashes": case((self.is_later_job, 0), (has_died, old.crashes + 1), else_=old.crashes),
        }
