"""The one writer: attempts, minutes, what jobs were enqueued with, marks, conflicts with other writers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from ledger_toys import FakeJob, Row, Runner, Toy, row_of
from recorder_toys import START_MS, Outage, Sessions, ToyLedger, attempts_of, started, stopped, tell, written
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from arqlite import telemetry
from arqlite.errors import LedgerError
from arqlite.ledger import Cause, LedgerStatus, Recorder
from arqlite.ledger.outage import is_away, is_conflict
from arqlite.ledger.redaction import Redaction
from arqlite.ledger.tables import MinuteRow
from arqlite.ledger.writer import Writer
from arqlite.model.memory import Memory
from arqlite.model.states import JobState
from arqlite.telemetry import LedgerAway, LedgerBack, LedgerWritten

GIVEN: dict[str, Any] = {
    "args": (1, "a"),
    "kwargs": {"to": "b@c.de", "password": "hunter2"},
    "tags": ("x", "y"),
    "meta": {"k": [1]},
    "priority": 3,
    "max_attempts": 5,
    "scheduled_ms": START_MS + 10,
    "record": b"Q3\x00\xff",
    "parent": "boss",
    "triggered_by": "api",
}


async def minutes_of(sessions: Sessions) -> list[Sequence[Any]]:
    columns = MinuteRow.__table__.columns
    async with sessions() as session:
        return [tuple(row) for row in await session.execute(select(*columns).order_by(*columns))]


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)
async def test_row_tells_what_the_job_was_enqueued_with(recorder: Recorder, sessions: Sessions) -> None:
    """All that an event tells of its job is in the row, whichever database and driver it goes through."""
    await tell(recorder, started(at=20, **GIVEN))

    row = await row_of(sessions)
    assert (row.args, row.kwargs, row.tags, row.meta) == (
        [1, "a"],
        {"to": "b@c.de", "password": "hunter2"},
        ["x", "y"],
        {"k": [1]},
    )
    assert (row.priority, row.max_attempts, row.record, row.parent) == (3, 5, b"Q3\x00\xff", "boss")
    assert (row.triggered_by, row.state, row.cause) == ("api", JobState.EXECUTING, None)
    assert row.scheduled_at is not None
    assert row.pushed_at is not None


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)
async def test_odd_texts_are_kept(recorder: Recorder, sessions: Sessions) -> None:
    """Quotes, backslashes, braces and commas are text like any other to each driver."""
    odd = ['a"b', "c\\d", "{e,f}", "NULL", "", "'", "%s $1 :x ?"]
    for number, text in enumerate(odd):
        telemetry.execute(started(f'job-"{number}', worker=text, triggered_by=text, args=(text,)))
    await written(lambda: recorder.waiting == 0)

    for number, text in enumerate(odd):
        row = await row_of(sessions, f'job-"{number}')
        assert (row.worker or "", row.args) == (text, [text])
        assert row.triggered_by == (text or "queue")


async def test_waiting_job_is_told_as_the_queue_keeps_it(recorder: Recorder, sessions: Sessions) -> None:
    """What is needed to push a job again is in its row while it waits, and little of it when it is over."""
    memory = Memory(tries=1, due_ms=START_MS + 9_000).encode()
    failed = stopped("retryable", error=ValueError("no"), cause="ERROR", memory=memory, **GIVEN)
    await tell(recorder, started(**GIVEN), failed)
    waiting = await row_of(sessions)

    await tell(recorder, started(attempt=2, at=9_000, **GIVEN), stopped(attempt=2, at=9_050, **GIVEN))

    over = await row_of(sessions)
    assert (waiting.state, waiting.cause, waiting.memory) == (JobState.RETRYABLE, Cause.ERROR, memory)
    assert waiting.scheduled_at is not None
    assert waiting.scheduled_at.timestamp() * 1_000 == START_MS + 9_000
    assert (over.state, over.cause, over.memory, over.lock) == (JobState.COMPLETED, None, None, None)
    assert over.record == b"Q3\x00\xff"


async def test_hidden_arguments_are_nowhere(engine: AsyncEngine, outage: Outage, sessions: Sessions) -> None:
    """What the ledger must not hold is stars in its row, which then has no record either."""
    ledger = ToyLedger(engine, outage, redact=("password",))
    recorder = Recorder(ledger)
    await recorder.start()

    await tell(recorder, started(**GIVEN), stopped(**GIVEN))
    await tell(recorder, started("job-2", args=(1,), record=b"Q0whole"))
    await recorder.stop()

    row, other = await row_of(sessions), await row_of(sessions, "job-2")
    assert (row.kwargs, row.record) == ({"to": "b@c.de", "password": "***"}, None)
    assert (other.args, other.record) == ([1], b"Q0whole")


async def test_attempts_are_told(recorder: Recorder, sessions: Sessions) -> None:
    """Each start has a row: who, when, what became of it and why."""
    await tell(recorder, started())
    [running] = await attempts_of(sessions)
    await tell(recorder, stopped("retryable", error=ValueError("no"), cause="ERROR"))
    await tell(recorder, started(attempt=2, at=100, worker="host:2:b"))
    await tell(recorder, stopped(attempt=2, at=150, worker="host:2:b"))

    failed, done = await attempts_of(sessions)
    assert (running.state, running.finished_at) == ("executing", None)
    assert (failed.state, failed.cause, failed.error["message"]) == ("retryable", Cause.ERROR, "no")
    assert (done.state, done.worker, done.attempt, done.cause) == ("completed", "host:2:b", 2, None)
    assert done.finished_at is not None
    assert done.started_at is not None
    assert (done.finished_at - done.started_at).total_seconds() == 0.05


async def test_attempts_of_jobs_with_a_runner_are_told(
    recorder: Recorder, sessions: Sessions, db: AsyncSession
) -> None:
    """A `JobRunner` keeps the row of its job; its attempts and minutes are the recorder's all the same."""
    with FakeJob().running():
        await Runner(db).run_job(Toy, "TOY")
    assert (await row_of(sessions)).status is LedgerStatus.RUNNING

    await tell(recorder, started(), stopped(result="of the function"))

    row, [attempt] = await row_of(sessions), await attempts_of(sessions)
    assert (row.status, row.output_payload) == (LedgerStatus.SUCCESS, {"done": True})
    assert (attempt.state, attempt.worker) == ("completed", "host:1:a")
    assert [minute[3:5] for minute in await minutes_of(sessions)] == [("completed", 1)]


