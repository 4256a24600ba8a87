"""Names and fields of all events: a promise to whoever follows them. A change here is a break."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from arqlite import telemetry
from arqlite.telemetry import EVENTS, JobException

_JOB_END = "max_attempts tags meta priority args kwargs scheduled_ms"
_FOR_ROWS = "crashes record parent triggered_by"

PROMISED = {
    "job.enqueued": ("JobEnqueued", "queue job_id function"),
    "job.start": (
        "JobStarted",
        f"queue job_id function attempt worker at_ms enqueue_ms {_JOB_END} counted_attempt {_FOR_ROWS}",
    ),
    "job.exception": (
        "JobException",
        "queue job_id function attempt worker state duration_ms error is_last at_ms enqueue_ms "
        f"{_JOB_END} queue_time_ms counted_attempt",
    ),
    "job.stop": (
        "JobStopped",
        "queue job_id function attempt worker state duration_ms result error at_ms enqueue_ms "
        f"{_JOB_END} queue_time_ms counted_attempt {_FOR_ROWS} cause memory started_ms",
    ),
    "job.manage": ("JobsManaged", "queue action job_ids by"),
    "worker.start": ("WorkerStarted", "queue worker functions pid max_jobs"),
    "worker.stop": ("WorkerStopped", "queue worker complete failed retried"),
    "loop.blocked": ("LoopBlocked", "queue worker job_id function seconds stack at_ms"),
    "queue.pause": ("QueuePaused", "queue node by"),
    "queue.resume": ("QueueResumed", "queue node by"),
    "queue.scale": ("QueueScaled", "queue limits node by"),
    "queue.stop": ("QueueStopped", "queue node by"),
    "queue.shutdown": ("QueueShutdown", "queue worker elapsed_ms orphaned"),
    "queue.rescue": ("JobsRescued", "queue jobs"),
    "queue.prune": ("JobsPruned", "queue count"),
    "cron.fire": ("CronFired", "queue cron job_id tick_ms"),
    "leader.change": ("LeaderChanged", "queue worker is_leader"),
    "ledger.write": ("LedgerWritten", "queue rows took_ms lag_ms waiting at_ms"),
    "ledger.away": ("LedgerAway", "queue error at_ms"),
    "ledger.back": ("LedgerBack", "queue away_ms at_ms"),
    "ledger.reconcile": ("LedgerReconciled", "queue pushed settled retired opened requeued"),
    "redis.exception": ("RedisFailed", "queue operation error at_ms"),
    "service.start": ("ServiceStarted", "service queue meta at_ms"),
    "service.stop": ("ServiceStopped", "service queue meta duration_ms at_ms"),
    "service.exception": ("ServiceFailed", "service queue meta duration_ms error at_ms"),
}

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "telemetry.md"
_ROW = re.compile(r"^\| `([a-z.]+)` \| `(\w+)` \| ([^|]*) \|", re.MULTILINE)


def fields_of(event_type: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(event_type)]


def test_names_and_fields_are_those_that_were_promised() -> None:
    """Every event has its name and its fields, in this order."""
    found = {
        event_type.name: (event_type.__name__, " ".join(fields_of(event_type)))  # type: ignore[attr-defined]
        for event_type in EVENTS
    }

    assert found == PROMISED


def test_all_events_are_public() -> None:
    """Every event class is a name of `arqlite.telemetry`."""
    assert [one for one in EVENTS if getattr(telemetry, one.__name__, None) is not one] == []
    assert {one.__name__ for one in EVENTS} <= set(telemetry.__all__)


def test_page_has_every_event_with_its_fields() -> None:
    """The table of the docs and the classes agree on names, classes and fields."""
    told = [
        (name, class_name, re.findall(r"`(\w+)`", fields))
        for name, class_name, fields in _ROW.findall(_PAGE.read_text())
    ]

    assert told == [
        (one.name, one.__name__, fields_of(one))  # type: ignore[attr-defined]
        for one in EVENTS
    ]


def test_exception_shows_its_traceback_when_asked() -> None:
    """`stack` is the traceback as text, with the causes, and without values of local variables."""

    def fail(secret: str) -> None:
        raise ValueError("boom") from KeyError("cause")

    with pytest.raises(ValueError, match="boom") as caught:
        fail("hid" + "den")
    event = JobException("q", "1", "f", 1, "w", "discarded", 1, caught.value, True, 0, 0)

    assert event.stack.endswith("ValueError: boom")
    assert "KeyError: 'cause'" in event.stack
    assert "in fail" in event.stack
    assert "hidden" not in event.stack
