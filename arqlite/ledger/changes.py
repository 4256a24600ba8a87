"""What events mean for rows. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..errors import JobControl
from ..model.states import LEDGER_STATUS, JobState, LedgerStatus
from ..telemetry import JobStarted, JobStopped
from .payloads import describe_error, jsonable_or_text


@dataclass(frozen=True, slots=True)
class Change:
    """What is known of one run of one job, from one or both of its events."""

    job_id: str
    function: str
    queue: str
    attempt: int
    worker: str
    started_ms: int | None = None
    stopped: JobStopped | None = None
    at_ms: int = 0

    @classmethod
    def of(cls, event: JobStarted | JobStopped, before: Change | None) -> Change:
        """The change an event tells, joined with what was told of the same run before."""
        change = cls(
            job_id=event.job_id,
            function=event.function,
            queue=event.queue,
            attempt=event.attempt,
            worker=event.worker,
            started_ms=event.at_ms if isinstance(event, JobStarted) else None,
            stopped=event if isinstance(event, JobStopped) else None,
            at_ms=event.at_ms,
        )
        return change.after(before)

    def after(self, before: Change | None) -> Change:
        """This change, told after another one of the same run."""
        if before is None or self.started_ms is not None:
            return self
        return replace(self, started_ms=before.started_ms)


@dataclass(slots=True)
class Rows:
    """The rows for the three batch statements, as the worker tells them."""

    started: list[dict[str, Any]] = field(default_factory=list)
    given_back: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)


def rows_of(changes: Iterable[Change]) -> Rows:
    """Rows in the order of job ids, so that two writers lock them in the same order."""
    rows = Rows()
    for change in sorted(changes, key=lambda change: (change.job_id, change.attempt)):
        at = _moment(change.at_ms)
        if change.stopped is None:
            rows.started.append(_row(change, at, LedgerStatus.RUNNING) | {"started_at": at})
            continue
        status = LEDGER_STATUS[JobState(change.stopped.state)]
        row = _row(change, at, status)
        if status is LedgerStatus.QUEUED:
            rows.given_back.append(row | {"error_payload": _error_of(change.stopped)})
        else:
            rows.ended.append(row | _end_of(change, change.stopped, at, status))
    return rows


def _row(change: Change, at: datetime, status: LedgerStatus) -> dict[str, Any]:
    return {
        "id": change.job_id,
        "job_type": change.function,
        "function": change.function,
        "queue": change.queue,
        "triggered_by": "queue",
        "status": status,
        "attempt": change.attempt,
        "worker": change.worker,
        "created_at": at,
        "queued_at": at,
        "updated_at": at,
    }


def _end_of(change: Change, stopped: JobStopped, at: datetime, status: LedgerStatus) -> dict[str, Any]:
    is_success = status is LedgerStatus.SUCCESS
    return {
        "started_at": None if change.started_ms is None else _moment(change.started_ms),
        "finished_at": at,
        "output_payload": jsonable_or_text(stopped.result) if is_success else None,
        "error_payload": None if is_success else _error_of(stopped),
    }


def _error_of(stopped: JobStopped) -> dict[str, str] | None:
    """The error in words; a job that only asked to run again has none."""
    if stopped.error is None or (isinstance(stopped.error, JobControl) and stopped.state == "retryable"):
        return None
    return describe_error(stopped.error)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