async def test_job_that_never_ran_has_no_attempt(recorder: Recorder, sessions: Sessions) -> None:
    """What ended while it waited was not started."""
    await tell(recorder, stopped("discarded", took=0, cause="EXPIRED"))

    assert (await row_of(sessions)).cause is Cause.EXPIRED
    assert await attempts_of(sessions) == []


async def test_times_beyond_all_calendars_are_taken(recorder: Recorder, sessions: Sessions) -> None:
    """A job that was scheduled for the year 300,000 is recorded like any other."""
    await tell(recorder, started(scheduled_ms=9_400_000_000_000_000))

    assert (await row_of(sessions)).status is LedgerStatus.RUNNING


async def test_minutes_are_counted(recorder: Recorder, sessions: Sessions) -> None:
    """What ends is summed up by minute, function and outcome, over any number of transactions."""
    for number, (at, took, waited) in enumerate([(0, 10, 1), (1, 30, 5), (2, 20, 9), (60_000, 7, 0)]):
        event = stopped(job_id=f"job-{number}", at=at, took=took, queue_time_ms=waited)
        telemetry.execute(event)
        if number % 2:
            await written(lambda: recorder.waiting == 0)
    await tell(recorder, stopped("discarded", "job-9", at=3, took=4))

    minute = START_MS // 60_000
    assert await minutes_of(sessions) == [
        (minute, "arq:queue", "work", "completed", 3, 60, 15, 30, 9),
        (minute, "arq:queue", "work", "discarded", 1, 4, 0, 4, 0),
        (minute + 1, "arq:queue", "work", "completed", 1, 7, 0, 7, 0),
    ]


