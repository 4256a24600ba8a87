"""What telemetry is told of runs. Nothing is built for nobody: each function asks first who listens."""

from __future__ import annotations

from typing import Any

from ..errors import Discard, JobControl
from ..telemetry import JobException, JobStarted, JobStopped, execute, has_handlers
from ..telemetry.events import StoppedState
from .run import Run


def tell_start(run: Run) -> None:
    """A run begins."""
    if has_handlers(JobStarted):
        execute(
            JobStarted(
                queue=run.queue_name,
                job_id=run.job_id,
                function=run.function,
                attempt=run.job_try,
                worker=run.worker,
                at_ms=run.started_ms,
                enqueue_ms=run.enqueue_ms,
                **_told_of_job(run),
            )
        )


def tell_stop(run: Run, state: StoppedState, value: Any) -> None:
    """A run is over, or a job without one: of what failed its exception comes first.

    Args:
        run: what ended.
        state: what became of the job.
        value: what the function returned, or why the run ended otherwise.
    """
    told_failure = has_handlers(JobException) and is_failure(state, value)
    told_stop = has_handlers(JobStopped)
    if not told_failure and not told_stop:
        return
    fields = {
        "queue": run.queue_name,
        "job_id": run.job_id,
        "function": run.function,
        "attempt": run.job_try,
        "worker": run.worker,
        "state": state,
        "duration_ms": run.finished_ms - run.started_ms,
        "at_ms": run.finished_ms,
        "enqueue_ms": run.enqueue_ms,
        "queue_time_ms": max(run.started_ms - run.score_ms, 0),
        **_told_of_job(run),
    }
    if told_failure:
        execute(JobException(error=value, is_last=state == "discarded", **fields))
    if told_stop:
        is_error = isinstance(value, BaseException) and state != "completed"
        result, error = (None, value) if is_error else (value, None)
        execute(JobStopped(result=result, error=error, **fields))


def is_failure(state: StoppedState, value: Any) -> bool:
    """Tell whether a run failed, and did not just decide what becomes of its job."""
    if not isinstance(value, BaseException):
        return False
    match state:
        case "discarded":
            return not isinstance(value, Discard)
        case "retryable":
            return not isinstance(value, JobControl)
        case _:
            return False


def _told_of_job(run: Run) -> dict[str, Any]:
    return {
        "max_attempts": run.max_attempts,
        "tags": run.tags,
        "meta": run.meta,
        "priority": run.priority,
        "args": run.args,
        "kwargs": run.kwargs,
        "scheduled_ms": run.score_ms,
        "counted_attempt": run.attempt,
    }
