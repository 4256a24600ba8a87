"""What telemetry is told of runs: which failures are told, in which order, with which fields."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arqlite.errors import Cancel, Discard, JobExecutionFailed, Retry, RetryJob, Snooze
from arqlite.ledger.changes import end_of_run, told_of
from arqlite.ledger.redaction import Redaction
from arqlite.model.codec import queued_record
from arqlite.model.functions import func
from arqlite.model.memory import NOTHING, Memory
from arqlite.model.states import Cause
from arqlite.runtime.run import Run
from arqlite.runtime.telling import is_failure, start_of, tell_start, tell_stop
from arqlite.telemetry import JobException, JobStarted, JobStopped, attached

BOOM = ValueError("boom")


@pytest.fixture
def events() -> Iterator[list[Any]]:
    seen: list[Any] = []
    with attached("job.*", seen.append):
        yield seen


async def send(ctx: dict[Any, Any]) -> None:
    """Never called."""


def run(**fields: Any) -> Run:
    """A run of a job, at its third start and second attempt."""
    made = Run(
        "42", "send", func(send), ("ada",), {"n": 1}, b"{}", 3, Memory(tries=1, crashes=1), 900, 950, "mail",
        "host:1:a",
        stored={"pa": "parent", "by": "ada", "p": 2, "ma": 20, "g": ["urgent"], "m": {"tenant": 7}},
    )  # fmt: skip
    made.started_ms, made.finished_ms, made.has_begun = 1000, 1012, True
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_start_has_the_job(events: list[Any]) -> None:
    """A start tells what runs, of how many attempts, with which tags, meta and arguments, since when due."""
    job = run()
    tell_start(job)

    [event] = events
    assert event == JobStarted(
        queue="mail", job_id="42", function="send", attempt=3, worker="host:1:a", at_ms=1000,
        enqueue_ms=900, max_attempts=20, tags=("urgent",), meta={"tenant": 7}, priority=2, args=("ada",),
        kwargs={"n": 1}, scheduled_ms=950, counted_attempt=2, crashes=1, record=b"Q\x02{}", parent="parent",
        triggered_by="ada",
    )  # fmt: skip
    assert event.args is job.args


def test_stop_has_the_times(events: list[Any]) -> None:
    """A stop tells how long the job waited and ran, and what it returned."""
    tell_stop(run(), "completed", "sent")

    [event] = events
    assert (event.queue_time_ms, event.duration_ms, event.at_ms) == (50, 12, 1012)
    assert (event.state, event.result, event.error) == ("completed", "sent", None)
    assert (event.counted_attempt, event.max_attempts, event.tags) == (2, 20, ("urgent",))


def test_stop_has_the_cause_and_the_memory(events: list[Any]) -> None:
    """A stop tells why the run did not end well, and what the queue remembers of the job from now on."""
    tell_stop(run(cause=Cause.SNOOZE), "snoozed", None, Memory(snoozes=2))

    [event] = events
    assert (event.cause, event.memory) == ("SNOOZE", "0:0:0:0:2:0:0")
    assert (event.crashes, event.record) == (1, b"Q\x02{}")
    assert (event.parent, event.triggered_by) == ("parent", "ada")


def test_what_ended_well_has_no_cause(events: list[Any]) -> None:
    """A job that got through in spite of a cancellation has no cause."""
    tell_stop(run(cause=Cause.TIMEOUT), "completed", "sent")

    assert (events[0].cause, events[0].memory) == ("", "")


def test_waiting_time_is_never_negative(events: list[Any]) -> None:
    """A worker whose clock is behind tells no negative time."""
    tell_stop(run(started_ms=940), "completed", None)

    assert events[0].queue_time_ms == 0


@pytest.mark.parametrize(("state", "is_last"), [("retryable", False), ("discarded", True)])
def test_failure_is_told_before_the_stop(events: list[Any], state: Any, is_last: bool) -> None:
    """A failed attempt is told as an exception, then as a stop, the last one too."""
    tell_stop(run(), state, BOOM)

    exception, stop = events
    assert (type(exception), exception.state, exception.is_last, exception.error) == (
        JobException, state, is_last, BOOM,
    )  # fmt: skip
    assert (type(stop), stop.state, stop.error, stop.result) == (JobStopped, state, BOOM, None)
    assert (exception.meta, exception.args, exception.queue_time_ms) == ({"tenant": 7}, ("ada",), 50)


@pytest.mark.parametrize(
    ("state", "value", "failed"),
    [
        ("completed", "value", False),
        ("completed", BOOM, False),  # a function may return one
        ("cancelled", asyncio.CancelledError(), False),
        ("cancelled", Cancel("no"), False),
        ("snoozed", None, False),
        ("snoozed", Snooze(1), False),
        ("available", None, False),
        ("discarded", Discard("no"), False),
        ("discarded", BOOM, True),
        ("discarded", TimeoutError(), True),
        ("discarded", JobExecutionFailed("max 5 retries exceeded"), True),
        ("discarded", Retry(), True),  # with `retry_jobs` off
        ("retryable", BOOM, True),
        ("retryable", None, False),
        ("retryable", Retry(1), False),
        ("retryable", RetryJob(), False),
    ],
)
def test_what_is_a_failure(events: list[Any], state: Any, value: Any, failed: bool) -> None:
    """What a job decides about itself is no failure; there is one stop, whatever it was."""
    tell_stop(run(), state, value)

    assert is_failure(state, value) is failed
    assert [type(event) for event in events] == [JobException] * failed + [JobStopped]


def test_nothing_is_built_for_nobody() -> None:
    """Without a handler nothing of a run is looked at, and of a success no exception is made."""
    nothing: Any = object()
    tell_start(nothing)
    tell_stop(nothing, "discarded", BOOM)
    with attached(JobException, lambda event: None):
        tell_stop(nothing, "completed", None)
        tell_stop(nothing, "cancelled", BOOM)


_END = 2
"""Of so many parts is the end of a job that needs but few changes of its row."""
PLAIN = {"f": "send", "et": 900}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
STORED = st.fixed_dictionaries(
    {key: st.just(value) for key, value in PLAIN.items()},
    optional={
        "p": st.integers(0, 9),
        "ma": st.integers(1, 2**40),
        "g": st.lists(st.text(max_size=3), max_size=2),
        "m": st.dictionaries(st.text(max_size=3), JSON, max_size=2),
        "pa": st.text(min_size=1, max_size=4),
        "by": st.text(min_size=1, max_size=4),
        "t": st.integers(1, 3),
    },
)


@given(
    stored=STORED,
    memory=st.sampled_from([NOTHING, Memory(tries=1), Memory(granted=7, snoozes=2), Memory(crashes=3)]),
    args=st.lists(JSON, max_size=2),
    kwargs=st.dictionaries(st.sampled_from(["n", "secret"]), JSON, max_size=2),
    times=st.tuples(st.integers(0, 2000), st.integers(0, 2**50), st.integers(1, 2000), st.integers(1, 2000)),
    result=JSON,
    job_try=st.integers(1, 2),
    worker=st.sampled_from(["host:1:a", ""]),
    is_start_told=st.booleans(),
    hidden=st.sampled_from([(), ("secret",), {"send": ("secret",)}]),
)
def test_shortcut_tells_what_the_event_does(
    stored: Any, memory: Memory, args: Any, kwargs: Any, times: Any, result: Any, job_try: int, worker: str,
    is_start_told: bool, hidden: Any,
) -> None:  # fmt: skip
    """The ledger makes the same rows of a run that ended well as of the event that tells of it, if any."""
    enqueue_ms, score_ms, started_ms, finished_ms = times
    made = run(
        stored=stored, memory=memory, args=args, kwargs=kwargs, job_try=job_try, enqueue_ms=enqueue_ms,
        score_ms=score_ms, started_ms=started_ms, finished_ms=finished_ms, worker=worker,
    )  # fmt: skip
    seen: list[Any] = []
    with attached(JobStopped, seen.append):
        tell_stop(made, "completed", result)
    redaction = Redaction(hidden)
    redaction.learn("send", ("first", "secret"))
    started = start_of(made) if is_start_told else None

    told = told_of(started, seen[0], int, redaction)
    shortcut = end_of_run(made, result, int, redaction)

    assert shortcut == (told if len(told) == _END else None)


@given(stored=STORED, memory=st.sampled_from([NOTHING, Memory(tries=1), Memory(granted=7, snoozes=2)]))
def test_what_was_given_is_what_the_job_has(stored: Any, memory: Memory) -> None:
    """What start and end tell of a job as it was enqueued is looked up in one go, and is as its run says."""
    made = run(stored=stored, memory=memory)

    assert made.given == (
        made.max_attempts, made.tags, made.meta, made.priority, made.attempt,
        queued_record(made.priority, made.blob), stored.get("pa", ""), stored.get("by", ""),
    )  # fmt: skip