async def test_other_queues_are_others_to_record(toy_ledger: ToyLedger, sessions: Sessions) -> None:
    """Two workers of one process, each with a toy_ledger of its own, do not write each other's rows."""
    recorder = Recorder(toy_ledger, "mail")
    await recorder.start()
    telemetry.execute(started())
    waiting = recorder.waiting
    await recorder.stop()

    async with sessions() as session:
        assert (waiting, (await session.execute(select(Row))).all()) == (0, [])


async def test_mark_is_reached_when_all_before_it_is_committed(
    recorder: Recorder, outage: Outage, sessions: Sessions
) -> None:
    """Who waits for a mark waits through an outage, and finds the rows."""
    outage.is_away = True
    telemetry.execute(started())
    mark = recorder.mark
    telemetry.execute(stopped(result=1))
    waits = asyncio.ensure_future(recorder.reached(mark))
    await written(lambda: outage.tries >= 3)
    assert (waits.done(), recorder.is_away) == (False, True)
    assert recorder.lag > 0

    outage.is_away = False
    await asyncio.wait_for(waits, 10)

    assert (await row_of(sessions)).output_payload == 1
    assert (recorder.lag, recorder.waiting) == (0.0, 0)
    await recorder.reached(recorder.mark)


async def test_mark_that_is_never_reached_is_told(toy_ledger: ToyLedger, outage: Outage) -> None:
    """Who waits for a recorder that ends during an outage does not wait for ever."""
    recorder = Recorder(toy_ledger, flush_timeout=0.01)
    await recorder.start()
    outage.is_away = True
    telemetry.execute(started())
    waits = asyncio.ensure_future(recorder.reached(recorder.mark))
    await asyncio.wait_for(outage.tried.wait(), 10)

    await recorder.stop()

    with pytest.raises(LedgerError, match="ended before"):
        await waits
    with pytest.raises(LedgerError, match="ended before"):
        await recorder.reached(recorder.mark)


async def test_strict_recorder_drops_nothing(engine: AsyncEngine, outage: Outage, sessions: Sessions) -> None:
    """Events wait however many they are, and `is_full` tells that no more should be made."""
    ledger = ToyLedger(engine, outage)
    ledger.is_strict = True
    recorder = Recorder(ledger, capacity=10, max_backoff=0.01)
    await recorder.start()
    outage.is_away = True
    for number in range(25):
        telemetry.execute(stopped(job_id=f"job-{number}"))
    assert (recorder.waiting, recorder.is_full) == (25, True)

    outage.is_away = False
    await asyncio.wait_for(recorder.reached(recorder.mark), 10)
    await recorder.stop()

    async with sessions() as session:
        assert len((await session.execute(select(Row.id))).all()) == 25


async def test_telemetry_hears_of_writes_and_outages(recorder: Recorder, outage: Outage) -> None:
    """Each transaction is an event, and so are the beginning and the end of an outage, once each."""
    heard: list[Any] = []
    with telemetry.attached([LedgerWritten, LedgerAway, LedgerBack], heard.append):
        outage.is_away = True
        telemetry.execute(stopped())
        await written(lambda: outage.tries >= 3)
        outage.is_away = False
        await written(lambda: recorder.waiting == 0 and not recorder.is_away)

    assert [type(event) for event in heard] == [LedgerAway, LedgerWritten, LedgerBack]
    assert (heard[1].rows, heard[1].waiting) == (1, 0)
    assert heard[1].lag_ms > 0


@pytest.mark.parametrize("engine", ["postgres", "psycopg"], indirect=True)
async def test_writers_do_not_wait_for_each_other(engine: AsyncEngine, sessions: Sessions) -> None:
    """Many writers that move the same rows in different orders all come to an end, without a conflict."""
    recorders = [Recorder(ToyLedger(engine, sessions)) for _ in range(4)]
    jobs = [f"job-{number:02}" for number in range(40)]
    for attempt in range(1, 6):
        for place, recorder in enumerate(recorders):
            for job_id in jobs if place % 2 else reversed(jobs):
                recorder.take(started(job_id, attempt=attempt, at=attempt * 100))
                recorder.take(stopped("retryable", job_id, attempt=attempt, at=attempt * 100 + 50))

    for recorder in recorders:
        await recorder.start()
    await asyncio.gather(*(recorder.stop() for recorder in recorders))

    async with sessions() as session:
        rows = (await session.execute(select(Row.status, Row.attempt))).all()
    assert set(rows) == {(LedgerStatus.QUEUED, 5)}
    assert len(rows) == 40


