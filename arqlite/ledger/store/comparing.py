"""Rows as they are held against Redis, and mended where the two differ. None of these statements commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Row,
    Select,
    Table,
    bindparam,
    case,
    func,
    literal,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.memory import decode
from ...model.states import Cause, JobState, LedgerStatus
from ...utils import ms_to_datetime
from ..accepting import AcceptedJob
from ..changes import attempts_told
from ..payloads import jsonable_or_text
from ..rows import OPEN_STATUSES, JobRowMixin, utc_now
from ..tables import AttemptRow, QueueRow
from .moves import CANCELLED, FAILED, QUEUED, RUNNING, SUCCESS, table_of
from .waiting import StoredJob

_LOST_STATE = "lost"


class KnownRow(NamedTuple):
    """What a row says of a job, as far as Redis has its own word on it.

    Attributes:
        job_id, status, state, attempt, crashes, memory, enqueued_at, created_at, scheduled_at, started_at,
            finished_at, updated_at, pushed_at, cause: as in the row.
        is_restorable: whether it keeps what the job is pushed from.
        parent: the id of the job that enqueued it, or of which it is a part.
    """

    job_id: str
    status: LedgerStatus
    state: JobState
    attempt: int
    crashes: int
    memory: str | None
    enqueued_at: datetime | None
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    pushed_at: datetime | None
    cause: Cause | None
    is_restorable: bool
    parent: str | None = None

    @property
    def is_part(self) -> bool:
        """Whether it is a further run within a job, `<id>:2` say, which the queue knows nothing of."""
        is_within = self.parent is not None and self.job_id.startswith(f"{self.parent}:")
        return is_within and not self.is_restorable

    @property
    def is_open(self) -> bool:
        """Whether the job still waits or runs, by the row's word."""
        return self.status in OPEN_STATUSES

    @property
    def has_lost_run(self) -> bool:
        """Whether its last run was lost, and the queue does not remember that yet."""
        if self.status is RUNNING:
            return True
        past = decode(self.memory)
        return self.cause is Cause.LOST and self.attempt > past.tries + past.crashes

    @property
    def was_accepted(self) -> bool:
        """Whether the job was in Redis before."""
        return self.pushed_at is not None or self.attempt > 0 or self.status is RUNNING


class KnownOutcome(NamedTuple):
    """How a job ended, by its row.

    Attributes:
        job_id: which.
        status: how.
        output, error: its result, or `{type, message, traceback}`.
        attempt: its last start.
        started_at, finished_at: when.
    """

    job_id: str
    status: LedgerStatus
    output: Any
    error: Any
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None


class SettledRow(NamedTuple):
    """A row that is to tell how its job ended, as Redis has it.

    Attributes:
        row: as it was read; one that has moved since stays as it is.
        status: how it ended.
        cause: why not well; None if it did.
        output, error: its result, or `{type, message, traceback}`.
        attempt: its last start.
        started_at, finished_at: when.
    """

    row: KnownRow
    status: LedgerStatus
    cause: Cause | None
    output: Any
    error: Any
    attempt: int
    started_at: datetime | None
    finished_at: datetime


async def open_rows_after(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    queue: str,
    status: LedgerStatus,
    after: tuple[datetime, str] | None,
    *,
    unchanged_since: datetime | None = None,
    limit: int = 500,
) -> list[KnownRow]:
    """Rows of one open status, those that were created first before the others; parts of jobs among them.

    Args:
        db: a session.
        row_model: the rows.
        queue: of which queue.
        status: QUEUED or RUNNING.
        after: `created_at` and id of the last row of the page before; None begins.
        unchanged_since: only rows that have not changed since.
        limit: how many, at most.
    """
    columns = table_of(row_model).c
    statement = _known(columns).where(columns.queue == queue, columns.status == status)
    if after is not None:
        created_at, job_id = after
        mark = tuple_(bindparam(None, created_at, columns.created_at.type), bindparam(None, job_id))
        statement = statement.where(tuple_(columns.created_at, columns.id) > mark)
    if unchanged_since is not None:
        statement = statement.where(columns.updated_at < unchanged_since)
    statement = statement.order_by(columns.created_at, columns.id).limit(limit)
    return [_row(row) for row in (await db.execute(statement)).all()]


