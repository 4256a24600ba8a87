"""Events as a worker tells them."""

from __future__ import annotations

from typing import Any

from arqlite.telemetry import JobException, JobStarted, JobStopped

OF_JOB: dict[str, Any] = {
    "queue": "mail",
    "job_id": "42",
    "function": "send",
    "attempt": 3,
    "worker": "host:1:a",
    "enqueue_ms": 900,
    "max_attempts": 20,
    "tags": ("urgent",),
    "meta": {"tenant": 7},
    "args": ("secret",),
    "kwargs": {"key": "secret"},
    "scheduled_ms": 950,
    "counted_attempt": 2,
}


def started(**fields: Any) -> JobStarted:
    return JobStarted(**{**OF_JOB, "at_ms": 1000, **fields})


def stopped(**fields: Any) -> JobStopped:
    told = {**OF_JOB, "state": "completed", "duration_ms": 12, "result": "secret", "error": None}
    return JobStopped(**{**told, "at_ms": 1012, "queue_time_ms": 50, **fields})


def failed(error: BaseException, **fields: Any) -> JobException:
    told = {**OF_JOB, "state": "retryable", "duration_ms": 12, "error": error, "is_last": False}
    return JobException(**{**told, "at_ms": 1012, "queue_time_ms": 50, **fields})


def raised(error: BaseException) -> BaseException:
    """Give an error its traceback."""
    try:
        raise error
    except type(error) as caught:
        return caught