class DeadlockDetectedError(Exception):
    sqlstate = "40P01"


async def test_conflict_is_tried_again(toy_ledger: ToyLedger, sessions: Sessions) -> None:
    """A transaction that the database gave up for another one is done once more, and nothing is lost."""
    real, tries = toy_ledger.sessions, []

    def sessions_with_conflicts() -> AsyncSession:
        tries.append(1)
        if len(tries) < 4:
            raise DBAPIError("INSERT", {}, DeadlockDetectedError())
        return real()

    toy_ledger.sessions = sessions_with_conflicts
    recorder = Recorder(toy_ledger)
    await recorder.start()
    await tell(recorder, stopped(result=1))
    await recorder.stop()

    assert (await row_of(sessions)).output_payload == 1
    assert len(tries) == 4


@pytest.mark.parametrize(
    ("state", "away", "conflict"),
    [
        ("40P01", False, True),
        ("40001", False, True),
        ("57P01", True, False),
        ("08006", True, False),
        ("53100", True, False),
        ("42P01", True, False),
        ("22021", False, False),
        ("", False, False),
    ],
)
def test_errors_are_told_apart(state: str, away: bool, conflict: bool) -> None:
    """What may be tried again at once, what has to wait for the database, and what it will never take."""
    cause = DeadlockDetectedError()
    cause.sqlstate = state
    error = DBAPIError("INSERT", {}, cause)

    assert (is_away(error), is_conflict(error)) == (away, conflict)


@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_conflict_is_no_outage_by_either_driver(state: str) -> None:
    """Psycopg has conflicts among what passes, as it has a server that is gone."""
    cause = DeadlockDetectedError()
    cause.sqlstate = state

    assert not is_away(OperationalError("INSERT", {}, cause))


async def test_writer_knows_its_database(toy_ledger: ToyLedger) -> None:
    """Times are made for the database once, when they are told."""
    moment = Writer(toy_ledger).moment(START_MS + 5)

    assert moment == (
        "2023-11-14 22:13:20.005000" if toy_ledger.engine.dialect.name == "sqlite" else START_MS + 5
    )


@pytest.mark.parametrize(
    ("names", "args", "kwargs", "expected"),
    [
        ((), (1,), {"otp": 2}, ((1,), {"otp": 2}, True)),
        (("otp",), (1,), {"to": 2}, ((1,), {"to": 2}, True)),
        (("otp",), (1, 2), {}, ((1, "***"), {}, False)),
        (("otp",), (), {"otp": 2}, ((), {"otp": "***"}, False)),
        ({"send": ("otp",)}, (1, 2), {}, ((1, "***"), {}, False)),
        ({"other": ("otp",)}, (1, 2), {"otp": 3}, ((1, 2), {"otp": 3}, True)),
    ],
)
def test_redaction(names: Any, args: Any, kwargs: Any, expected: Any) -> None:
    """Arguments are hidden by their names, by whatever way they are handed over."""
    redaction = Redaction(names)
    redaction.learn("send", ("to", "otp"))

    if redaction.concerns("send"):
        kept_args, kept_kwargs, is_whole = redaction.applied("send", args, kwargs)
        assert (tuple(kept_args), kept_kwargs, is_whole) == expected
    else:
        assert (args, kwargs, True) == expected


def test_unknown_functions_arguments_are_hidden() -> None:
    """Of a function that has secrets, and whose arguments' names are not known, all are hidden."""
    assert Redaction({"send": ("otp",)}).applied("send", (1, 2), {}) == (["***", "***"], {}, False)