async def rows_of(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, job_ids: Sequence[str]
) -> dict[str, KnownRow]:
    """The rows of these jobs, by id, as they are now; of those that have none nothing."""
    if not job_ids:
        return {}
    columns = table_of(row_model).c
    statement = _known(columns).where(columns.queue == queue, columns.id.in_(job_ids))
    return {row.job_id: row for row in map(_row, (await db.execute(statement)).all())}


async def stored_jobs(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, job_ids: Sequence[str]
) -> dict[str, StoredJob]:
    """What these jobs are pushed from, by id."""
    columns = table_of(row_model).c
    statement = select(
        columns.id, columns.record, columns.scheduled_at, columns.enqueued_at, columns.lock, columns.memory
    ).where(columns.queue == queue, columns.id.in_(job_ids), columns.record.is_not(None))
    return {
        row.id: StoredJob(
            row.id,
            bytes(row.record),
            # A job that is tried again or that snoozes is due by what is remembered of it.
            decode(row.memory).due_ms or ms_of(row.scheduled_at or row.enqueued_at),
            row.lock,
            row.memory or "",
        )
        for row in (await db.execute(statement)).all()
    }


async def outcomes_of(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, job_ids: Sequence[str]
) -> list[KnownOutcome]:
    """How these jobs ended, of those that did."""
    columns = table_of(row_model).c
    statement = select(
        columns.id, columns.status, columns.output_payload, columns.error_payload, columns.attempt,
        columns.started_at, columns.finished_at,
    ).where(
        columns.queue == queue, columns.id.in_(job_ids), columns.status.in_([SUCCESS, FAILED, CANCELLED])
    )  # fmt: skip
    return [KnownOutcome(*row) for row in (await db.execute(statement)).all()]


async def note_pushed(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, job_ids: Sequence[str]
) -> None:
    """These jobs are in Redis."""
    table = table_of(row_model)
    await db.execute(
        update(table)
        .where(table.c.queue == queue, table.c.id.in_(job_ids), table.c.pushed_at.is_(None))
        .values(pushed_at=utc_now())
    )


async def note_lost_runs(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, lost: Sequence[tuple[KnownRow, str, int]]
) -> None:
    """These jobs ran, and their workers lost them: they wait again.

    Args:
        db: a session.
        row_model: the rows.
        queue: of which queue.
        lost: the rows as they were read, with what is remembered of the jobs from now on, and their crashes.
    """
    if not lost:
        return
    now, table = utc_now(), table_of(row_model)
    # Lists of parameters bypass the table's own onupdate, so that all values are named here.
    statement = (
        update(table)
        .where(
            table.c.queue == queue,
            table.c.id == bindparam("of_id"),
            table.c.attempt == bindparam("of_attempt"),
            table.c.status == bindparam("of_status"),
        )
        .values(
            status=QUEUED, state=JobState.AVAILABLE, cause=Cause.LOST, memory=bindparam("new_memory"),
            crashes=bindparam("new_crashes"), queued_at=now, updated_at=now, pushed_at=now,
        )
    )  # fmt: skip
    parameters = [
        {**_identity(row), "new_memory": memory or None, "new_crashes": crashes}
        for row, memory, crashes in lost
    ]
    await _execute_many(db, statement, parameters)
    await close_attempts(db, queue, [row for row, _, _ in lost], now)


async def fail_lost(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, rows: Sequence[KnownRow], error: Any
) -> None:
    """These jobs are gone, and cannot be made anew from their rows."""
    if not rows:
        return
    now, table = utc_now(), table_of(row_model)
    statement = (
        update(table)
        .where(*_as_it_was(table, queue))
        .values(
            status=FAILED, state=JobState.DISCARDED, cause=Cause.LOST, output_payload=None,
            error_payload=error, finished_at=now, updated_at=now,
        )
    )  # fmt: skip
    await _execute_many(db, statement, [_identity(row) for row in rows])
    await close_attempts(db, queue, [row for row in rows if row.status is RUNNING], now)


