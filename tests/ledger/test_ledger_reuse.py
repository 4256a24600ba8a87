"""Ids that are used again: a row tells of the latest job that had its id."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_toys import FakeJob, Row, Runner, Toy, queue, row_of
from recorder_toys import START_MS, Sessions, attempts_of, started, stopped, tell, written
from sqlalchemy.ext.asyncio import AsyncSession

from arqlite import telemetry
from arqlite.ledger import AttemptRow, LedgerStatus, Recorder
from arqlite.telemetry import JobStarted, JobStopped

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus

YESTERDAY: dict[str, Any] = {"worker": "host:1:a", "enqueued": 0}
TODAY: dict[str, Any] = {"worker": "host:2:b", "enqueued": 1_000}


async def end_yesterdays_job(recorder: Recorder, state: str = "discarded") -> None:
    """A job that was enqueued with a payload, lost a worker, and ended with an error or an output."""
    error = ValueError("yesterday's") if state == "discarded" else None
    await tell(
        recorder,
        started(**YESTERDAY),
        started(attempt=2, at=10, **YESTERDAY),
        stopped(state, attempt=2, at=50, error=error, result="yesterday's", **YESTERDAY),
    )


@pytest.mark.parametrize("state", ["completed", "discarded", "cancelled"])
async def test_row_of_an_ended_job_begins_anew(recorder: Recorder, sessions: Sessions, state: str) -> None:
    """A start of a later job leaves nothing of the earlier one in the row, however that one ended."""
    await queue(sessions, input_payload={"asked": "yesterday"}, triggered_by="api", user_id=3)
    await end_yesterdays_job(recorder, state)

    await tell(recorder, started(at=1_010, **TODAY))

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.worker, row.crashes) == (RUNNING, 1, "host:2:b", 0)
    assert (row.input_payload, row.output_payload, row.error_payload) == (None, None, None)
    assert (row.triggered_by, row.user_id) == ("queue", None)
    assert [(one.attempt, one.worker) for one in await attempts_of(sessions)] == [(1, "host:2:b")]
    assert (ms(row.created_at), ms(row.queued_at), ms(row.started_at)) == (1_000, 1_000, 1_010)
    assert row.finished_at is None


@pytest.mark.parametrize("state", ["completed", "discarded", "cancelled"])
async def test_quick_job_begins_a_row_anew_and_ends_it(
    recorder: Recorder, sessions: Sessions, state: str
) -> None:
    """A later job whose end is the first that is heard of it has the row all the same."""
    await end_yesterdays_job(recorder)

    await tell(recorder, stopped(state, at=1_060, result="today's", **TODAY))

    row = await row_of(sessions)
    assert row.status is {"completed": SUCCESS, "discarded": FAILED, "cancelled": CANCELLED}[state]
    assert (row.attempt, row.crashes, row.error_payload) == (1, 0, None)
    assert (ms(row.started_at), ms(row.finished_at)) == (1_010, 1_060)
    assert [one.state for one in await attempts_of(sessions)] == [state]


async def test_later_job_that_waits_again_begins_a_row_anew(recorder: Recorder, sessions: Sessions) -> None:
    """A later job that is given back waits in the row; the earlier one's error is not its own."""
    await end_yesterdays_job(recorder)

    await tell(recorder, stopped("available", at=1_060, **TODAY))

    row = await row_of(sessions)
    assert (row.status, row.error_payload) == (QUEUED, None)
    assert (ms(row.created_at), ms(row.queued_at)) == (1_000, 1_060)


@pytest.mark.parametrize("late", ["start", "completed", "discarded", "available"])
async def test_late_word_of_the_earlier_job_changes_nothing(
    recorder: Recorder, sessions: Sessions, late: str
) -> None:
    """What is told of yesterday's job while today's runs, whatever its attempt, is left out."""
    await end_yesterdays_job(recorder)
    await tell(recorder, started(at=1_010, **TODAY))
    before = columns_of(await row_of(sessions))
    attempts_before = [columns_of(one) for one in await attempts_of(sessions)]

    for attempt in (1, 2, 9):
        event: JobStarted | JobStopped = started(attempt=attempt, at=1_020, **YESTERDAY)
        if late != "start":
            event = stopped(late, attempt=attempt, at=1_020, result="late", **YESTERDAY)
        await tell(recorder, event)

    assert columns_of(await row_of(sessions)) == before
    assert [columns_of(one) for one in await attempts_of(sessions)] == attempts_before


