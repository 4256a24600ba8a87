"""Rows of jobs that were just accepted, whichever comes first: their row, or the word of their runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ledger_toys import Row, row_of
from recorder_toys import START_MS, Outage, Sessions, ToyLedger, attempts_of, started, stopped, tell, written
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from arqlite.ledger import JobRowMixin, LedgerStatus, Recorder, create_missing_tables, store
from arqlite.ledger.accepting import AcceptedJob
from arqlite.ledger.redaction import Redaction
from arqlite.model.states import JobState

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus


def accepted(job_id: str = "job-1", **others: Any) -> AcceptedJob:
    given: dict[str, Any] = {
        "args": (1,),
        "kwargs": {"a": 2},
        "enqueued_ms": START_MS,
        "record": b"Q0\xff",
        "job_type": "MAIL",
        "triggered_by": "api",
        "user_id": 7,
        "lock": ["digest", 60_000, "ae", 0],
    }
    return AcceptedJob(job_id, "arq:queue", "work", **(given | others))


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)
async def test_accepted_job_is_queued(recorder: Recorder, sessions: Sessions) -> None:
    """The row tells all that its client said, and that the job is in Redis."""
    recorder.accept([accepted(), accepted("job-2", due_ms=START_MS + 5_000)])
    await written(lambda: recorder.waiting == 0)

    row, later = await row_of(sessions), await row_of(sessions, "job-2")
    assert (row.status, row.state, row.attempt) == (QUEUED, JobState.AVAILABLE, 0)
    assert (row.args, row.kwargs, row.record, row.lock) == (
        [1],
        {"a": 2},
        b"Q0\xff",
        ["digest", 60_000, "ae", 0],
    )
    assert (row.job_type, row.triggered_by, row.user_id) == ("MAIL", "api", 7)
    assert row.pushed_at is not None
    assert (later.state, later.scheduled_at and later.scheduled_at.timestamp() * 1_000) == (
        JobState.SCHEDULED,
        START_MS + 5_000,
    )


@pytest.mark.parametrize("first", ["row", "start", "end"])
async def test_start_may_overtake_the_row(recorder: Recorder, sessions: Sessions, first: str) -> None:
    """Whatever comes first, the row has what the client and the worker said."""

    async def accept() -> None:
        recorder.accept([accepted()])
        await written(lambda: recorder.waiting == 0)

    if first == "row":
        await accept()
    await tell(recorder, started(at=5))
    if first == "start":
        await accept()
    await tell(recorder, stopped(result="done"))
    if first == "end":
        await accept()

    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.attempt) == (SUCCESS, "done", 1)
    assert (row.job_type, row.triggered_by, row.user_id, row.record) == ("MAIL", "api", 7, b"Q0\xff")
    assert row.lock is None


async def test_cancelling_may_overtake_the_row(recorder: Recorder, sessions: Sessions) -> None:
    """Who cancels a job by its id alone knows no function: its row has it as soon as its client has told."""
    await tell(recorder, replace(stopped("cancelled", attempt=0, worker="", at=5), function=""))
    recorder.accept([accepted(job_type="")])
    await written(lambda: recorder.waiting == 0)

    row = await row_of(sessions)
    assert (row.status, row.function, row.job_type) == (CANCELLED, "work", "work")


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)
async def test_used_id_begins_anew(recorder: Recorder, sessions: Sessions) -> None:
    """A later job of the same id leaves nothing of the earlier one, in its row or of its attempts."""
    await tell(recorder, started(), stopped("discarded", error=ValueError("yesterday's")))

    recorder.accept([accepted(enqueued_ms=START_MS + 1_000)])
    await written(lambda: recorder.waiting == 0)

    row = await row_of(sessions)
    assert (row.status, row.error_payload, row.attempt, row.user_id) == (QUEUED, None, 0, 7)
    assert await attempts_of(sessions) == []


async def test_late_word_of_an_earlier_job_is_left_out(recorder: Recorder, sessions: Sessions) -> None:
    """An accepted job whose id was used again meanwhile changes nothing."""
    recorder.accept([accepted(enqueued_ms=START_MS + 1_000, job_type="LATER")])
    await written(lambda: recorder.waiting == 0)

    recorder.accept([accepted(job_type="EARLIER")])
    await written(lambda: recorder.waiting == 0)

    assert (await row_of(sessions)).job_type == "LATER"


async def test_further_columns_are_written(engine: AsyncEngine, outage: Outage) -> None:
    """A row model's own columns have what the caller gave, or what they have by themselves."""

    class OwnBase(DeclarativeBase):
        pass

    class OwnRow(JobRowMixin, OwnBase):
        __tablename__ = "own_jobs"
        tenant: Mapped[str | None]
        color: Mapped[str] = mapped_column(default="red")

    await create_missing_tables(engine, OwnBase.metadata)
    sessions = async_sessionmaker(engine)
    recorder = Recorder(ToyLedger(engine, sessions, OwnRow))
    await recorder.start()
    recorder.accept(
        [
            accepted("job-1"),
            accepted("job-2", columns={"tenant": "acme", "color": "blue"}),
            accepted("job-3", columns={"input_payload": {"asked": 1}}),
        ]
    )
    await recorder.stop()

    async with sessions() as session:
        rows = [await store.find(session, OwnRow, f"job-{number}") for number in (1, 2, 3)]
    assert [(row.tenant, row.color, row.input_payload) for row in rows if row] == [
        (None, "red", None),
        ("acme", "blue", None),
        (None, "red", {"asked": 1}),
    ]


async def test_many_are_inserted_in_one_statement(sessions: Sessions) -> None:
    """Strict enqueues write their rows by themselves: such jobs are not known to be in Redis yet."""
    jobs = [accepted(f"job-{number}", kwargs={"otp": number}) for number in range(3)]
    async with sessions.begin() as session:
        await store.insert_accepted(session, Row, jobs, redaction=Redaction(("otp",)))

    row = await row_of(sessions, "job-2")
    assert (row.status, row.pushed_at, row.kwargs, row.record) == (QUEUED, None, {"otp": "***"}, None)
