"""Rows that follow what a worker tells."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from ledger_toys import FakeJob, Row, Runner, Toy, queue, row_of
from recorder_toys import START_MS, Outage, Sessions, ToyLedger, attempts_of, started, stopped, tell, written
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from arqlite import telemetry
from arqlite.errors import JobExecutionFailed, Retry
from arqlite.ledger import (
    AttemptRow,
    Cause,
    JobRowMixin,
    LedgerStatus,
    Recorder,
    create_missing_tables,
    store,
)
from arqlite.ledger import recorder as recorder_module
from arqlite.ledger.accepting import AcceptedJob
from arqlite.ledger.tables import MinuteRow
from arqlite.ledger.writer import Writer
from arqlite.telemetry import JobStopped

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus

FAR_MS = 40 * 365 * 86_400_000
"""After whatever time it is now."""


async def test_row_follows_a_job(recorder: Recorder, sessions: Sessions) -> None:
    """QUEUED becomes RUNNING becomes SUCCESS, with the worker's times and the result."""
    await queue(sessions)

    await tell(recorder, started())
    running = await row_of(sessions)
    await tell(recorder, stopped(result={"sent": 1}))

    row = await row_of(sessions)
    assert (running.status, running.worker, running.attempt) == (RUNNING, "host:1:a", 1)
    assert (row.status, row.output_payload) == (SUCCESS, {"sent": 1})
    assert row.duration is not None
    assert row.duration.total_seconds() == 0.05


async def test_start_and_end_in_one_window(recorder: Recorder, sessions: Sessions) -> None:
    """A job that is quicker than the window gets both its times in one write."""
    await queue(sessions)

    telemetry.execute(started())
    await tell(recorder, stopped())

    row = await row_of(sessions)
    assert (row.status, row.duration is not None) == (SUCCESS, True)


async def test_job_without_a_row_gets_one(recorder: Recorder, sessions: Sessions) -> None:
    """A job that was enqueued past the ledger is recorded from its start on."""
    await tell(recorder, started("cron:tick"), stopped(job_id="cron:tick"))

    row = await row_of(sessions, "cron:tick")
    assert (row.status, row.job_type, row.triggered_by) == (SUCCESS, "work", "queue")


@pytest.mark.parametrize(
    ("state", "error", "status", "error_type"),
    [
        ("discarded", ValueError("no"), FAILED, "ValueError"),
        ("discarded", JobExecutionFailed("job expired"), FAILED, "JobExecutionFailed"),
        ("cancelled", None, CANCELLED, None),
        ("retryable", Retry(), QUEUED, None),
        ("retryable", ValueError("again"), QUEUED, "ValueError"),
        ("snoozed", None, QUEUED, None),
        ("available", None, QUEUED, None),
    ],
)
async def test_every_end(
    recorder: Recorder,
    sessions: Sessions,
    state: str,
    error: BaseException | None,
    status: LedgerStatus,
    error_type: str | None,
) -> None:
    """Each way a run can stop has its status and tells its error."""
    await queue(sessions)

    await tell(recorder, started(), stopped(state, error=error))

    row = await row_of(sessions)
    assert row.status is status
    assert (row.error_payload or {}).get("type") == error_type
    assert (row.finished_at is None) == (status is QUEUED)


@pytest.mark.parametrize("worker", ["host:1:a", "host:2:b"])
async def test_snoozed_job_runs_under_its_number(recorder: Recorder, sessions: Sessions, worker: str) -> None:
    """A job that snoozed begins the same attempt again, anywhere, and no worker has died."""
    await queue(sessions)

    await tell(recorder, started(), stopped("snoozed"))
    await tell(recorder, started(at=60, worker=worker))
    assert (await row_of(sessions)).status is RUNNING
    await tell(recorder, stopped(at=70, worker=worker))

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.crashes, row.worker) == (SUCCESS, 1, 0, worker)


async def test_job_that_never_ran_is_closed(recorder: Recorder, sessions: Sessions) -> None:
    """A job cancelled while it waited is closed without ever having started."""
    await queue(sessions)

    await tell(recorder, stopped("cancelled", attempt=0))

    row = await row_of(sessions)
    assert (row.status, row.started_at) == (CANCELLED, None)


async def test_late_events_do_not_go_backwards(recorder: Recorder, sessions: Sessions) -> None:
    """What a zombie or a slow writer tells of an earlier attempt changes nothing."""
    await queue(sessions)
    await tell(recorder, started(), stopped("retryable"), started(attempt=2, worker="host:2:b"))

    await tell(recorder, stopped(attempt=1, result="late"), started(attempt=1))

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.worker) == (RUNNING, 2, "host:2:b")


