"""Rows that follow what was done to their jobs by hand; those of running and of later jobs stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Table, bindparam, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.byhand import Handled
from ...model.states import Cause, JobState
from ...utils import ms_to_datetime
from ..changes import attempts_told
from ..payloads import jsonable_or_text
from ..redaction import Redaction
from ..rows import JobRowMixin
from .moves import CANCELLED, QUEUED, RUNNING, table_of

_DELETED = {"type": "CancelledError", "message": "it was deleted by hand while it waited", "traceback": ""}


class HandledJob(NamedTuple):
    """A job of a queue, and when it was handled."""

    queue: str
    handled: Handled
    at: datetime


async def follow_hands(
    db: AsyncSession, row_model: type[JobRowMixin], jobs: Sequence[HandledJob], redaction: Redaction
) -> None:
    """Let rows tell what was done to their jobs, in this order."""
    # One statement for neighbours of which the same is told; a job may be among them twice, in this order.
    for (is_taken_out, names), group in groupby([_values(job, redaction) for job in jobs], _kind):
        statement = _statement(table_of(row_model), is_taken_out, names)
        # Past the session, which would take a list for rows by primary key.
        await (await db.connection()).execute(statement, list(group))


def _values(job: HandledJob, redaction: Redaction) -> dict[str, Any]:
    handled, at = job.handled, job.at
    values: dict[str, Any] = {"updated_at": at}
    if handled.state is JobState.CANCELLED:
        values |= {
            "status": CANCELLED, "state": JobState.CANCELLED, "cause": Cause.CANCELLED, "finished_at": at,
            "output_payload": None, "error_payload": _DELETED, "lock": None, "memory": None,
        }  # fmt: skip
    else:
        values |= _written(handled, redaction)
        if handled.due_ms is not None:
            values["scheduled_at"] = ms_to_datetime(handled.due_ms)
        if handled.state is not None:
            values |= {
                "status": QUEUED, "state": handled.state, "cause": None, "queued_at": at, "finished_at": None,
                "output_payload": None, "error_payload": None, "memory": handled.memory or None,
            }  # fmt: skip
    identity = {
        "of_id": handled.job_id,
        "of_queue": job.queue,
        "of_job": ms_to_datetime(handled.enqueued_ms) if handled.enqueued_ms else None,
        "of_attempt": handled.attempt,
    }
    return identity | {f"new_{name}": value for name, value in values.items()}


def _written(handled: Handled, redaction: Redaction) -> dict[str, Any]:
    """What a job is called with, as its row shows it."""
    envelope = handled.envelope
    if envelope is None:
        return {}
    args, kwargs = tuple(envelope.get("a") or ()), dict(envelope.get("k") or {})
    args, kwargs, is_whole = redaction.applied(envelope["f"], args, kwargs)  # type: ignore[assignment]
    written: dict[str, Any] = {
        "args": jsonable_or_text(list(args)),
        "kwargs": jsonable_or_text(dict(kwargs)),
        "tags": list(envelope.get("g") or ()),
        "meta": jsonable_or_text(dict(envelope.get("m") or {})),
        "priority": envelope.get("p") or 0,
        "max_attempts": attempts_told(envelope.get("ma") or envelope.get("tm")),
    }
    return written | {"record": handled.record} if is_whole and handled.record else written


def _kind(values: dict[str, Any]) -> tuple[bool, tuple[str, ...]]:
    return values.get("new_status") is CANCELLED, tuple(sorted(values))


def _statement(table: Table, is_taken_out: bool, names: Iterable[str]) -> Any:
    """Change rows with what is given by these names, `new_` before those of columns."""
    columns = table.c
    of_job = bindparam("of_job", type_=columns.enqueued_at.type)
    new = {name.removeprefix("new_"): name for name in names if name.startswith("new_")}
    return (
        update(table)
        .where(
            columns.id == bindparam("of_id"),
            columns.queue == bindparam("of_queue"),
            or_(of_job.is_(None), columns.enqueued_at.is_(None), columns.enqueued_at == of_job),
            columns.attempt <= bindparam("of_attempt"),
            columns.status == QUEUED if is_taken_out else columns.status != RUNNING,
        )
        .values({column: bindparam(name, type_=columns[column].type) for column, name in new.items()})
    )
