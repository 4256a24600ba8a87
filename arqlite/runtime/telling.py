"""What telemetry is told of runs. Nothing is built for nobody: each function asks first who listens."""

from __future__ import annotations

from typing import Any

from ..errors import Discard, JobControl
from ..model.memory import NOTHING, Memory
from ..telemetry import JobException, JobStarted, JobStopped, execute, execute_made, has_handlers
from ..telemetry.events import StoppedState
from .run import Run


def tell_start(run: Run) -> None:
    """A run begins."""
    if has_handlers(JobStarted):
        execute(start_of(run))


def start_of(run: Run) -> JobStarted:
    """What telemetry is told of the start of a run."""
    max_attempts, tags, meta, priority, attempt, record, parent, by = run.given
    return JobStarted(
        run.queue_name, run.job_id, run.function, run.job_try, run.worker, run.started_ms, run.enqueue_ms,
        max_attempts, tags, meta, priority, run.args, run.kwargs, run.score_ms, attempt, run.memory.crashes,
        record, parent, by,
    )  # fmt: skip


def tell_stop(run: Run, state: StoppedState, value: Any, memory: Memory = NOTHING) -> None:
    """A run is over, or a job without one: of what failed its exception comes first.

    Args:
        run: what ended.
        state: what became of the job.
        value: what the function returned, or why the run ended otherwise.
        memory: what the queue remembers of the job's runs from now on.
    """
    if state != "completed" and has_handlers(JobException) and is_failure(state, value):
        _tell_failure(run, state, value)
    execute_made(JobStopped, _stop_of, run, state, value, memory)


def _stop_of(run: Run, state: StoppedState, value: Any, memory: Memory) -> JobStopped:
    is_error = state != "completed" and isinstance(value, BaseException)
    result, error = (None, value) if is_error else (value, None)
    cause = run.cause if state != "completed" and run.cause is not None else ""
    text = "" if memory is NOTHING else memory.encode()
    max_attempts, tags, meta, priority, attempt, record, parent, by = run.given
    started_ms, finished_ms, score_ms = run.started_ms, run.finished_ms, run.score_ms
    return JobStopped(
        run.queue_name, run.job_id, run.function, run.job_try, run.worker, state, finished_ms - started_ms,
        result, error, finished_ms, run.enqueue_ms, max_attempts, tags, meta, priority, run.args, run.kwargs,
        score_ms, max(started_ms - score_ms, 0), attempt, run.memory.crashes, record, parent, by, cause,
        text, started_ms if run.has_begun else 0,
    )  # fmt: skip


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


def _tell_failure(run: Run, state: StoppedState, error: BaseException) -> None:
    execute(
        JobException(
            run.queue_name, run.job_id, run.function, run.job_try, run.worker, state,
            run.finished_ms - run.started_ms, error, state == "discarded", run.finished_ms, run.enqueue_ms,
            run.max_attempts, run.tags, run.meta, run.priority, run.args, run.kwargs, run.score_ms,
            _queue_time_ms(run), run.attempt,
        )
    )  # fmt: skip


def _queue_time_ms(run: Run) -> int:
    return max(run.started_ms - run.score_ms, 0)
