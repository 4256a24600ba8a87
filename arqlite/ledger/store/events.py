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

from sqlalchemy import Column, Dialect, Table, and_, delete, exists, or_, select, tuple_, update
from sqlalchemy import func as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from ..changes import (
    ACCEPTED_COLUMNS,
    ATTEMPT_COLUMNS,
    JOB_COLUMNS,
    LOST_CAUSE,
    LOST_STATE,
    MINUTE_COLUMNS,
    Batch,
    Values,
)
from ..rows import BY_QUEUE, OPEN_STATUSES
from ..tables import AttemptRow, MinuteRow
from .bulk import Bulk, Shape, Upsert, bulk_of
from .ends import Ends

_ENQUEUED, _ATTEMPT = JOB_COLUMNS.index("enqueued_at"), JOB_COLUMNS.index("attempt")
_ENQUEUED_OF_ACCEPTED = ACCEPTED_COLUMNS.index("enqueued_at")
_IDS_AT_ONCE = 500

# The row is of the same job as the event; as `adoption.decide` has it, ids may be used again.
_SAME_JOB = (
    "coalesce(excluded.enqueued_at = j.enqueued_at,"
    " NOT excluded.enqueued_at > coalesce(j.finished_at, j.started_at), true)"
)
_IS_OPEN = "j.status IN ('QUEUED', 'RUNNING')"
# A job that ended begins again if somebody retried it by hand. After a crash it may be a success whose
# worker died before it told the queue, which must stay one. One that was cancelled before it ran has no
# number to go by.
_MAY_GO_ON = (
    "(j.status NOT IN ('SUCCESS', 'CANCELLED') OR (excluded.crashes <= j.crashes"
    " AND (j.attempt > 0 OR coalesce(excluded.started_at, excluded.updated_at) >= j.finished_at)))"
)
_BEGINS = (
    # A run that was given back is not counted: the next has its number. Its own start may come late.
    f"(j.attempt < excluded.attempt AND {_MAY_GO_ON})"
    " OR (j.attempt = excluded.attempt AND j.status = 'QUEUED'"
    " AND NOT coalesce(j.worker = excluded.worker AND j.started_at >= excluded.started_at, false))"
    # The runner of this very run opened the row, and does not know what the queue stores.
    " OR (j.attempt = excluded.attempt AND j.worker = excluded.worker AND j.status = 'RUNNING'"
    " AND j.record IS NULL AND excluded.record IS NOT NULL)"
)
_WAITS_AGAIN = (
    # FAILED is left, too: the runner writes it when the job raises, and only the queue knows that the
    # job will be tried again.
    f"(j.attempt < excluded.attempt AND {_MAY_GO_ON}) OR (j.attempt = excluded.attempt AND"
    " ((j.status IN ('RUNNING', 'FAILED') AND j.worker = excluded.worker"
    # What its runner has adopted and not started yet runs since then: the end of a run before it comes late.
    " AND coalesce(coalesce(j.started_at, CASE WHEN j.status = 'RUNNING' THEN j.updated_at END)"
    " <= excluded.updated_at, true))"
    " OR (j.status = 'QUEUED' AND j.updated_at < excluded.updated_at)))"
)
_ENDS = (
    # 0 is an end without a run, after any number of them.
    f"(j.attempt < excluded.attempt AND {_MAY_GO_ON}) OR (j.attempt = excluded.attempt AND {_IS_OPEN})"
    f" OR (excluded.attempt = 0 AND {_IS_OPEN} AND coalesce(j.enqueued_at <= excluded.updated_at, true))"
)
_IS_UNREADABLE = "excluded.function = ''"


def _told(name: str) -> str:
    return f"{name} = coalesce(excluded.{name}, j.{name})"


def _known(name: str) -> str:
    return f"{name} = coalesce(j.{name}, excluded.{name})"


_ON_EVENT = f"""ON CONFLICT (id, queue) DO UPDATE SET
 status = excluded.status, state = excluded.state, cause = excluded.cause, updated_at = excluded.updated_at,
 finished_at = excluded.finished_at, output_payload = excluded.output_payload,
 {", ".join(map(_told, ("args", "kwargs", "tags", "meta", "max_attempts", "worker", "scheduled_at")))},
 {", ".join(map(_known, ("parent", "enqueued_at", "pushed_at")))},
 record = CASE WHEN {_IS_UNREADABLE} THEN j.record ELSE coalesce(excluded.record, j.record) END,
 priority = CASE WHEN {_IS_UNREADABLE} THEN j.priority ELSE excluded.priority END,
 triggered_by = CASE WHEN j.triggered_by = '{BY_QUEUE}' THEN excluded.triggered_by ELSE j.triggered_by END,
 attempt = CASE WHEN excluded.attempt = 0 THEN j.attempt ELSE excluded.attempt END,
 crashes = CASE WHEN excluded.crashes > j.crashes THEN excluded.crashes ELSE j.crashes END,
 error_payload = CASE WHEN excluded.status = 'QUEUED' AND j.attempt = excluded.attempt
  THEN coalesce(excluded.error_payload, j.error_payload) ELSE excluded.error_payload END,
 queued_at = CASE WHEN excluded.status = 'QUEUED' THEN excluded.queued_at ELSE j.queued_at END,
 started_at = CASE WHEN j.attempt = excluded.attempt AND j.worker = excluded.worker
  AND j.started_at > excluded.started_at THEN j.started_at ELSE coalesce(excluded.started_at, j.started_at)
  END,
 lock = CASE WHEN excluded.status IN ('QUEUED', 'RUNNING') THEN j.lock END,
 memory = CASE excluded.status WHEN 'QUEUED' THEN excluded.memory WHEN 'RUNNING' THEN j.memory END
WHERE {_SAME_JOB} AND CASE excluded.status
 WHEN 'RUNNING' THEN {_BEGINS} WHEN 'QUEUED' THEN {_WAITS_AGAIN} ELSE {_ENDS} END"""