async def settle_rows(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, settled: Iterable[SettledRow]
) -> None:
    """These jobs ended, and their rows did not hear of it."""
    table = table_of(row_model)
    for end in settled:
        state = _FINAL[end.status]
        await db.execute(
            update(table)
            .where(*_as_it_was(table, queue))
            .values(
                status=end.status, state=state, cause=end.cause, output_payload=_output(table, end),
                error_payload=end.error, attempt=end.attempt, finished_at=end.finished_at,
                started_at=func.coalesce(table.c.started_at, end.started_at), updated_at=utc_now(),
            ),
            _identity(end.row),
        )  # fmt: skip
        await db.execute(
            update(AttemptRow)
            .where(
                AttemptRow.job_id == end.row.job_id, AttemptRow.queue == queue,
                AttemptRow.state == JobState.EXECUTING.value,
            )
            .values(state=state.value, cause=end.cause, finished_at=end.finished_at, error=end.error)
            .execution_options(synchronize_session=False)
        )  # fmt: skip


async def note_waiting(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    queue: str,
    waiting: Sequence[tuple[KnownRow, JobState, str, int]],
) -> None:
    """These jobs wait in Redis, although their rows say otherwise.

    Args:
        db: a session.
        row_model: the rows.
        queue: of which queue.
        waiting: the rows as they were read, with the state in Redis, what is remembered there, the crashes.
    """
    if not waiting:
        return
    now, table = utc_now(), table_of(row_model)
    statement = (
        update(table)
        .where(*_as_it_was(table, queue))
        .values(
            status=QUEUED, state=bindparam("new_state"), memory=bindparam("new_memory"),
            crashes=bindparam("new_crashes"), queued_at=now, updated_at=now, pushed_at=now, finished_at=None,
            output_payload=case((table.c.status.in_(OPEN_STATUSES), table.c.output_payload), else_=null()),
        )
    )  # fmt: skip
    parameters = [
        {**_identity(row), "new_state": state, "new_memory": memory or None, "new_crashes": crashes}
        for row, state, memory, crashes in waiting
    ]
    await _execute_many(db, statement, parameters)
    await close_attempts(db, queue, [row for row, *_ in waiting if row.status is RUNNING], now)


async def close_attempts(db: AsyncSession, queue: str, rows: Sequence[KnownRow], at: datetime) -> None:
    """The runs that these rows tell of ended with their workers."""
    if not rows:
        return
    await db.execute(
        update(AttemptRow)
        .where(
            AttemptRow.queue == queue,
            AttemptRow.job_id.in_([row.job_id for row in rows]),
            AttemptRow.state == JobState.EXECUTING.value,
        )
        .values(state=_LOST_STATE, cause=Cause.LOST, finished_at=at)
        .execution_options(synchronize_session=False)
    )


async def insert_missing(
    db: AsyncSession, row_model: type[JobRowMixin], jobs: Sequence[AcceptedJob], states: Sequence[JobState]
) -> None:
    """Write QUEUED rows for jobs that are in Redis; those that have one by now keep it."""
    now, table = utc_now(), table_of(row_model)
    rows = [
        {
            "id": job.id, "queue": job.queue, "function": job.function,
            "job_type": job.job_type or job.function, "status": QUEUED, "state": state,
            "args": jsonable_or_text(job.args), "kwargs": jsonable_or_text(job.kwargs),
            "tags": list(job.tags), "meta": jsonable_or_text(job.meta),
            "priority": job.priority, "max_attempts": attempts_told(job.max_attempts),
            "triggered_by": job.triggered_by,
            "enqueued_at": ms_to_datetime(job.enqueued_ms) if job.enqueued_ms else None,
            "created_at": ms_to_datetime(job.enqueued_ms) if job.enqueued_ms else now, "queued_at": now,
            "scheduled_at": None if job.due_ms is None else ms_to_datetime(job.due_ms), "updated_at": now,
            "pushed_at": now, "record": job.record or None,
        }
        for job, state in zip(jobs, states, strict=True)
    ]  # fmt: skip
    await _execute_many(db, _dialect(db).insert(table).on_conflict_do_nothing(), rows)