async def test_late_word_does_not_reopen_the_later_jobs_row(recorder: Recorder, sessions: Sessions) -> None:
    """Today's job has ended, too: yesterday's late word finds the row of another job."""
    await end_yesterdays_job(recorder)
    await tell(recorder, started(at=1_010, **TODAY), stopped(at=1_060, result="today's", **TODAY))

    await tell(recorder, started(attempt=9, at=2_000, **YESTERDAY))

    assert (await row_of(sessions)).output_payload == "today's"


async def test_both_jobs_in_one_window(recorder: Recorder, sessions: Sessions) -> None:
    """Two jobs of one id that pass within one window leave the row of the second."""
    for event in (
        started(**YESTERDAY),
        stopped(result="first", **YESTERDAY),
        started(at=1_010, **TODAY),
        stopped(at=1_060, result="second", **TODAY),
    ):
        telemetry.execute(event)
    await written(lambda: recorder.waiting == 0)

    row = await row_of(sessions)
    assert (row.output_payload, row.worker) == ("second", "host:2:b")
    assert (ms(row.started_at), ms(row.finished_at)) == (1_010, 1_060)


async def test_unknown_time_begins_nothing_anew(recorder: Recorder, sessions: Sessions) -> None:
    """An event that cannot tell when its job was enqueued does not touch a row that has ended."""
    await end_yesterdays_job(recorder, "completed")

    await tell(recorder, started(attempt=1, at=5_000, enqueued=None))
    await tell(recorder, stopped("discarded", attempt=2, at=5_000, enqueued=None))

    assert (await row_of(sessions)).output_payload == "yesterday's"


async def test_clock_of_the_enqueuer_may_be_ahead(recorder: Recorder, sessions: Sessions) -> None:
    """A job that seems to end before it was enqueued, for the clocks differ, stays one and the same job."""
    await queue(sessions, input_payload={"asked": 1})
    ahead: dict[str, Any] = {"enqueued": 60_000}

    await tell(recorder, started(**ahead), stopped("retryable", error=ValueError("again"), **ahead))
    await tell(recorder, started(attempt=2, **ahead))
    await tell(recorder, started(attempt=3, worker="host:2:b", crashes=1, **ahead))
    await tell(recorder, stopped(attempt=3, worker="host:2:b", result=1, crashes=1, **ahead))
    await tell(recorder, started(attempt=4, crashes=2, **ahead))

    row = await row_of(sessions)
    assert (row.status, row.input_payload, row.attempt, row.crashes) == (SUCCESS, {"asked": 1}, 3, 1)


async def test_runners_row_is_left_alone(recorder: Recorder, sessions: Sessions, db: AsyncSession) -> None:
    """What a JobRunner wrote into the row that it began anew stays; the events tell how the job went on."""
    await end_yesterdays_job(recorder)
    enqueued = 40 * 365 * 86_400_000
    today = FakeJob(worker="host:2:b", enqueue_ms=START_MS + enqueued)

    with today.running():
        await Runner(db).run_job(Toy, "TOY", {"asked": "today"}, triggered_by="api")
    before = columns_of(await row_of(sessions))
    assert before["status"] is RUNNING
    job: dict[str, Any] = {"worker": "host:2:b", "enqueued": enqueued}
    await tell(recorder, started(at=enqueued + 10, **job))
    await tell(recorder, stopped(at=enqueued + 60, result="of the function", **job))

    row = await row_of(sessions)
    of_the_queue = {"args", "kwargs", "meta", "max_attempts", "started_at"}
    of_the_end = {"status", "state", "finished_at", "updated_at"}
    changed = {name for name, value in columns_of(row).items() if value != before[name]}
    assert changed - of_the_queue == of_the_end
    assert (row.status, row.output_payload, row.input_payload) == (
        SUCCESS,
        {"done": True},
        {"asked": "today"},
    )


async def test_runner_takes_the_row_that_the_recorder_began_anew(
    recorder: Recorder, sessions: Sessions, db: AsyncSession
) -> None:
    """Whoever of the two is first, the row tells the same of a job that has a runner."""
    await end_yesterdays_job(recorder)
    await tell(recorder, started(at=1_010, **TODAY))

    with FakeJob(worker="host:2:b", enqueue_ms=START_MS + 1_000).running():
        await Runner(db).run_job(Toy, "TOY", {"asked": "today"}, triggered_by="api", user_id=7)
    await tell(recorder, stopped(at=1_060, result="of the function", **TODAY))

    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.attempt) == (SUCCESS, {"done": True}, 1)
    assert (row.job_type, row.triggered_by, row.user_id) == ("TOY", "api", 7)
    assert row.input_payload == {"asked": "today"}


def ms(at: Any) -> float:
    """A time of a row in the ms of the events."""
    return float(round(at.timestamp() * 1000) - START_MS)


def columns_of(row: Row | AttemptRow) -> dict[str, Any]:
    """Everything the row says."""
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}
