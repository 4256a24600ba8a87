"""Ends that went well, on rows that need but few changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ledger_toys import Row
from recorder_toys import START_MS, Sessions, ToyLedger, attempts_of, started, stopped
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from arqlite.ledger import AttemptRow, LedgerStatus
from arqlite.ledger.accepting import AcceptedJob
from arqlite.ledger.backlog import Backlog
from arqlite.ledger.store import ends
from arqlite.ledger.tables import MinuteRow
from arqlite.ledger.writer import Writer
from arqlite.model.states import JobState

GIVEN: dict[str, Any] = {
    "args": (1, "a"),
    "tags": ("x",),
    "record": b"Q3\x00\xff",
    "max_attempts": 5,
    "priority": 3,
    "parent": "boss",
    "triggered_by": "api",
    "scheduled_ms": START_MS,
}
ENGINES = pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)


def accepted(job_id: str = "job-1", **others: Any) -> AcceptedJob:
    given = {name: value for name, value in GIVEN.items() if name != "scheduled_ms"}
    return AcceptedJob(job_id, "arq:queue", "work", enqueued_ms=START_MS, **{**given, **others})


async def tell(ledger: ToyLedger, events: Sequence[Any], jobs: Sequence[AcceptedJob] = ()) -> None:
    """Write jobs that were accepted, and then events, each list in as few transactions as it takes."""
    writer = Writer(ledger)
    backlog = Backlog(writer.moment, ledger.redaction)
    backlog.accept(jobs)
    await writer.write_accepted(backlog.take_accepted(1_000))
    for event in events:
        backlog.add(event)
    await writer.write_runs(backlog.take_runs(1_000))
    await writer.rest()


async def rows_of(sessions: Sessions) -> dict[str, dict[str, Any]]:
    columns = [column for column in Row.__table__.columns if column.name != "pushed_at"]
    async with sessions() as session:
        return {row.id: dict(row._mapping) for row in await session.execute(select(*columns))}


@pytest.fixture
def toy(engine: AsyncEngine, sessions: Sessions) -> ToyLedger:
    return ToyLedger(engine, sessions)


@pytest.mark.parametrize("engine", ["postgres", "psycopg"], indirect=True)
@pytest.mark.parametrize("is_begun", [False, True], ids=["accepted", "begun"])
async def test_short_way_ends_where_the_long_one_does(
    toy: ToyLedger, sessions: Sessions, is_begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The few columns that are written are all that an end changes; its attempt and its minute are told."""
    events = [started(at=20, **GIVEN), stopped(result={"n": 1}, at=70, **GIVEN)]
    told = []
    ways = []
    write = ends.Ends.write

    async def go_the_short_way(self: Any, connection: Any, *given: Any) -> Any:
        ways.append(await write(self, connection, *given))
        return ways[-1]

    for way in (go_the_short_way, _leave_all):
        monkeypatch.setattr(ends.Ends, "write", way)
        async with sessions.begin() as session:
            for table in (Row, AttemptRow, MinuteRow):
                await session.execute(delete(table))
        for part in [events[:1], events[1:]] if is_begun else [events]:
            await tell(toy, part, [accepted()] if part[0] is events[0] else [])
        attempts = [(one.state, one.started_at, one.finished_at) for one in await attempts_of(sessions)]
        async with sessions() as session:
            minutes = [tuple(row) for row in await session.execute(select(*MinuteRow.__table__.columns))]
        told.append((await rows_of(sessions), attempts, minutes))

    assert ways == [([], True)]
    assert told[0] == told[1]
    assert told[0][0]["job-1"]["status"] is LedgerStatus.SUCCESS
    assert told[0][0]["job-1"]["output_payload"] == {"n": 1}
    assert told[0][2][0][4] == 1


async def _leave_all(_self: Any, _connection: Any, ends: Sequence[Any], _minutes: Any) -> Any:
    return ends, False


@ENGINES
async def test_job_that_was_changed_while_it_waited_is_told_as_it_ran(
    toy: ToyLedger, sessions: Sessions
) -> None:
    """A row that has another record is brought up to what the run was told of."""
    changed = {**GIVEN, "args": (2, "b"), "record": b"Q3\x00\xfe", "priority": 1}

    await tell(toy, [started(**changed), stopped(**changed)], [accepted(), accepted("job-2")])

    row = (await rows_of(sessions))["job-1"]
    assert (row["args"], row["record"], row["priority"]) == ([2, "b"], b"Q3\x00\xfe", 1)
    assert (row["state"], (await rows_of(sessions))["job-2"]["state"]) == (
        JobState.COMPLETED,
        JobState.AVAILABLE,
    )


@ENGINES
async def test_ends_without_a_row_are_written_beside_those_with_one(
    toy: ToyLedger, sessions: Sessions
) -> None:
    """Some were accepted with their row, some were not, one fails: each is told, and counted once."""
    jobs = [f"job-{number:02}" for number in range(12)]
    records = {job_id: b"Q3" + b"\x00" * number for number, job_id in enumerate(jobs)}
    events: list[Any] = []
    for job_id in jobs:
        given = {**GIVEN, "record": records[job_id]}
        events += [started(job_id, at=0, **given), stopped(job_id=job_id, at=50, **given)]
    events[-1] = stopped("discarded", jobs[-1], error=ValueError("no"), cause="ERROR", **GIVEN)

    await tell(toy, events, [accepted(job_id, record=records[job_id]) for job_id in jobs[::2]])
    await tell(toy, events[:4])

    rows = await rows_of(sessions)
    assert [rows[job_id]["status"] for job_id in jobs] == [LedgerStatus.SUCCESS] * 11 + [LedgerStatus.FAILED]
    assert {job_id: row["record"] for job_id, row in rows.items() if job_id != jobs[-1]} == {
        job_id: records[job_id] for job_id in jobs[:-1]
    }
    async with sessions() as session:
        counted = await session.execute(select(MinuteRow.state, MinuteRow.count).order_by(MinuteRow.state))
        counts = [tuple(row) for row in counted]
        attempts = (await session.execute(select(AttemptRow.job_id).order_by(AttemptRow.job_id))).scalars()
        assert list(attempts) == jobs
    assert counts == [("completed", 11 + 2), ("discarded", 1)]


@ENGINES
@pytest.mark.parametrize("has_row", [False, True], ids=["rowless", "accepted"])
async def test_what_comes_after_an_end_is_written_after_it(
    toy: ToyLedger, sessions: Sessions, has_row: bool
) -> None:
    """A job that ended, was enqueued again under its id and failed, all within one transaction, failed."""
    later = {**GIVEN, "record": b"Q3later", "enqueued": 100}
    events = [
        started(**GIVEN),
        stopped(**GIVEN),
        started(at=110, **later),
        stopped("discarded", error=ValueError("no"), cause="ERROR", at=120, took=10, **later),
    ]

    await tell(toy, events, [accepted()] if has_row else [])

    row, [attempt] = (await rows_of(sessions))["job-1"], await attempts_of(sessions)
    assert (row["status"], row["record"]) == (LedgerStatus.FAILED, b"Q3later")
    assert attempt.state == "discarded"