async def test_success_stays_after_a_crash(recorder: Recorder, sessions: Sessions) -> None:
    """A worker that died between the commit and Redis's word costs the success nothing."""
    await queue(sessions)
    await tell(recorder, started(), stopped(result=1))

    await tell(recorder, started(attempt=2, crashes=1))
    await tell(recorder, stopped("discarded", attempt=2, crashes=1, error=ValueError("no")))

    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.attempt) == (SUCCESS, 1, 1)


@pytest.mark.parametrize("state", ["completed", "discarded", "cancelled"])
@pytest.mark.parametrize("is_quick", [False, True])
async def test_job_that_was_retried_by_hand_goes_on(
    recorder: Recorder, sessions: Sessions, state: str, is_quick: bool
) -> None:
    """The next start of a job that had ended opens its row again."""
    await tell(recorder, started(), stopped(state, result=1, error=ValueError("no")))

    events = started(attempt=2, at=100), stopped(attempt=2, at=150, result=2)
    if is_quick:
        telemetry.execute(events[0])
        await tell(recorder, events[1])
    else:
        await tell(recorder, events[0])
        running = await row_of(sessions)
        assert (running.status, running.finished_at, running.error_payload) == (RUNNING, None, None)
        await tell(recorder, events[1])

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.output_payload) == (SUCCESS, 2, 2)
    assert [attempt.state for attempt in await attempts_of(sessions)] == [state, "completed"]


async def test_dead_worker_is_told(recorder: Recorder, sessions: Sessions) -> None:
    """An attempt that runs while a later one begins was lost with its worker."""
    await queue(sessions)

    await tell(recorder, started(), started(attempt=2, worker="host:2:b", at=70, crashes=1))
    await tell(recorder, stopped(attempt=2, worker="host:2:b", at=90, crashes=1, took=20))

    row = await row_of(sessions)
    assert (row.status, row.crashes) == (SUCCESS, 1)
    lost, done = await attempts_of(sessions)
    assert (lost.worker, lost.state, lost.cause) == ("host:1:a", "lost", Cause.LOST)
    assert (done.worker, done.state, done.cause) == ("host:2:b", "completed", None)
    assert lost.finished_at == done.started_at


async def test_attempt_whose_job_ended_without_it_is_lost(recorder: Recorder, sessions: Sessions) -> None:
    """A job that was cancelled when its worker had died leaves no attempt that seems to run."""
    await tell(recorder, started(), stopped("cancelled", attempt=0, worker="", at=90))

    [attempt] = await attempts_of(sessions)
    row = await row_of(sessions)
    assert (row.status, row.attempt, attempt.state) == (CANCELLED, 1, "lost")


async def test_start_after_a_shutdown_has_the_same_number(recorder: Recorder, sessions: Sessions) -> None:
    """A run given back at a shutdown is not counted; the next one's RUNNING is told all the same."""
    await queue(sessions)
    await tell(recorder, started(), stopped("available"))

    await tell(recorder, started(worker="host:2:b", at=60))
    await tell(recorder, stopped("available", worker="host:1:a"))

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.worker, row.crashes) == (RUNNING, 1, "host:2:b", 0)


async def test_runner_and_recorder_together(recorder: Recorder, sessions: Sessions, db: AsyncSession) -> None:
    """The row that a JobRunner keeps is the runner's; a dead worker is told once, by whoever is first."""
    await queue(sessions)
    await tell(recorder, started(), started(attempt=2, worker="host:2:b", at=10, crashes=1))

    with FakeJob(job_try=2, crashes=1, worker="host:2:b").running():
        await Runner(db).run_job(Toy, "TOY")
    await tell(recorder, stopped(attempt=2, worker="host:2:b", result="of the function", at=60, crashes=1))

    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.crashes) == (SUCCESS, {"done": True}, 1)
    assert [attempt.state for attempt in await attempts_of(sessions)] == ["lost", "completed"]


async def test_failure_that_is_retried_waits_again(
    recorder: Recorder, sessions: Sessions, db: AsyncSession
) -> None:
    """A row that the runner closed as FAILED waits again once the queue says the job will be retried."""
    with FakeJob().running(), pytest.raises(ValueError, match="no luck"):
        await Runner(db).run_job(Toy, "TOY", {"action": "fail"})

    await tell(recorder, stopped("retryable", error=ValueError("no luck"), at=FAR_MS))

    row = await row_of(sessions)
    assert (row.status, row.error_payload["type"], row.finished_at) == (QUEUED, "ValueError", None)


