"""The row of one run, moved only by the run that owns it: its attempt and worker are the claim."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, ColumnElement, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import JobState
from ..adoption import Run
from ..endings import Ending
from ..payloads import jsonable_or_text
from ..rows import BY_QUEUE, JobRowMixin, utc_now
from .moves import QUEUED, RUNNING, SUCCESS, checked_id, move, table_of


class Asked(NamedTuple):
    """What a run was asked to do, in the application's words.

    Attributes:
        job_type, input_payload, triggered_by, user_id: as in `JobRowMixin`.
    """

    job_type: str
    input_payload: Any = None
    triggered_by: str = "system"
    user_id: int | None = None


async def open_row(db: AsyncSession, row_model: type[JobRowMixin], run: Run, asked: Asked) -> None:
    """Write the row of a run that nobody announced, RUNNING at once."""
    values = _begun(run) | _new(run) | asked._asdict()
    await db.execute(
        insert(table_of(row_model)).values(
            id=checked_id(run.job_id), queue=run.queue, updated_at=utc_now(), **values
        )
    )


async def adopt(
    db: AsyncSession, row_model: type[JobRowMixin], run: Run, seen: JobRowMixin, asked: Asked
) -> bool:
    """Make the row RUNNING for this run. False if it changed since it was `seen`: look again."""
    columns = table_of(row_model).c
    is_as_seen = [columns.attempt == seen.attempt, columns.crashes == seen.crashes]
    kept: dict[str, Any] = {
        "input_payload": asked.input_payload if seen.input_payload is None else seen.input_payload,
        "triggered_by": asked.triggered_by if seen.triggered_by == BY_QUEUE else seen.triggered_by,
        "user_id": asked.user_id if seen.user_id is None else seen.user_id,
        "crashes": max(run.crashes, seen.crashes),
        "max_attempts": seen.max_attempts if run.max_attempts is None else run.max_attempts,
        "enqueued_at": run.enqueued_at or seen.enqueued_at,
        "pushed_at": seen.pushed_at or utc_now(),
    }
    return await move(
        db,
        row_model,
        [*_of_job(row_model, run), *is_as_seen],
        leaving=[seen.status],
        **_begun(run) | kept | {"job_type": asked.job_type},
    )


async def reopen(
    db: AsyncSession, row_model: type[JobRowMixin], run: Run, seen: JobRowMixin, asked: Asked
) -> bool:
    """Begin the row of an earlier job anew, RUNNING. False if it changed since it was `seen`: look again.

    Nothing of that job stays: what the queue knows of this one its recorder tells.
    """
    columns = table_of(row_model).c
    return await move(
        db,
        row_model,
        [*_of_job(row_model, run), columns.finished_at == seen.finished_at],
        leaving=[seen.status],
        **_begun(run) | _new(run) | asked._asdict() | _FORGOTTEN,
    )


async def mark_started(db: AsyncSession, row_model: type[JobRowMixin], run: Run, at: datetime) -> bool:
    """Note when the work began. False if a later run owns the row."""
    return await move(db, row_model, _owned_by(row_model, run), leaving=[RUNNING], started_at=at)


async def succeed(db: AsyncSession, row_model: type[JobRowMixin], run: Run, output: Any) -> bool:
    """RUNNING to SUCCESS. False if a later run owns the row."""
    return await move(
        db,
        row_model,
        _owned_by(row_model, run),
        leaving=[RUNNING],
        status=SUCCESS,
        state=JobState.COMPLETED,
        cause=None,
        output_payload=output,
        error_payload=None,
        finished_at=utc_now(),
    )


async def note_output(db: AsyncSession, row_model: type[JobRowMixin], run: Run, output: Any) -> bool:
    """Leave in the RUNNING row what was done, whatever becomes of the job. False if a later run owns the row.

    It is never NULL then: `has_output` tells it, though the output itself may be nothing.
    """
    return await move(
        db,
        row_model,
        _owned_by(row_model, run),
        leaving=[RUNNING],
        cause=None,
        output_payload=JSON.NULL if output is None else output,
        error_payload=None,
    )


async def note_failure(db: AsyncSession, row_model: type[JobRowMixin], run: Run, ending: Ending) -> bool:
    """Leave in the RUNNING row what went wrong, whatever becomes of the job. False if a later run owns it."""
    return await move(
        db,
        row_model,
        _owned_by(row_model, run),
        leaving=[RUNNING],
        cause=ending.cause,
        error_payload=ending.error,
    )


async def has_output(db: AsyncSession, row_model: type[JobRowMixin], run: Run) -> bool:
    """Whether the row has an output, be it nothing."""
    columns = table_of(row_model).c
    asked = select(columns.id).where(*_of_job(row_model, run), columns.output_payload.is_not(None))
    return (await db.execute(asked)).first() is not None


async def settle(db: AsyncSession, row_model: type[JobRowMixin], run: Run, ending: Ending) -> bool:
    """RUNNING to FAILED, CANCELLED or, the attempt kept, QUEUED. False if a later run owns the row."""
    now = utc_now()
    moment = {"queued_at": now} if ending.status is QUEUED else {"finished_at": now}
    return await move(
        db,
        row_model,
        _owned_by(row_model, run),
        leaving=[RUNNING],
        status=ending.status,
        state=ending.state,
        cause=ending.cause,
        error_payload=ending.error,
        **moment,
    )


_FORGOTTEN: dict[str, Any] = dict.fromkeys(("args", "kwargs", "scheduled_at", "record", "lock", "memory"))
"""What only the job itself can tell, of a row that is now another one's."""


def _begun(run: Run) -> dict[str, Any]:
    """What the row of a run says that has just begun."""
    return {
        "status": RUNNING,
        "state": JobState.EXECUTING,
        "cause": None,
        "attempt": run.attempt,
        "worker": run.worker,
        "output_payload": None,
        "error_payload": None,
        "started_at": None,
        "finished_at": None,
    }


def _new(run: Run) -> dict[str, Any]:
    """What the row of a job says that had none."""
    now = utc_now()
    return {
        "function": run.function,
        "crashes": run.crashes,
        "max_attempts": run.max_attempts,
        "priority": run.priority,
        "tags": list(run.tags),
        "meta": jsonable_or_text(run.meta),
        "parent": run.part_of,
        "enqueued_at": run.enqueued_at,
        "created_at": run.enqueued_at or now,
        "queued_at": run.enqueued_at or now,
        "pushed_at": now,
    }


def _of_job(row_model: type[JobRowMixin], run: Run) -> list[ColumnElement[bool]]:
    columns = table_of(row_model).c
    return [columns.id == run.job_id, columns.queue == run.queue]


def _owned_by(row_model: type[JobRowMixin], run: Run) -> Sequence[ColumnElement[bool]]:
    columns = table_of(row_model).c
    return [*_of_job(row_model, run), columns.attempt == run.attempt, columns.worker == run.worker]
