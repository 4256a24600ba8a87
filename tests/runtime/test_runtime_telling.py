"""What telemetry is told of runs: which failures are told, in which order, with which fields."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from arqlite.errors import Cancel, Discard, JobExecutionFailed, Retry, RetryJob, Snooze
from arqlite.model.memory import Memory
from arqlite.model.states import Cause
from arqlite.runtime.telling import is_failure, tell_start, tell_stop
from arqlite.telemetry import JobException, JobStarted, JobStopped, attached

BOOM = ValueError("boom")


@pytest.fixture
def events() -> Iterator[list[Any]]:
    seen: list[Any] = []
    with attached("job.*", seen.append):
        yield seen


def run(**fields: Any) -> Any:
    """A run of a job, at its third start and second attempt."""
    return SimpleNamespace(
        **{
            "queue_name": "mail",
            "job_id": "42",
            "function": "send",
            "job_try": 3,
            "worker": "host:1:a",
            "enqueue_ms": 900,
            "score_ms": 950,
            "started_ms": 1000,
            "finished_ms": 1012,
            "attempt": 2,
            "args": ("ada",),
            "kwargs": {"n": 1},
            "max_attempts": 20,
            "tags": ("urgent",),
            "meta": {"tenant": 7},
            "priority": 2,
            "memory": Memory(crashes=1),
            "given": None,
            "has_begun": True,
            "blob": b"{}",
            "stored": {"pa": "parent", "by": "ada"},
            "cause": None,
            **fields,
        }
    )


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
    nothing: Any = SimpleNamespace()
    tell_start(nothing)
    tell_stop(nothing, "discarded", BOOM)
    with attached(JobException, lambda event: None):
        tell_stop(nothing, "completed", None)
        tell_stop(nothing, "cancelled", BOOM)
