"""Events in any order: what comes late, twice or out of a dead worker's buffer changes no outcome."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from ledger_toys import Row, row_of
from recorder_toys import Sessions, ToyLedger, attempts_of, started, stopped, tell
from sqlalchemy import delete, insert

from arqlite.ledger import AttemptRow, LedgerStatus, Recorder
from arqlite.ledger.backlog import Backlog
from arqlite.ledger.writer import Writer
from arqlite.model.memory import Memory
from arqlite.model.states import JobState
from arqlite.telemetry import JobStarted, JobStopped

Events = Sequence[JobStarted | JobStopped]

# When a row last began to wait, and was last written, is all that may depend on what was heard of.
_OF_NO_ACCOUNT = {"queued_at", "updated_at", "created_at", "pushed_at", "scheduled_at"}

OTHER: dict[str, Any] = {"worker": "host:2:b"}
MEMORY = Memory(tries=1, due_ms=1_700_000_009_000).encode()
HISTORIES: dict[str, Events] = {
    "retry": (
        started(),
        stopped("retryable", error=ValueError("no"), cause="ERROR", memory=MEMORY),
        started(attempt=2, at=100, **OTHER),
        stopped(attempt=2, at=150, result=1, **OTHER),
    ),
    "retry in vain": (
        started(),
        stopped("retryable", error=ValueError("no"), cause="ERROR", memory=MEMORY),
        started(attempt=2, at=100),
        stopped("discarded", attempt=2, at=150, error=TimeoutError("late"), cause="TIMEOUT"),
    ),
    "retry that waits": (
        started(),
        stopped("retryable", error=ValueError("first"), cause="ERROR", memory=MEMORY),
        started(attempt=2, at=100, **OTHER),
        stopped("retryable", attempt=2, at=150, error=ValueError("second"), cause="ERROR", **OTHER),
    ),
    "dead worker": (
        started(),
        started(attempt=2, at=100, crashes=1, **OTHER),
        stopped(attempt=2, at=150, crashes=1, **OTHER),
    ),
    "snooze": (
        started(),
        stopped("snoozed", cause="SNOOZE", memory=MEMORY),
        started(at=100),
        stopped(at=150, result=1),
    ),
    "shutdown": (
        started(),
        stopped("available", cause="SHUTDOWN"),
        started(at=100, **OTHER),
        stopped("cancelled", at=150, cause="CANCELLED", **OTHER),
    ),
}
ENDS: dict[str, tuple[LedgerStatus, Events]] = {
    "zombie": (
        LedgerStatus.SUCCESS,
        (
            started(),
            started(attempt=2, at=100, crashes=1, **OTHER),
            stopped(at=120, took=120, result="a zombie's"),
            stopped(attempt=2, at=150, crashes=1, result="the owner's", **OTHER),
        ),
    ),
    "cancelled while it waits again": (
        LedgerStatus.CANCELLED,
        (
            started(),
            stopped("retryable", error=ValueError("no"), cause="ERROR", memory=MEMORY),
            stopped("cancelled", attempt=0, at=150, worker="", took=0, cause="CANCELLED"),
        ),
    ),
}


async def record(ledger: ToyLedger, parts: Sequence[Events]) -> None:
    """Write events, each part in a transaction of its own."""
    writer = Writer(ledger)
    for part in parts:
        backlog = Backlog(writer.moment, ledger.redaction)
        for event in part:
            backlog.add(event)
        await writer.write_runs(backlog.take_runs(1_000))
        await writer.rest()


async def outcome(sessions: Sessions) -> Any:
    """What the ledger says at last; the ledger is empty afterwards."""
    row, attempts = await row_of(sessions), await attempts_of(sessions)
    async with sessions.begin() as session:
        await session.execute(delete(Row))
        await session.execute(delete(AttemptRow))
    told = {column.name: getattr(row, column.name) for column in Row.__table__.columns}
    for name in _OF_NO_ACCOUNT:
        del told[name]
    return told, [
        {column.name: getattr(attempt, column.name) for column in AttemptRow.__table__.columns}
        for attempt in attempts
    ]


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
async def test_order_of_events_changes_no_outcome(
    toy_ledger: ToyLedger, sessions: Sessions, history: Events
) -> None:
    """Every permutation of the events of two runs ends in the same rows."""
    await record(toy_ledger, [[event] for event in history])
    expected = await outcome(sessions)

    for order in permutations(history):
        await record(toy_ledger, [[event] for event in order])

        assert await outcome(sessions) == expected, [(type(event).__name__, event.attempt) for event in order]


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
async def test_transactions_change_no_outcome(
    toy_ledger: ToyLedger, sessions: Sessions, history: Events
) -> None:
    """However events share transactions, and whichever are told twice, the rows are the same."""
    await record(toy_ledger, [[event] for event in history])
    expected = await outcome(sessions)
    chance = random.Random(7)

    for _ in range(20):
        cuts = sorted(chance.sample(range(1, len(history)), chance.randrange(len(history))))
        parts = [history[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(history)], strict=True)]
        again = chance.sample(history, 2)
        await record(toy_ledger, [*parts, *[[event] for event in again]])

        assert await outcome(sessions) == expected, (cuts, again)


@pytest.mark.parametrize(("status", "history"), ENDS.values(), ids=ENDS.keys())
async def test_end_is_an_end_in_any_order(
    toy_ledger: ToyLedger, sessions: Sessions, status: LedgerStatus, history: Events
) -> None:
    """What one process tells of a job does not open it again when another one has told that it is over."""
    for order in permutations(history):
        await record(toy_ledger, [[event] for event in order])

        row, attempts = await outcome(sessions)
        assert row["status"] is status, [(type(event).__name__, event.attempt) for event in order]
        assert "executing" not in {attempt["state"] for attempt in attempts}


async def test_late_end_of_a_run_leaves_the_next_one_its_row(recorder: Recorder, sessions: Sessions) -> None:
    """A runner has adopted the row for a further run of the same number when the word comes that the one
    before was given back, as it does after an outage: the row stays with the run that goes on.
    """
    async with sessions.begin() as db:
        adopted = {"attempt": 1, "worker": "host:1:a", "status": LedgerStatus.RUNNING}
        at = datetime.fromtimestamp(1_700_000_000, UTC)
        await db.execute(
            insert(Row).values(
                id="job-1", queue="arq:queue", job_type="T", function="work", state=JobState.EXECUTING,
                enqueued_at=at, updated_at=at + timedelta(milliseconds=100), **adopted,
            )
        )  # fmt: skip

    await tell(recorder, stopped("available", at=50, cause="RETRY"))
    assert (await row_of(sessions)).status is LedgerStatus.RUNNING

    await tell(recorder, stopped("available", at=150, cause="RETRY"))
    assert (await row_of(sessions)).status is LedgerStatus.QUEUED
