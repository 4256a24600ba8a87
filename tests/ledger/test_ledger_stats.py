"""Figures: what is open, what ended, and the audit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from query_toys import fill, minutes, row
from sqlalchemy import insert

from arqlite.errors import ConfigurationError
from arqlite.ledger import AuditEntry, Ledger, store
from arqlite.ledger.figures import moment_of
from arqlite.ledger.tables import MinuteRow
from arqlite.model.states import JobState

HOUR = 490_000
"""An hour since 1970."""


def rolled_up(minute: int, state: str = "completed", **values: Any) -> dict[str, Any]:
    """A row of minutes."""
    return {
        "minute": HOUR * 60 + minute,
        "queue": "main",
        "function": "work",
        "state": state,
        "count": 1,
        "run_ms": 10,
        "wait_ms": 100,
        "longest_run_ms": 10,
        "longest_wait_ms": 100,
    } | values


async def write(ledger: Ledger, *rows: dict[str, Any]) -> None:
    """Write rows of minutes."""
    async with ledger.sessions.begin() as db:
        await db.execute(insert(MinuteRow), list(rows))


def at(minute: int) -> datetime:
    """A time so many minutes after the hour."""
    return moment_of(HOUR * 60 + minute)


async def test_what_ended_is_added_up(ledger: Ledger) -> None:
    """Without steps all minutes of the time are one answer; those outside of it are not in it."""
    await write(
        ledger,
        rolled_up(-1),
        rolled_up(0, count=3, run_ms=30, longest_run_ms=20),
        rolled_up(1, "discarded", run_ms=90, longest_run_ms=90, wait_ms=500, longest_wait_ms=500),
        rolled_up(2),
    )

    [ended] = (await ledger.stats(since=at(0), until=at(2))).ended

    assert ended.counts == {"completed": 3, "discarded": 1}
    assert (ended.total, ended.at, ended.queue) == (4, None, None)
    assert (ended.run_ms, ended.longest_run_ms) == (30, 90)
    assert (ended.wait_ms, ended.longest_wait_ms) == (150, 500)


async def test_charts_tell_steps_apart(ledger: Ledger) -> None:
    """Each step that had runs is told, by queue and function if that is asked."""
    await write(
        ledger,
        rolled_up(0),
        rolled_up(59, queue="mail"),
        rolled_up(60, function="send"),
        rolled_up(61, "discarded", function="send"),
    )

    by_hour = (await ledger.stats(since=at(0), until=at(120), per="hour", by="function")).ended
    of_mail = (await ledger.stats(since=at(0), until=at(120), per="minute", queue="mail")).ended

    assert [(one.at, one.function, one.counts) for one in by_hour] == [
        (at(0), "work", {"completed": 2}),
        (at(60), "send", {"completed": 1, "discarded": 1}),
    ]
    assert [(one.at, one.total) for one in of_mail] == [(at(59), 1)]
    by_both = (await ledger.stats(since=at(0), until=at(120), by=("queue", "function"))).ended
    assert [(one.queue, one.function) for one in by_both] == [
        ("mail", "work"),
        ("main", "send"),
        ("main", "work"),
    ]


async def test_open_jobs_are_counted_by_state(ledger: Ledger) -> None:
    """Open jobs are counted by their states, of one queue or function if that is asked."""
    await fill(
        ledger,
        [
            row("a", JobState.AVAILABLE, at=2),
            row("b", JobState.AVAILABLE, at=1, queue="mail"),
            row("c", JobState.SCHEDULED, at=0),
            row("d", JobState.EXECUTING, at=0, function="send"),
            row("e", JobState.COMPLETED, at=0),
        ],
    )

    stats = await ledger.stats()

    assert stats.open == {JobState.AVAILABLE: 2, JobState.SCHEDULED: 1, JobState.EXECUTING: 1}
    assert stats.open_is_exact
    assert stats.oldest_waiting == minutes(1)
    assert (await ledger.stats(queue="mail")).open == {JobState.AVAILABLE: 1}
    assert (await ledger.stats(function="send")).oldest_waiting is None


async def test_empty_ledger_has_no_figures(ledger: Ledger) -> None:
    """Nothing is open, and nothing ended in the last day."""
    stats = await ledger.stats(clock=lambda: datetime(2026, 1, 2, 12, 30, 30, tzinfo=UTC))

    assert (stats.open, stats.ended, stats.oldest_waiting) == ({}, [], None)
    assert (stats.since, stats.until) == (
        datetime(2026, 1, 1, 12, 30, tzinfo=UTC),
        datetime(2026, 1, 2, 12, 31, tzinfo=UTC),
    )
    with pytest.raises(ConfigurationError, match="by must be queue or function"):
        await ledger.stats(by="state")  # type: ignore[arg-type]


async def test_audit_is_read_in_pages(ledger: Ledger) -> None:
    """The audit comes the newest first, of one queue, actor, action or job if that is asked."""
    entries = [
        AuditEntry("job.cancel", queue="a" if n % 2 else "b", actor="ada", job_id=f"job-{n}")
        for n in range(5)
    ]
    async with ledger.sessions.begin() as db:
        await store.audit(db, [*entries, AuditEntry("queue.pause", queue="a", actor="eve")])

    first = await ledger.audit(limit=2, actor="ada")
    second = await ledger.audit(limit=3, actor="ada", after=first.next)

    assert [one.job_id for one in (*first.items, *second.items)] == [f"job-{n}" for n in (4, 3, 2, 1, 0)]
    assert second.next is None
    assert [one.action for one in (await ledger.audit(queue="a", action="queue.pause")).items] == [
        "queue.pause"
    ]
    assert [one.job_id for one in (await ledger.audit(job_id="job-3")).items] == ["job-3"]
    with pytest.raises(ConfigurationError, match="no cursor"):
        await ledger.audit(after="x")