# The start of a job may overtake the word that it was accepted, which then adds what only the client knows.
_ON_ACCEPTED = f"""ON CONFLICT (id, queue) DO UPDATE SET
 job_type = CASE WHEN j.job_type = j.function THEN excluded.job_type ELSE j.job_type END,
 triggered_by = CASE WHEN j.triggered_by = '{BY_QUEUE}' THEN excluded.triggered_by ELSE j.triggered_by END,
 lock = CASE WHEN {_IS_OPEN} THEN coalesce(j.lock, excluded.lock) END,
 %s
WHERE {_SAME_JOB}"""
_ADDED = (
    "args", "kwargs", "tags", "meta", "user_id", "parent", "max_attempts", "enqueued_at", "scheduled_at",
    "pushed_at", "record",
)  # fmt: skip

# What was told of an attempt stays; that it was lost is concluded from a later one, and told ends know
# better. A number is used again after a run that was not counted.
_ON_ATTEMPT = """ON CONFLICT (job_id, queue, attempt) DO UPDATE SET
 worker = excluded.worker, state = excluded.state, cause = excluded.cause, started_at = excluded.started_at,
 finished_at = excluded.finished_at, error = excluded.error
WHERE j.started_at < excluded.started_at
 OR (j.worker = excluded.worker AND j.state IN ('executing', 'lost') AND excluded.state <> 'executing'
  AND j.started_at = excluded.started_at)"""

_ON_MINUTE = """ON CONFLICT (minute, queue, function, state) DO UPDATE SET
 count = j.count + excluded.count,
 run_ms = j.run_ms + excluded.run_ms, wait_ms = j.wait_ms + excluded.wait_ms,
 longest_run_ms = CASE WHEN j.longest_run_ms < excluded.longest_run_ms THEN excluded.longest_run_ms
  ELSE j.longest_run_ms END,
 longest_wait_ms = CASE WHEN j.longest_wait_ms < excluded.longest_wait_ms THEN excluded.longest_wait_ms
  ELSE j.longest_wait_ms END"""


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
        self._dialect = dialect
        # The driver gets plain text, so Python's own defaults must be made here.
        self._own = [
            column
            for column in table.columns
            if column.name not in JOB_COLUMNS and column.name not in ACCEPTED_COLUMNS and _has_default(column)
        ]
        own_names = [column.name for column in self._own]
        self._ends = Ends(table, self.bulk)
        self._on_event = Upsert(table, [*JOB_COLUMNS, *own_names], _ON_EVENT)
        self._on_attempt = Upsert(self._attempts, ATTEMPT_COLUMNS, _ON_ATTEMPT)
        self._on_minute = Upsert(MinuteRow.__table__, MINUTE_COLUMNS, _ON_MINUTE)  # type: ignore[arg-type]
        self._on_accepted: dict[tuple[str, ...], Upsert] = {}

    async def write_ends(self, connection: AsyncConnection, batch: Batch) -> Batch | None:
        """Write the ends of jobs that have rows, as most do, and count if nothing else is to be written.

        Returns:
            What is left, to be written by `write`, in another transaction; None if nothing is.
        """
        if not self.bulk.updates_many:
            await self.write(connection, batch.with_ends(batch.ends))
            return None
        left = await self._ends.write(connection, batch.ends)
        done = batch.ends
        if left:
            keys = {job[:2] for job, _ in left}
            done = [end for end in done if end[0][:2] not in keys]
        await self._run(connection, self._on_attempt, [attempt for _, attempt in done])
        if doubtful := [job[0] for job, _ in done if job[_ATTEMPT] > 1]:
            await self._close_lost(connection, doubtful)
        if left or batch.layers:
            return batch.with_ends(left)
        await self._count(connection, batch.minutes)
        return None

    async def write(self, connection: AsyncConnection, batch: Batch) -> None:
        """Open rows of jobs that have none, move those that are there where they may move, and count."""
        for layer in batch.layers:
            await self._write_layer(connection, layer)
        await self._count(connection, batch.minutes)

    async def _count(self, connection: AsyncConnection, minutes: Mapping[Values, Sequence[int]]) -> None:
        rows = [(*key, *sums) for key, sums in sorted(minutes.items())]
        await self._run(connection, self._on_minute, rows)

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
            added = ", ".join(f"{name} = coalesce(j.{name}, excluded.{name})" for name in (*_ADDED, *names))
            self._on_accepted[names] = Upsert(
                self._jobs, [*ACCEPTED_COLUMNS, *names, *defaults], _ON_ACCEPTED % added
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
        processor = column.type.dialect_impl(self._dialect).bind_processor(self._dialect)
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


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (keys[place : place + _IDS_AT_ONCE] for place in range(0, len(keys), _IDS_AT_ONCE))


def _has_default(column: Column[Any]) -> bool:
    return column.default is not None and (column.default.is_scalar or column.default.is_callable)


def _default_of(column: Column[Any]) -> Any:
    default: Any = column.default
    return default.arg(None) if default.is_callable else default.arg
