"""A job as a list shows it, from Redis or from its row. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..inspector.found import Found, view_of
from ..model.codec import Codec
from ..model.failures import message_of
from ..model.records import FailedAttempt, JobView
from ..model.states import LEDGER_STATUS, MAY_HAVE_COME_DUE, Cause, JobState
from ..utils import truncate
from .places import Place
from .redaction import Hider
from .views import JobLine

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import JobRowMixin

_LONGEST_ARGUMENTS, _LONGEST_ERROR = 120, 200
NOBODY = ("", "queue", "system")
"""`triggered_by` of jobs that nobody said it of."""


def line_of_found(
    found: Found, place: Place, codec: Codec, hider: Hider, errors: Sequence[bytes] = ()
) -> JobLine:
    """The line of a job of a Redis.

    Args:
        found: the job.
        place: its queue.
        codec: how it is written.
        hider: what is not shown.
        errors: what its failed attempts left, if that was asked for.
    """
    return line_of_view(view_of(found, place.queue, codec, errors), found, place, hider)


def line_of_view(view: JobView, found: Found, place: Place, hider: Hider) -> JobLine:
    """The line of a job of a Redis of which there is a view already."""
    envelope = found.envelope or {}
    arguments = hider.arguments_of(place, view.function, view.args, view.kwargs)
    return JobLine(
        queue=place.key,
        id=view.id,
        function=view.function,
        state=view.state,
        status=LEDGER_STATUS[view.state],
        cause=Cause.CANCELLED if view.state is JobState.CANCELLED else None,
        arguments=arguments_in_a_line(*arguments),
        priority=view.priority,
        tags=view.tags,
        attempt=view.attempt,
        max_attempts=view.max_attempts,
        enqueued_at=view.inserted_at,
        due_at=view.scheduled_at,
        started_at=view.attempted_at,
        finished_at=view.finished_at,
        worker=view.worker or "",
        triggered_by=envelope.get("by") or "",
        parent=envelope.get("pa") or "",
        error=error_in_a_line(*error_of_view(view)),
        source="redis",
    )


def line_of_row(row: JobRowMixin, place: Place, hider: Hider, now: datetime) -> JobLine:
    """The line of a job by its row, as the job is now."""
    arguments = hider.arguments_of(place, row.function, row.args or (), row.kwargs or {})
    line = replace(bare_line_of_row(row, place), arguments=arguments_in_a_line(*arguments))
    has_come_due = row.state in MAY_HAVE_COME_DUE and row.scheduled_at and row.scheduled_at <= now
    return replace(line, state=JobState.AVAILABLE) if has_come_due else line


def bare_line_of_row(row: JobRowMixin, place: Place) -> JobLine:
    """The same without its arguments: for strips of jobs, which show how they ended."""
    error = row.error_payload if isinstance(row.error_payload, dict) else {}
    return JobLine(
        queue=place.key,
        id=row.id,
        function=row.function,
        state=row.state,
        status=row.status,
        cause=row.cause,
        priority=row.priority,
        tags=tuple(map(str, row.tags or ())),
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        enqueued_at=row.enqueued_at or row.created_at,
        due_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        worker=row.worker or "",
        triggered_by="" if row.triggered_by in NOBODY else row.triggered_by,
        parent=row.parent or "",
        error=error_in_a_line(str(error.get("type") or ""), str(error.get("message") or "")),
        source="ledger",
    )


def arguments_in_a_line(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The arguments of a call on one short line."""
    parts = [_short(one) for one in args] + [f"{name}={_short(value)}" for name, value in kwargs.items()]
    return truncate(", ".join(parts), _LONGEST_ARGUMENTS)


def error_in_a_line(kind: str, message: str) -> str:
    """What a job failed with on one line."""
    said = " ".join(message.split())
    name = kind.rpartition(".")[2] if kind.startswith(("builtins.", "asyncio.")) else kind
    return truncate(f"{name}: {said}" if name and said else name or said, _LONGEST_ERROR)


def created_at(line: JobLine) -> datetime:
    """When a job was enqueued, by which lists are in order."""
    if line.enqueued_at is None:
        raise ValueError(f"nobody knows when job {line.id!r} was enqueued")
    return line.enqueued_at


def error_of_view(view: JobView) -> tuple[str, str]:
    """The type and the message of what a job of a Redis failed with last; empty for nothing."""
    if isinstance(view.result, BaseException) and view.state is not JobState.COMPLETED:
        return type(view.result).__qualname__, message_of(view.result)
    last: FailedAttempt | None = view.errors[-1] if view.errors and not view.state.is_final else None
    return ("", "") if last is None else (last.type, last.message)


def _short(value: Any) -> str:
    # A long text is cut before it is written out, and not after.
    return repr(value[:_LONGEST_ARGUMENTS] if isinstance(value, str) else value)[: 2 * _LONGEST_ARGUMENTS]