async def test_outage_is_survived_and_told_once(
    recorder: Recorder, outage: Outage, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """While the database is away events wait; when it is back all are written; the log says so once."""
    caplog.set_level(logging.WARNING)
    await queue(sessions)
    outage.is_away = True
    telemetry.execute(started())
    await written(lambda: outage.tries >= 3)
    telemetry.execute(stopped(result="kept"))

    outage.is_away = False
    await written(lambda: recorder.waiting == 0)

    assert (await row_of(sessions)).output_payload == "kept"
    assert [record.message.split(",")[0] for record in caplog.records if "away" in record.message] == [
        "the ledger is away"
    ]
    assert any("the ledger is back" in record.message for record in caplog.records)


async def test_buffer_is_bounded(
    recorder: Recorder, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    """During an outage the buffer holds what it may hold, and the log counts what was lost."""
    outage.is_away = True
    for number in range(250):
        telemetry.execute(started(f"job-{number}"))
    assert recorder.waiting == 100

    outage.is_away = False
    await written(lambda: recorder.waiting == 0)

    assert "the ledger missed 150 changes" in caplog.text


async def test_refused_change_does_not_hold_up_the_others(
    recorder: Recorder, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """A change that the database refuses is logged and left out; its neighbours are written."""
    for number in range(20):
        telemetry.execute(stopped(job_id=f"job-{number}", worker="host:1:a" if number != 13 else "a\ud800"))
    await written(lambda: recorder.waiting == 0)

    async with sessions() as session:
        rows = await store.page(session, Row)
    assert {row.status for row in rows} == {SUCCESS}
    assert len(rows) == 19
    assert "job job-13: a change could not be recorded and is left out" in caplog.text


async def test_stop_writes_what_was_told(toy_ledger: ToyLedger, sessions: Sessions) -> None:
    """A worker that ends leaves no change unwritten."""
    await queue(sessions)
    recorder = Recorder(toy_ledger, window=60)
    await recorder.start()
    telemetry.execute(stopped())

    async with asyncio.timeout(10):
        await recorder.stop()

    assert (await row_of(sessions)).status is SUCCESS
    assert not telemetry.has_handlers(JobStopped)


async def test_many_jobs_share_few_transactions(
    recorder: Recorder, outage: Outage, sessions: Sessions
) -> None:
    """What arrives within one window is one transaction."""
    for number in range(50):
        await queue(sessions, f"job-{number}")

    for number in range(50):
        telemetry.execute(started(f"job-{number}"))
        telemetry.execute(stopped(job_id=f"job-{number}"))
    await written(lambda: recorder.waiting == 0)

    assert outage.tries == 1
    async with sessions() as session:
        assert {row.status for row in await store.page(session, Row)} == {SUCCESS}


async def test_more_events_than_one_transaction_takes(
    recorder: Recorder, outage: Outage, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into one transaction is written by the next ones, in the order it was told."""
    monkeypatch.setattr("arqlite.ledger.recorder._ENTRIES_AT_ONCE", 8)
    for number in range(20):
        telemetry.execute(started(f"job-{number:02}"))
        telemetry.execute(stopped(job_id=f"job-{number:02}"))
    telemetry.execute(started("job-00", attempt=2, crashes=1))
    await written(lambda: recorder.waiting == 0)

    async with sessions() as session:
        rows = await store.page(session, Row)
    assert {row.status for row in rows} == {SUCCESS}
    assert (len(rows), outage.tries) == (20, 3)


async def test_attempts_in_one_window(recorder: Recorder, sessions: Sessions) -> None:
    """Runs of one job that pass within one window are all told: the error, the retry, the dead worker."""
    for event in (
        started(),
        started(attempt=2, at=10, worker="host:2:b", crashes=1),
        stopped("retryable", attempt=2, at=20, worker="host:2:b", error=ValueError("again"), crashes=1),
        started(attempt=3, at=30, crashes=1),
    ):
        telemetry.execute(event)
    await written(lambda: recorder.waiting == 0)

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.crashes, row.error_payload) == (RUNNING, 3, 1, None)
    lost, failed, running = await attempts_of(sessions)
    assert [attempt.state for attempt in (lost, failed, running)] == ["lost", "retryable", "executing"]
    assert (lost.cause, failed.error["type"], running.error) == (Cause.LOST, "ValueError", None)


async def test_times_are_exact(recorder: Recorder, sessions: Sessions) -> None:
    """The database turns each ms into the time that Python would, so that rows can be compared."""
    for at in range(0, 1_000, 37):
        telemetry.execute(started(f"job-{at}", at=at, enqueued=at))
    await written(lambda: recorder.waiting == 0)

    async with sessions() as session:
        rows = await store.page(session, Row)
    for row in rows:
        moment = datetime.fromtimestamp((START_MS + int(row.id[4:])) / 1000, UTC)
        assert (row.created_at, row.enqueued_at, row.started_at) == (moment, moment, moment)


async def test_columns_of_ones_own_get_their_defaults(engine: AsyncEngine) -> None:
    """A default that is made in Python is made for each row, not once for all that are written at once."""

    class OwnBase(DeclarativeBase):
        pass

    class OwnRow(JobRowMixin, OwnBase):
        __tablename__ = "own_jobs"
        token: Mapped[str] = mapped_column(default=lambda: uuid.uuid4().hex)

    await create_missing_tables(engine, OwnBase.metadata)
    recorder = Recorder(ToyLedger(engine, async_sessionmaker(engine), OwnRow))
    await recorder.start()
    for number in range(3):
        telemetry.execute(started(f"job-{number}"))
    await recorder.stop()

    async with engine.connect() as connection:
        tokens = (await connection.execute(select(OwnRow.token))).scalars().all()
    assert len(set(tokens)) == 3


@pytest.mark.parametrize("result", ["a\x00b \ud800 ü", {"at": 1.5, "deep": [None, True]}, [], "", 0, None])
async def test_results_are_kept_as_they_are(recorder: Recorder, sessions: Sessions, result: Any) -> None:
    """Text that databases dislike, and values that are easily taken for none, come back unchanged."""
    await tell(recorder, stopped(result=result))

    assert (await row_of(sessions)).output_payload == result


NUMBERS = [2**63, -(2**63) - 1, 2**64 - 1, 10**400, 1.0, -0.0, 1e300, 0.1, 2**53 + 1, 10**18, -7, 0]


async def test_numbers_are_kept_as_they_are(recorder: Recorder, sessions: Sessions) -> None:
    """A bare number is no nearest one, and of no other kind, whatever a column of SQLite makes of it."""
    for place, number in enumerate(NUMBERS):
        telemetry.execute(stopped(job_id=f"job-{place}", result=number))
    await recorder.stop()

    rows = [await row_of(sessions, f"job-{place}") for place in range(len(NUMBERS))]
    assert [repr(row.output_payload) for row in rows] == list(map(repr, NUMBERS))


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)
async def test_two_write_where_more_waits_than_one_transaction_takes(
    toy_ledger: ToyLedger, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one has a batch under way another writes the next; each row is written and counted once."""
    monkeypatch.setattr(recorder_module, "_ENTRIES_AT_ONCE", 10)
    write_runs = Writer.write_runs
    at_once: list[int] = []
    under_way = 0

    async def watched(self: Writer, runs: Any) -> None:
        nonlocal under_way
        under_way += 1
        at_once.append(under_way)
        await write_runs(self, runs)
        under_way -= 1

    monkeypatch.setattr(Writer, "write_runs", watched)
    recorder = Recorder(toy_ledger)
    await recorder.start()
    given: dict[str, Any] = {"record": b"Q0", "scheduled_ms": START_MS}
    recorder.accept(
        [
            AcceptedJob(f"job-{n:03}", "arq:queue", "work", enqueued_ms=START_MS, record=b"Q0")
            for n in range(300)
        ]
    )
    await written(lambda: recorder.waiting == 0)
    for number in range(300):
        telemetry.execute(stopped(job_id=f"job-{number:03}", **given))
    await written(lambda: recorder.waiting == 0)
    await recorder.stop()

    async with sessions() as session:
        ended = select(func.count()).select_from(Row).where(Row.status == SUCCESS)
        counts = [
            (await session.execute(asked)).scalar_one()
            for asked in (
                ended,
                select(func.count()).select_from(AttemptRow),
                select(func.sum(MinuteRow.count)),
            )
        ]
    assert counts == [300, 300, 300]
    assert max(at_once) == (2 if Writer(toy_ledger).takes_two else 1)


async def test_writer_waits_while_others_have_all_in_hand(recorder: Recorder, sessions: Sessions) -> None:
    """What somebody else has taken out may come back: the event loop goes on meanwhile."""
    taken: list[Any] = []
    backlog = recorder._backlog
    take_accepted = backlog.take_accepted

    def take_all(limit: int) -> Any:
        if not taken:
            taken.append(backlog.take_runs(1_000))
        return take_accepted(limit)

    backlog.take_accepted = take_all  # type: ignore[method-assign]
    telemetry.execute(stopped())
    await written(lambda: bool(taken))
    await asyncio.sleep(0)
    backlog.settle_runs(taken[0], taken[0])
    await written(lambda: recorder.waiting == 0)

    assert (await row_of(sessions)).status is SUCCESS
