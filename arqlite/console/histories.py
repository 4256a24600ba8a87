"""What a job went through: its attempts and its timeline. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..model.records import FailedAttempt, JobView
from ..model.states import Cause, JobState
from .lines import error_in_a_line
from .views import Attempt, JobLine, TimelineEntry

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import AttemptRow


def attempts_of_row(row: AttemptRow) -> Attempt:
    """An attempt as its row has it."""
    error = row.error if isinstance(row.error, dict) else {}
    return Attempt(
        number=row.attempt,
        state=row.state,
        cause=row.cause,
        worker=row.worker or "",
        started_at=row.started_at,
        finished_at=row.finished_at,
        error_type=str(error.get("type") or ""),
        message=str(error.get("message") or ""),
        traceback=str(error.get("traceback") or ""),
    )


def attempts_of_view(view: JobView) -> list[Attempt]:
    """The attempts of which Redis keeps something: those that failed, and the last one."""
    ended = [_failed(one, view) for one in view.errors]
    if view.state is JobState.EXECUTING:
        running = Attempt(
            number=view.attempt, state="executing", worker=view.worker or "", started_at=view.attempted_at
        )
        return [*ended, running]
    known = {one.number for one in ended}
    if view.state.is_final and view.attempted_at is not None and view.attempt not in known:
        last = Attempt(
            number=view.attempt,
            state=str(view.state),
            started_at=view.attempted_at,
            finished_at=view.finished_at,
        )
        return [*ended, last]
    return ended


def timeline_of(line: JobLine, attempts: Sequence[Attempt]) -> list[TimelineEntry]:
    """What happened to a job, in order."""
    entries: list[TimelineEntry] = []
    if line.enqueued_at is not None:
        entries.append(
            TimelineEntry(
                line.enqueued_at, "enqueued", f"by {line.triggered_by}" if line.triggered_by else ""
            )
        )
    if line.due_at is not None and line.due_at != line.enqueued_at and not _ended_before(line, line.due_at):
        entries.append(TimelineEntry(line.due_at, "due"))
    for one in attempts:
        on = f" on {one.worker}" if one.worker else ""
        if one.started_at is not None:
            entries.append(TimelineEntry(one.started_at, "started", f"attempt {one.number}{on}"))
        if one.finished_at is not None and one.state != "executing":
            entries.append(TimelineEntry(one.finished_at, one.state, _detail_of(one)))
    has_end = any(entry.what == str(line.state) for entry in entries)
    if line.finished_at is not None and line.state.is_final and not has_end:
        entries.append(TimelineEntry(line.finished_at, str(line.state), line.error or _cause(line.cause)))
    return sorted(entries, key=lambda entry: entry.at)


def _ended_before(line: JobLine, at: datetime) -> bool:
    """Whether a job was over before a time, which never came for it then."""
    return line.state.is_final and line.finished_at is not None and line.finished_at < at


def _failed(one: FailedAttempt, view: JobView) -> Attempt:
    is_last = view.state.is_final and one.attempt == view.attempt
    return Attempt(
        number=one.attempt,
        state=str(view.state) if is_last else "retryable",
        worker=one.worker,
        started_at=view.attempted_at if is_last else None,
        finished_at=one.at,
        error_type=one.type,
        message=one.message,
        traceback=one.traceback,
    )


def _detail_of(attempt: Attempt) -> str:
    said = error_in_a_line(attempt.error_type, attempt.message)
    return said or _cause(attempt.cause)


def _cause(cause: Cause | None) -> str:
    return "" if cause is None else cause.value.lower()
