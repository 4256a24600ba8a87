"""The row of one run, moved only by the run that owns it: its attempt and worker are the claim."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert
from sqlalchemy.ext.asyncio import AsyncSession

from ..adoption import Run
from ..rows import BY_QUEUE, JobRowMixin, utc_now
from .moves import CANCELLED, FAILED, QUEUED, RUNNING, SUCCESS, checked_id, move, table_of


async def open_row(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    run: Run,
    *,
    job_type: str,
    input_payload: Any,
    triggered_by: str,
    user_id: int | None,
) -> None:
    """Write the row of a run that nobody announced, RUNNING at once."""
    now = utc_now()
    await db.execute(
        insert(table_of(row_model)).values(
            id=checked_id(run.job_id),
            job_type=job_type,
            function=run.function,
            queue=run.queue or "",
            status=RUNNING,
            input_payload=input_payload,
            triggered_by=triggered_by,
            user_id=user_id,
            attempt=run.attempt,
            crashes=run.crashes,
            worker=run.worker,
            enqueued_at=run.enqueued_at,
            created_at=run.enqueued_at or now,
            queued_at=run.enqueued_at or now,
            updated_at=now,
        )
    )


async def adopt(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    run: Run,
    seen: JobRowMixin,
    *,
    job_type: str,
    input_payload: Any,
    triggered_by: str,
    user_id: int | None,
) -> bool:
    """Make the row RUNNING for this run. False if it changed since it was `seen`: look again."""
    columns = table_of(row_model).c
    return await move(
        db,
        row_model,
        [columns.id == run.job_id, columns.attempt == seen.attempt, columns.crashes == seen.crashes],
        leaving=[seen.status],
        status=RUNNING,
        job_type=job_type,
        input_payload=input_payload if seen.input_payload is None else seen.input_payload,
        triggered_by=triggered_by if seen.triggered_by == BY_QUEUE else seen.triggered_by,
        user_id=user_id if seen.user_id is None else seen.user_id,
        attempt=run.attempt,
        crashes=max(run.crashes, seen.crashes),
        worker=run.worker,
        error_payload=None,
        enqueued_at=run.enqueued_at or seen.enqueued_at,
        started_at=None,
        finished_at=None,
    )


async def reopen(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    run: Run,
    seen: JobRowMixin,
    *,
    job_type: str,
    input_payload: Any,
    triggered_by: str,
    user_id: int | None,
) -> bool:
    """Begin the row of an earlier job anew, RUNNING. False if it changed since it was `seen`: look again."""
    columns = table_of(row_model).c
    now = utc_now()
    return await move(
        db,
        row_model,
        [columns.id == run.job_id, columns.finished_at == seen.finished_at],
        leaving=[seen.status],
        status=RUNNING,
        job_type=job_type,
        function=run.function,
        input_payload=input_payload,
        output_payload=None,
        error_payload=None,
        triggered_by=triggered_by,
        user_id=user_id,
        attempt=run.attempt,
        crashes=run.crashes,
        worker=run.worker,
        enqueued_at=run.enqueued_at,
        created_at=run.enqueued_at or now,
        queued_at=run.enqueued_at or now,
        started_at=None,
        finished_at=None,
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
        output_payload=output,
        error_payload=None,
        finished_at=utc_now(),
    )


async def fail(db: AsyncSession, row_model: type[JobRowMixin], run: Run, error: Mapping[str, str]) -> bool:
    """RUNNING to FAILED. False if a later run owns the row."""
    return await move(
        db,
        row_model,
        _owned_by(row_model, run),
        leaving=[RUNNING],
        status=FAILED,
        error_payload=dict(error),
        finished_at=utc_now(),
    )


async def cancel(db: AsyncSession, row_model: type[JobRowMixin], run: Run) -> bool:
    """RUNNING to CANCELLED. False if a later run owns the row."""
    return await move(
        db, row_model, _owned_by(row_model, run), leaving=[RUNNING], status=CANCELLED, finished_at=utc_now()
    )


async def give_back(db: AsyncSession, row_model: type[JobRowMixin], run: Run) -> bool:
    """RUNNING to QUEUED, the attempt kept. False if a later run owns the row."""
    return await move(
        db, row_model, _owned_by(row_model, run), leaving=[RUNNING], status=QUEUED, queued_at=utc_now()
    )


def _owned_by(row_model: type[JobRowMixin], run: Run) -> list[ColumnElement[bool]]:
    columns = table_of(row_model).c
    return [columns.id == run.job_id, columns.attempt == run.attempt, columns.worker == run.worker]