async def read_queue(db: AsyncSession, queue: str) -> QueueRow | None:
    """What the ledger knows of the queue's Redis."""
    statement = select(QueueRow).where(QueueRow.queue == queue).execution_options(populate_existing=True)
    return (await db.execute(statement)).scalar_one_or_none()


async def open_queue(db: AsyncSession, queue: str, marker: str, beat: int, server: str | None) -> None:
    """The queue has this marker, unless the ledger knows another one."""
    now = utc_now()
    values = {
        "queue": queue,
        "marker": marker,
        "beat": beat,
        "server": server,
        "seen_at": now,
        "reconciled_at": now,
    }
    await db.execute(_dialect(db).insert(QueueRow).values(values).on_conflict_do_nothing())


async def beat_queue(db: AsyncSession, queue: str, marker: str, beat: int) -> None:
    """A worker has found the marker in Redis, with this beat."""
    await db.execute(
        update(QueueRow)
        .where(QueueRow.queue == queue, QueueRow.marker == marker, QueueRow.beat <= beat)
        .values(beat=beat, seen_at=utc_now())
        .execution_options(synchronize_session=False)
    )


async def note_seen(db: AsyncSession, queue: str) -> None:
    """Somebody looks after the queue at this moment."""
    await db.execute(
        update(QueueRow)
        .where(QueueRow.queue == queue)
        .values(seen_at=utc_now())
        .execution_options(synchronize_session=False)
    )


async def note_reconciled(db: AsyncSession, queue: str, marker: str, beat: int, server: str | None) -> None:
    """Rows and this Redis were compared in full, and agree."""
    now = utc_now()
    await db.execute(
        update(QueueRow)
        .where(QueueRow.queue == queue)
        .values(marker=marker, beat=beat, server=server, seen_at=now, reconciled_at=now)
        .execution_options(synchronize_session=False)
    )


def ms_of(moment: datetime | None) -> int | None:
    """A moment in ms since 1970."""
    return None if moment is None else round(moment.timestamp() * 1000)


_FINAL = {SUCCESS: JobState.COMPLETED, FAILED: JobState.DISCARDED, CANCELLED: JobState.CANCELLED}


def _output(table: Table, end: SettledRow) -> Any:
    """What a runner has left stays the output of a job that succeeds."""
    if end.status is not SUCCESS:
        return end.output
    return func.coalesce(table.c.output_payload, literal(end.output, table.c.output_payload.type))


def _dialect(db: AsyncSession) -> Any:
    return postgresql if db.get_bind().dialect.name == "postgresql" else sqlite


def _known(columns: Any) -> Select[Any]:
    *names, _, parent = KnownRow._fields[1:]
    return select(
        columns.id,
        *(columns[name] for name in names),
        columns.record.is_not(None).label("is_restorable"),
        columns[parent],
    )


def _row(row: Row[Any]) -> KnownRow:
    return KnownRow._make(row)


def _as_it_was(table: Table, queue: str) -> tuple[Any, ...]:
    return (
        table.c.queue == queue,
        table.c.id == bindparam("of_id"),
        table.c.attempt == bindparam("of_attempt"),
        table.c.status == bindparam("of_status"),
    )


def _identity(row: KnownRow) -> dict[str, Any]:
    return {"of_id": row.job_id, "of_attempt": row.attempt, "of_status": row.status}


async def _execute_many(db: AsyncSession, statement: Any, parameters: list[dict[str, Any]]) -> None:
    """Once per dict of parameters; past the session, which would take a list for rows by primary key."""
    await (await db.connection()).execute(statement, parameters)
