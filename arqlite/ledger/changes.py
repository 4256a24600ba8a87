"""What events mean for rows. Pure functions; they are called for every job, and make few objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from pydantic_core import to_json

from ..errors import JobControl
from ..model.memory import Memory, decode
from ..model.states import LEDGER_STATUS, Cause, JobState, LedgerStatus
from ..telemetry import JobStarted, JobStopped
from .accepting import AcceptedJob
from .payloads import describe_error, jsonable_or_text
from .redaction import Redaction
from .rows import BY_QUEUE, MOST_ATTEMPTS

JOB_COLUMNS = (
    "id", "queue", "job_type", "function", "status", "state", "cause", "args", "kwargs", "tags", "meta",
    "priority", "output_payload", "error_payload", "triggered_by", "parent", "attempt", "crashes",
    "max_attempts", "worker", "enqueued_at", "created_at", "queued_at", "scheduled_at", "started_at",
    "finished_at", "updated_at", "pushed_at", "record", "memory",
)  # fmt: skip
"""The values of a job's row that events tell, in their order."""
END_COLUMNS = (
    "id", "queue", "priority", "triggered_by", "output_payload", "attempt", "crashes", "max_attempts",
    "worker", "enqueued_at", "scheduled_at", "started_at", "finished_at", "record",
)  # fmt: skip
"""Those that the end of a job changes, or is known by, where it has its row and ended well at once."""
ACCEPTED_COLUMNS = (
    "id", "queue", "job_type", "function", "status", "state", "args", "kwargs", "tags", "meta", "priority",
    "triggered_by", "user_id", "parent", "max_attempts", "enqueued_at", "created_at", "queued_at",
    "scheduled_at", "updated_at", "pushed_at", "record", "lock",
)  # fmt: skip
ATTEMPT_COLUMNS = (
    "job_id", "queue", "attempt", "worker", "state", "cause", "started_at", "finished_at", "error",
)  # fmt: skip
MINUTE_COLUMNS = (
    "minute", "queue", "function", "state", "count", "run_ms", "wait_ms", "longest_run_ms", "longest_wait_ms",
)  # fmt: skip

SPREAD_COLUMNS = ("start", "span", "queue", "function", "run_ms", "wait_ms")

Values: TypeAlias = tuple[Any, ...]
Moment: TypeAlias = Callable[[int], Any]
"""What a time in ms since 1970 is to a database."""

COMPLETED = JobState.COMPLETED.value
FUNCTION_LENGTH = 255
"""Counts have of longer names only so much."""

