"""What events mean for rows. Pure functions; they are called for every job, and make few objects."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeAlias

from pydantic_core import to_json

from ..errors import JobControl
from ..model.memory import decode
from ..model.states import LEDGER_STATUS, Cause, JobState, LedgerStatus
from ..telemetry import JobStarted, JobStopped
from .accepting import AcceptedJob
from .payloads import describe_error, jsonable_or_text
from .redaction import Redaction
from .rows import BY_QUEUE, MOST_ATTEMPTS
from .spreads import SPANS, as_text, bucket_of

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

# A run may end in one state that no job is in: the job that it leaves behind is scheduled.
_STATES = {state.value: (LEDGER_STATUS[state].name, state.value) for state in JobState}
_STATES["snoozed"] = _STATES[JobState.SCHEDULED.value]
_RUNNING, _QUEUED, _SUCCESS = LedgerStatus.RUNNING.name, LedgerStatus.QUEUED.name, LedgerStatus.SUCCESS.name
_COMPLETED = JobState.COMPLETED.value
_FUNCTION_LENGTH = 255
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


@dataclass(slots=True)
class Batch:
    """What is written in one transaction.

    Attributes:
        ends: jobs that ended well, in the order of ids. Most probably there are rows of them that need but
            few changes. They come before the layers.
        layers: jobs and attempts, in lists that are to be written one after the other. A list has an id only
            once, for one statement can move a row once; and it is in the order of ids, for two writers must
            lock their rows in the same order.
        minutes: by minute, queue, function and state: count, ms run, ms waited, and the longest of both.
        spreads: by minute, queue and function: how many ran for how long, and waited for how long, by bucket;
            the minute is the first of the shortest of `spreads.SPANS`.
    """

    ends: list[End] = field(default_factory=list)
    layers: list[list[tuple[Values, Values | None]]] = field(default_factory=list)
    minutes: dict[Values, list[int]] = field(default_factory=dict)
    spreads: dict[Values, tuple[dict[int, int], dict[int, int]]] = field(default_factory=dict)

    def minute_rows(self) -> list[Values]:
        """Rows of `MINUTE_COLUMNS`, in their order."""
        return [(*key, *sums) for key, sums in sorted(self.minutes.items())]

    def spread_rows(self) -> list[Values]:
        """Rows of `SPREAD_COLUMNS`, in their order."""
        rows: dict[Values, tuple[Counter[int], Counter[int]]] = {}
        for (minute, queue, function), counted in self.spreads.items():
            for span in SPANS:
                key = minute - minute % span, span, queue, function
                for sums, counts in zip(rows.setdefault(key, (Counter(), Counter())), counted, strict=True):
                    sums.update(counts)
        return [(*key, as_text(ran), as_text(waited)) for key, (ran, waited) in sorted(rows.items())]

    def with_ends(self, ends: Iterable[End]) -> Batch:
        """The same layers, of which the first has these ends as well, and no ends apart."""
        first, *others = self.layers or [[]]
        first = [*first, *(in_full(end)[:2] for end in ends)]
        return Batch([], [sorted(first, key=itemgetter(0)), *others], self.minutes, self.spreads)


def batch_of(told: Iterable[Told]) -> Batch:
    """Put what was told in the order in which it is written."""
    batch = Batch()
    heights: dict[Values, int] = {}
    for one in told:
        key = one[0][:2]
        if len(one) == 2 and key not in heights:
            heights[key] = 1  # (an end that finds no such row goes into the first layer)
            batch.ends.append(one)
            _count_end(batch, one)
            continue
        job, attempt, tally = in_full(one)
        if tally is not None:
            _count(batch, *tally, has_run=attempt is not None)
        # Rows of one id, of an earlier and a later run or job, come to lie on each other.
        height = heights.get(key, 0)
        heights[key] = height + 1
        while len(batch.layers) <= height:
            batch.layers.append([])
        batch.layers[height].append((job, attempt))
    for rows in (batch.ends, *batch.layers):
        rows.sort(key=itemgetter(0))  # type: ignore[attr-defined]
    return batch


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
            job_id, queue, function, function, _SUCCESS, _COMPLETED, None, args, kwargs, tags, meta, priority,
            output, None, by, parent, attempt, crashes, most, worker, enqueued, enqueued, enqueued, scheduled,
            began, at, at, at, record, None,
        ),
        (job_id, queue, attempt, worker, _COMPLETED, None, began, at, None),
        (minute, queue, function[:_FUNCTION_LENGTH], _COMPLETED, ran, waited),
    )  # fmt: skip


def _count_end(batch: Batch, end: End) -> None:
    (_, queue, *_), (function, _, _, _, _, _, minute, ran, waited) = end
    _count(batch, minute, queue, function[:_FUNCTION_LENGTH], _COMPLETED, ran, waited)


def _count(
    batch: Batch,
    minute: int,
    queue: str,
    function: str,
    state: str,
    ran: int,
    waited: int,
    *,
    has_run: bool = True,
) -> None:
    sums = batch.minutes.setdefault((minute, queue, function, state), [0, 0, 0, 0, 0])
    sums[0] += 1
    sums[1] += ran
    sums[2] += waited
    if ran > sums[3]:
        sums[3] = ran
    if waited > sums[4]:
        sums[4] = waited
    if not has_run:
        return
    key = minute - minute % SPANS[0], queue, function
    counted = batch.spreads.get(key)
    if counted is None:
        counted = batch.spreads[key] = {}, {}
    for counts, bucket in zip(counted, (bucket_of(ran), bucket_of(waited)), strict=True):
        counts[bucket] = counts.get(bucket, 0) + 1


def told_of(
    started: JobStarted | None, stopped: JobStopped | None, moment: Moment, redaction: Redaction
) -> Told:
    """What events tell of a run: that it began, how it ended, or both."""
    if stopped is not None and (end := _end_of(started, stopped, moment, redaction)) is not None:
        return end
    finished = ended = output = error = cause = memory = tally = None
    event = stopped or started
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
    args, kwargs, tags, meta, record = _given(event, redaction)
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
    if stopped.state != _COMPLETED or stopped.attempt != 1 or stopped.enqueue_ms <= 0:
        return None
    args, kwargs, tags, meta, record = _given(stopped, redaction)
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
        event.at_ms // 60_000, event.queue, event.function[:_FUNCTION_LENGTH], event.state, event.duration_ms,
        event.queue_time_ms,
    )  # fmt: skip


def _given(event: JobStarted | JobStopped, redaction: Redaction) -> Values:
    """What the job was enqueued with, as JSON, and its record; all None of a job that could not be read."""
    if not event.function:
        return None, None, None, None, None
    args, kwargs, record = event.args, event.kwargs, event.record or None
    if redaction and redaction.concerns(event.function):
        args, kwargs, is_whole = redaction.applied(event.function, args, kwargs)
        record = record if is_whole else None
    return (
        json_of(args) if args else "[]",
        json_of(kwargs) if kwargs else "{}",
        json_of(event.tags) if event.tags else "[]",
        json_of(event.meta) if event.meta else "{}",
        record,
    )


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
