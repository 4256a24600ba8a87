"""Rows moved by what workers tell, many at once; late and repeated events move nothing.

What was told of a job may be written in any order and more than once: the last row is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Column, Dialect, Table, and_, delete, exists, or_, select, tuple_, update
from sqlalchemy import func as sql
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.ext.asyncio import AsyncConnection

from ...errors import LedgerError
from ..batches import Batch
from ..changes import (
    ACCEPTED_COLUMNS,
    ATTEMPT_COLUMNS,
    JOB_COLUMNS,
    LOST_CAUSE,
    LOST_STATE,
    MINUTE_COLUMNS,
    SPREAD_COLUMNS,
    Values,
)
from ..rows import OPEN_STATUSES
from ..tables import AttemptRow, MinuteRow, SpreadRow
from .bulk import Bulk, PostgresqlBulk, Shape, Upsert, bulk_of, plain_type
from .conflicts import ADDED, ON_ACCEPTED, ON_ATTEMPT, ON_EVENT, ON_MINUTE, on_spread
from .ends import Ends

_ENQUEUED, _ATTEMPT = JOB_COLUMNS.index("enqueued_at"), JOB_COLUMNS.index("attempt")
_ENQUEUED_OF_ACCEPTED = ACCEPTED_COLUMNS.index("enqueued_at")
_IDS_AT_ONCE = 500


class Writing:
    """The statements for a table of jobs, and for what belongs to it, in one database.

    Args:
        table: the table of jobs.
        dialect: of the database.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self.bulk: Bulk = bulk_of(dialect.name, dialect.paramstyle)
        self._jobs = table
        self._attempts: Table = AttemptRow.__table__  # type: ignore[assignment]
        self._dialect, self._dialect_of_json = dialect, _dialect_of_json(dialect)
        # The driver gets plain text, so Python's own defaults must be made here.
        self._own = [
            column
            for column in table.columns
            if column.name not in JOB_COLUMNS and column.name not in ACCEPTED_COLUMNS and _has_default(column)
        ]
        own_names = [column.name for column in self._own]
        self._ends = Ends(table, self.bulk) if isinstance(self.bulk, PostgresqlBulk) else None
        self._on_event = Upsert(table, [*JOB_COLUMNS, *own_names], ON_EVENT)
        self._on_attempt = Upsert(self._attempts, ATTEMPT_COLUMNS, ON_ATTEMPT)
        self._on_minute = Upsert(MinuteRow.__table__, MINUTE_COLUMNS, ON_MINUTE)  # type: ignore[arg-type]
        spreads: Table = SpreadRow.__table__  # type: ignore[assignment]
        self._on_spread = Upsert(spreads, SPREAD_COLUMNS, on_spread(dialect.name))
        self._on_accepted: dict[tuple[str, ...], Upsert] = {}

    @property
    def writes_ends(self) -> bool:
        """Whether ends have a statement of their own here."""
        return self._ends is not None

    async def write_ends(self, connection: AsyncConnection, batch: Batch) -> Batch | None:
        """Write the ends of jobs that have rows, as most do, and count if nothing else is to be written.

        Args:
            connection: one that commits each statement by itself.
            batch: what is to be written.

        Returns:
            What is left, to be written by `write`, in a transaction; None if nothing is.

        Raises:
            LedgerError: this database has no such statement, see `writes_ends`.
        """
        if self._ends is None:
            raise LedgerError("this database has no statement for ends")
        counted = None if batch.layers else batch
        left, is_counted = await self._ends.write(connection, batch.ends, counted)
        return None if is_counted else batch.with_ends(left)

    async def write(self, connection: AsyncConnection, batch: Batch) -> None:
        """Open rows of jobs that have none, move those that are there where they may move, and count."""
        for layer in batch.layers:
            await self._write_layer(connection, layer)
        await self._run(connection, self._on_minute, batch.minute_rows())
        await self._run(connection, self._on_spread, batch.spread_rows())

    async def accept(
        self, connection: AsyncConnection, jobs: Sequence[tuple[Values, Mapping[str, Any]]]
    ) -> None:
        """Write the rows of jobs that were accepted: values of `ACCEPTED_COLUMNS`, and of further columns."""
        last = {values[:2]: (values, further) for values, further in jobs}  # (a statement takes an id once)
        by_names: dict[tuple[str, ...], list[Values]] = {}
        for _, (values, further) in sorted(last.items(), key=itemgetter(0)):
            names = tuple(sorted(further))
            own = [self._bound(self._jobs.c[name], further[name]) for name in names]
            by_names.setdefault(names, []).append((*values, *own, *self._defaults(further)))
        for names, rows in by_names.items():
            await self._upsert(connection, self._accepting(names), rows, _ENQUEUED_OF_ACCEPTED)

    async def _write_layer(
        self, connection: AsyncConnection, layer: Sequence[tuple[Values, Values | None]]
    ) -> None:
        rows: Sequence[Values] = [job for job, _ in layer]
        if self._own:
            rows = [(*job, *self._defaults({})) for job in rows]
        refusals = await self._upsert(connection, self._on_event, rows, _ENQUEUED)
        told = [attempt for _, attempt in layer if attempt is not None]
        if refusals.earlier:
            told = [attempt for attempt in told if attempt[:2] not in refusals.earlier]
        await self._run(connection, self._on_attempt, told)
        # Of the common job no attempt can be left behind: it has but one, and that is told here.
        doubtful = [
            job[0] for job, attempt in layer if refusals.count or attempt is None or job[_ATTEMPT] > 1
        ]
        if doubtful:
            await self._close_lost(connection, doubtful)

    async def _upsert(
        self, connection: AsyncConnection, upsert: Upsert, rows: Sequence[Values], enqueued: int
    ) -> Refusals:
        """Write rows; if the database refuses some, see whether the rows there are of other jobs.

        Args:
            connection: to the database.
            upsert: the statement.
            rows: what to write; each begins with id and queue.
            enqueued: where in it is when the job was enqueued.
        """
        refusals = Refusals()
        for chunk in self.bulk.parts(rows, len(upsert.columns)):
            text, parameters = self.bulk.call(upsert, Shape(chunk))
            written = (await connection.exec_driver_sql(text, parameters)).rowcount
            if written == len(chunk):
                continue
            refusals.count += len(chunk) - written
            earlier, later = await self._compare(connection, chunk, enqueued)
            refusals.earlier |= earlier
            if later:
                await self._forget(connection, [values[:2] for values in later])
                await self._run(connection, upsert, later)
        return refusals

    async def _compare(
        self, connection: AsyncConnection, rows: Sequence[Values], enqueued: int
    ) -> tuple[set[Values], list[Values]]:
        """Find out which rows are of an earlier job than the row there is, and which of a later one."""
        jobs, there = self._jobs.c, {}
        # A row that does not say when its job was enqueued has begun or ended before a later one was.
        known = sql.coalesce(jobs.enqueued_at, jobs.finished_at, jobs.started_at)
        columns = jobs.id, jobs.queue, jobs.enqueued_at, known
        for ids in _parts([values[0] for values in rows]):
            found = await connection.execute(select(*columns).where(jobs.id.in_(ids)))
            there.update({(row[0], row[1]): (row[2], row[3]) for row in found})
        earlier, later = set(), []
        for values in rows:
            if values[enqueued] is None or values[:2] not in there:
                continue
            told, (began, moment) = self.bulk.read(values[enqueued]), there[values[:2]]
            if began is not None and told < began:
                earlier.add(values[:2])
            elif moment is not None and told > moment:
                later.append(values)
        return earlier, later

    async def _forget(self, connection: AsyncConnection, keys: Sequence[Values]) -> None:
        """Take the earlier jobs out that had these ids."""
        for table, job_id in ((self._jobs, self._jobs.c.id), (self._attempts, self._attempts.c.job_id)):
            for part in _parts(keys):
                await connection.execute(delete(table).where(tuple_(job_id, table.c.queue).in_(part)))

    async def _close_lost(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        """Attempts that run although a later one was begun, or their job ended, have lost their worker."""
        attempts, jobs, later = self._attempts.c, self._jobs.c, self._attempts.alias("later")
        is_later = and_(
            later.c.job_id == attempts.job_id,
            later.c.queue == attempts.queue,
            later.c.attempt > attempts.attempt,
        )
        has_ended = and_(
            jobs.id == attempts.job_id, jobs.queue == attempts.queue, jobs.status.not_in(OPEN_STATUSES)
        )
        next_start = select(sql.min(later.c.started_at)).where(is_later).scalar_subquery()
        end = select(jobs.finished_at).where(has_ended).scalar_subquery()
        for part in _parts(ids):
            await connection.execute(
                update(self._attempts)
                .where(
                    attempts.job_id.in_(part),
                    attempts.state == "executing",
                    or_(exists().where(is_later), exists().where(has_ended)),
                )
                .values(state=LOST_STATE, cause=LOST_CAUSE, finished_at=sql.coalesce(next_start, end))
            )

    async def _run(self, connection: AsyncConnection, upsert: Upsert, rows: Sequence[Values]) -> None:
        for chunk in self.bulk.parts(rows, len(upsert.columns)):
            text, parameters = self.bulk.call(upsert, Shape(chunk))
            await connection.exec_driver_sql(text, parameters)

    def _accepting(self, names: tuple[str, ...]) -> Upsert:
        """The statement for jobs with values of further columns."""
        if names not in self._on_accepted:
            defaults = [column.name for column in self._own if column.name not in names]
            added = ", ".join(f"{name} = coalesce(j.{name}, excluded.{name})" for name in (*ADDED, *names))
            self._on_accepted[names] = Upsert(
                self._jobs, [*ACCEPTED_COLUMNS, *names, *defaults], ON_ACCEPTED % added
            )
        return self._on_accepted[names]

    def _defaults(self, given: Mapping[str, Any]) -> list[Any]:
        """What a model's own columns hold that were not given."""
        return [self._bound(column, _default_of(column)) for column in self._own if column.name not in given]

    def _bound(self, column: Column[Any], value: Any) -> Any:
        """A value as the driver takes it."""
        if isinstance(value, bytes):
            return value
        if isinstance(value, datetime) and value.tzinfo is not None:
            return self.bulk.moment(round(value.timestamp() * 1_000))
        is_json = isinstance(plain_type(column.type), JSON)
        dialect = self._dialect_of_json if is_json else self._dialect
        processor = column.type.dialect_impl(dialect).bind_processor(dialect)
        return value if processor is None else processor(value)


@dataclass(slots=True)
class Refusals:
    """What a table of jobs did not take.

    Attributes:
        count: how many rows.
        earlier: ids and queues of those that are of an earlier job than the row there is.
    """

    count: int = 0
    earlier: set[Values] = field(default_factory=set)


@lru_cache(maxsize=32)
def writing_to(table: Table, dialect: Dialect) -> Writing:
    """The statements for a table of jobs; they are long, and made once."""
    return Writing(table, dialect)


def _dialect_of_json(dialect: Dialect) -> Dialect:
    """One whose JSON is text, as statements of many rows send it: psycopg wraps it for itself."""
    if dialect.name != "postgresql":
        return dialect
    serializer = getattr(dialect, "_json_serializer", None)
    return PGDialect(json_serializer=serializer)  # type: ignore[no-untyped-call]


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (keys[place : place + _IDS_AT_ONCE] for place in range(0, len(keys), _IDS_AT_ONCE))


def _has_default(column: Column[Any]) -> bool:
    return column.default is not None and (column.default.is_scalar or column.default.is_callable)


def _default_of(column: Column[Any]) -> Any:
    default: Any = column.default
    return default.arg(None) if default.is_callable else default.arg