# A run may end in one state that no job is in: the job that it leaves behind is scheduled.
_STATES = {state.value: (LEDGER_STATUS[state].name, state.value) for state in JobState}
_STATES["snoozed"] = _STATES[JobState.SCHEDULED.value]
_RUNNING, _QUEUED, _SUCCESS = LedgerStatus.RUNNING.name, LedgerStatus.QUEUED.name, LedgerStatus.SUCCESS.name
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999; by mistake, a job may well be scheduled for later."""


Run: TypeAlias = tuple[Values, Values | None, Values | None]
"""A run as rows tell it: values of `JOB_COLUMNS`; values of `ATTEMPT_COLUMNS`, None of what ended without a
run; and what a minute counts, None of what has not ended."""
End: TypeAlias = tuple[Values, Values]
"""A job that ended well at the first attempt, as nearly all do: values of `END_COLUMNS`; and its function,
args, kwargs, tags, meta and parent, its minute, and for how many ms it ran and waited."""
Told: TypeAlias = Run | End
"""What was told of a run. Plain tuples of plain values, which the garbage collector does not look at again
and again while they wait."""


class EndedRun(Protocol):
    """A run that a worker has at hand; its attributes are those of `runtime.run.Run`."""

    job_id: str
    queue_name: str
    function: str
    args: Any
    kwargs: dict[str, Any]
    job_try: int
    memory: Memory
    enqueue_ms: int
    score_ms: int
    started_ms: int
    finished_ms: int
    has_begun: bool
    worker: str

    @property
    def given(self) -> tuple[int, tuple[str, ...], dict[str, Any], int, int, bytes, str, str]:
        """How often it may be tried, tags, meta, priority, which attempt it is, record, parent, and who asked
        for it.
        """


def in_full(told: Told) -> Run:
    """A run as rows tell it that may not be there yet."""
    if len(told) == 3:
        return told
    end, (function, args, kwargs, tags, meta, parent, minute, ran, waited) = told
    (
        job_id, queue, priority, by, output, attempt, crashes, most, worker, enqueued, scheduled, began, at,
        record,
    ) = end  # fmt: skip
    return (
        (
            job_id, queue, function, function, _SUCCESS, COMPLETED, None, args, kwargs, tags, meta, priority,
            output, None, by, parent, attempt, crashes, most, worker, enqueued, enqueued, enqueued, scheduled,
            began, at, at, at, record, None,
        ),
        (job_id, queue, attempt, worker, COMPLETED, None, began, at, None),
        (minute, queue, function[:FUNCTION_LENGTH], COMPLETED, ran, waited),
    )  # fmt: skip


def told_of(
    started: JobStarted | None, stopped: JobStopped | None, moment: Moment, redaction: Redaction
) -> Told:
    """What events tell of a run: that it began, how it ended, or both."""
    if stopped is not None and (end := _end_of(started, stopped, moment, redaction)) is not None:
        return end
    finished = ended = output = error = cause = memory = tally = None
    event = started if stopped is None else stopped
    if event is None:
        raise ValueError("nothing was told")
    at = moment(event.at_ms)
    enqueued = moment(event.enqueue_ms) if event.enqueue_ms > 0 else None
    queued, scheduled_ms = enqueued or at, event.scheduled_ms
    if stopped is None:
        status, state, outcome = _RUNNING, "executing", "executing"
    else:
        outcome, ended = stopped.state, at
        status, state = _STATES[outcome]
        tally = _tally(stopped)
        if status == _SUCCESS:
            finished = at
            output = None if stopped.result is None else json_of(stopped.result)
        else:
            cause = stopped.cause or None
            if stopped.error is not None and not _only_asks_to_run_again(stopped):
                error = json_of(describe_error(stopped.error))
            if status == _QUEUED:
                memory, queued = stopped.memory or None, at
                scheduled_ms = decode(memory).due_ms or stopped.at_ms
            else:
                finished = at
    began = _began(started, stopped, moment)
    function, worker = event.function, event.worker or None
    args, kwargs, tags, meta, record = _given_to(event, redaction)
    job = (
        event.job_id, event.queue, function, function, status, state, cause, args, kwargs, tags, meta,
        event.priority, output, error, event.triggered_by or BY_QUEUE, event.parent or None, event.attempt,
        event.crashes, attempts_told(event.max_attempts), worker, enqueued, enqueued or at, queued,
        moment(min(scheduled_ms, _LAST_MS)) if scheduled_ms > 0 else None, began, finished, at, at, record,
        memory,
    )  # fmt: skip
    if began is None:
        return job, None, tally
    return job, (event.job_id, event.queue, event.attempt, worker, outcome, cause, began, ended, error), tally


def _end_of(
    started: JobStarted | None, stopped: JobStopped, moment: Moment, redaction: Redaction
) -> End | None:
    """The end of a job that is known to the last detail, and went well at once; else None."""
    if stopped.state != COMPLETED or stopped.attempt != 1 or stopped.enqueue_ms <= 0:
        return None
    args, kwargs, tags, meta, record = _given_to(stopped, redaction)
    began = _began(started, stopped, moment)
    if record is None or began is None:
        return None
    function, at_ms, due_ms, result = stopped.function, stopped.at_ms, stopped.scheduled_ms, stopped.result
    end = (
        stopped.job_id, stopped.queue, stopped.priority, stopped.triggered_by or BY_QUEUE,
        None if result is None else json_of(result), 1, stopped.crashes, attempts_told(stopped.max_attempts),
        stopped.worker or None, moment(stopped.enqueue_ms),
        moment(min(due_ms, _LAST_MS)) if due_ms > 0 else None, began, moment(at_ms), record,
    )  # fmt: skip
    more = (
        function, args, kwargs, tags, meta, stopped.parent or None, at_ms // 60_000, stopped.duration_ms,
        stopped.queue_time_ms,
    )  # fmt: skip
    return end, more


def end_of_run(run: EndedRun, value: Any, moment: Moment, redaction: Redaction) -> End | None:
    """The same of a run that a worker has at hand, and of no other job than `told_of` makes an `End` of."""
    function, enqueued_ms, began_ms, at_ms = run.function, run.enqueue_ms, run.started_ms, run.finished_ms
    if run.job_try != 1 or not (function and run.has_begun) or min(enqueued_ms, began_ms) <= 0:
        return None
    max_attempts, tags, meta, priority, _, record, parent, by = run.given
    args, kwargs, tags, meta, record = _given(function, run.args, run.kwargs, tags, meta, record, redaction)
    if record is None:
        return None
    due_ms = run.score_ms
    end = (
        run.job_id, run.queue_name, priority, by or BY_QUEUE, None if value is None else json_of(value), 1,
        run.memory.crashes, min(max_attempts, MOST_ATTEMPTS), run.worker or None, moment(enqueued_ms),
        moment(min(due_ms, _LAST_MS)) if due_ms > 0 else None, moment(began_ms), moment(at_ms), record,
    )  # fmt: skip
    waited_ms = began_ms - due_ms if began_ms > due_ms else 0
    return end, (
        function, args, kwargs, tags, meta, parent or None, at_ms // 60_000, at_ms - began_ms, waited_ms,
    )  # fmt: skip


def attempts_told(most: int | None) -> int | None:
    """How often a job may be tried, as a row has it."""
    return None if most is None else min(most, MOST_ATTEMPTS)


def _began(started: JobStarted | None, stopped: JobStopped | None, moment: Moment) -> Any:
    """When the run began; None of what ended without one."""
    if started is not None:
        return moment(started.at_ms)
    if stopped is not None and stopped.started_ms:
        return moment(stopped.started_ms)
    if stopped is None or stopped.duration_ms <= 0 or stopped.attempt < 1:
        return None
    return moment(stopped.at_ms - stopped.duration_ms)


def _tally(event: JobStopped) -> Values:
    return (
        event.at_ms // 60_000, event.queue, event.function[:FUNCTION_LENGTH], event.state, event.duration_ms,
        event.queue_time_ms,
    )  # fmt: skip


def _given(
    function: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    tags: Sequence[str],
    meta: Mapping[str, Any],
    record: bytes,
    redaction: Redaction,
) -> Values:
    """What the job was enqueued with, as JSON, and its record; all None of a job that could not be read."""
    if not function:
        return None, None, None, None, None
    kept: bytes | None = record or None
    if (args or kwargs) and redaction.concerns(function):
        args, kwargs, is_whole = redaction.applied(function, args, kwargs)
        kept = kept if is_whole else None
    return (
        json_of(args) if args else "[]",
        json_of(kwargs) if kwargs else "{}",
        json_of(tags) if tags else "[]",
        json_of(meta) if meta else "{}",
        kept,
    )


def _given_to(event: JobStarted | JobStopped, redaction: Redaction) -> Values:
    return _given(
        event.function, event.args, event.kwargs, event.tags, event.meta, event.record, redaction
    )  # fmt: skip


def accepted_values(
    job: AcceptedJob, moment: Moment, redaction: Redaction, pushed_ms: int | None = None
) -> Values:
    """The values of `ACCEPTED_COLUMNS`; a job that is not known to be in Redis yet has no `pushed_ms`."""
    args, kwargs, record = job.args, job.kwargs, job.record or None
    if redaction and redaction.concerns(job.function):
        args, kwargs, is_whole = redaction.applied(job.function, args, kwargs)
        record = record if is_whole else None
    enqueued = moment(job.enqueued_ms)
    due_ms = job.enqueued_ms if job.due_ms is None else job.due_ms
    due_ms = min(due_ms, _LAST_MS)
    is_early = due_ms > job.enqueued_ms
    state = job.state or (JobState.SCHEDULED if is_early else JobState.AVAILABLE)
    return (
        job.id, job.queue, job.job_type or job.function, job.function, _QUEUED, state.value,
        json_of(args) if args else "[]",
        json_of(kwargs) if kwargs else "{}",
        json_of(job.tags) if job.tags else "[]",
        json_of(job.meta) if job.meta else "{}",
        job.priority, job.triggered_by, job.user_id, job.parent or None, attempts_told(job.max_attempts),
        enqueued, enqueued, enqueued, moment(due_ms) if is_early else enqueued, enqueued,
        None if pushed_ms is None else moment(pushed_ms), record,
        None if job.lock is None else json_of(list(job.lock)),
    )  # fmt: skip


def json_of(value: Any) -> str:
    """Any value as JSON; what JSON cannot hold becomes text, NaN and the infinities become null."""
    try:
        return to_json(value, inf_nan_mode="null", serialize_unknown=True, bytes_mode="base64").decode()
    except Exception:  # noqa: BLE001 (lone surrogates, circles, odd keys: the slow way copes with more)
        return json.dumps(jsonable_or_text(value))


def _only_asks_to_run_again(event: JobStopped) -> bool:
    return isinstance(event.error, JobControl) and event.state == "retryable"


LOST_STATE, LOST_CAUSE = "lost", Cause.LOST.value
