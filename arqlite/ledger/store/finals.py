"""What the ledger knows of jobs that a worker is about to start: which of them are over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import FINAL_STATES, JobState
from ..rows import JobRowMixin
from .moves import CANCELLED, FAILED, SUCCESS, table_of

_AT_ONCE = 500


class FinalRow(NamedTuple):
    """How a job ended, as its row has it.

    Attributes:
        state: `completed`, `discarded` or `cancelled`.
        enqueued_ms: when it was enqueued, in ms since 1970; with the id it says which job this is.
        output: what it gave back.
        error: why it did not get through, `{type, message, traceback}`; None where nobody said.
        attempt: the number of its last start.
        started_ms, finished_ms: when that was, in ms since 1970; 0 where it is not known.
    """

    state: JobState
    enqueued_ms: int
    output: Any
    error: Any
    attempt: int
    started_ms: int
    finished_ms: int


async def finals(
    db: AsyncSession, row_model: type[JobRowMixin], queue: str, ids: Sequence[str]
) -> dict[str, FinalRow]:
    """Tell which jobs are over, by id.

    A row that a `JobRunner` closed counts when its job's end was told, too: until then the job may be tried
    again, and its function may have more to do than its runner.
    """
    columns = table_of(row_model).c
    found: dict[str, FinalRow] = {}
    for start in range(0, len(ids), _AT_ONCE):
        statement = select(
            columns.id,
            columns.state,
            columns.enqueued_at,
            columns.output_payload,
            columns.error_payload,
            columns.attempt,
            columns.started_at,
            columns.finished_at,
        ).where(
            columns.id.in_(ids[start : start + _AT_ONCE]),
            columns.queue == queue,
            columns.status.in_([SUCCESS, FAILED, CANCELLED]),
            columns.state.in_(FINAL_STATES),
            columns.enqueued_at.is_not(None),
        )
        for job_id, state, enqueued_at, output, error, attempt, started_at, finished_at in (
            await db.execute(statement)
        ).all():
            found[job_id] = FinalRow(
                state, _ms(enqueued_at), output, error, attempt, _ms(started_at), _ms(finished_at)
            )
    return found


def _ms(moment: datetime | None) -> int:
    return 0 if moment is None else round(moment.timestamp() * 1000)
