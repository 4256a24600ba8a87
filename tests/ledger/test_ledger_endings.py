"""Why a run ended otherwise than well: the row tells, and tells it truly."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ledger_toys import (
    FakeJob,
    Row,
    Toy,
    attempts_of,
    cancel_when_running,
    fresh_toy,  # noqa: F401 (a fixture)
    notes,
    queue,
    row_of,
    run,
)
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from arqlite import ArqRedis, task
from arqlite.errors import Retry, Snooze
from arqlite.ledger import AttemptRow, Cause, JobRow, JobRunner, LedgerStatus, store
from arqlite.ledger.endings import ending_of
from arqlite.ledger.store.comparing import open_rows_after
from arqlite.model.context import CancelReason
from arqlite.model.states import JobState

Sessions = async_sessionmaker[AsyncSession]
QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus
AVAILABLE, DISCARDED, RETRYABLE = JobState.AVAILABLE, JobState.DISCARDED, JobState.RETRYABLE


@task(max_attempts=2)
async def patient(ctx: Any) -> None:
    """A job function by Oban's rules."""


@pytest.mark.parametrize(
    ("reason", "status", "state", "cause"),
    [
        ("abort", CANCELLED, JobState.CANCELLED, Cause.CANCELLED),
        ("shutdown", QUEUED, AVAILABLE, Cause.SHUTDOWN),
        ("lost_lease", QUEUED, AVAILABLE, Cause.LOST),
        ("timeout", FAILED, DISCARDED, Cause.TIMEOUT),
    ],
)
async def test_interrupted_job_says_why(
    db: AsyncSession,
    sessions: Sessions,
    reason: CancelReason,
    status: LedgerStatus,
    state: JobState,
    cause: Cause,
) -> None:
    """Somebody's word, a shutdown, a lost lease and the end of its time are different causes."""
    await queue(sessions)

    await cancel_when_running(db, FakeJob(job_try=2), reason)

    row = await row_of(sessions)
    assert (row.status, row.state, row.cause, row.attempt) == (status, state, cause, 2)
    assert (row.finished_at is None) == (status is QUEUED)
    assert "half" not in await notes(sessions)


async def test_timeout_is_a_failure(db: AsyncSession, sessions: Sessions) -> None:
    """A job whose time is up is FAILED with a TimeoutError, and its hook is told."""
    await cancel_when_running(db, FakeJob(), "timeout")

    row = await row_of(sessions)
    assert (row.status, row.error_payload["type"]) == (FAILED, "TimeoutError")
    assert Toy.diary[-1] == ("on_failure", "TimeoutError", True)


async def test_interruption_that_began_outside_a_worker_is_a_cancellation(
    db: AsyncSession, sessions: Sessions
) -> None:
    """Outside a worker nobody but the caller cancels a run."""
    work = asyncio.create_task(run(db, "wait"))
    await Toy.entered.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    async with sessions() as session:
        [row] = await store.page(session, Row)
    assert (row.status, row.cause) == (CANCELLED, Cause.CANCELLED)


@pytest.mark.parametrize(
    ("job", "error", "state", "cause", "is_heard"),
    [
        (FakeJob(), ValueError("no"), DISCARDED, Cause.ERROR, True),
        (FakeJob(task=patient, max_attempts=2), ValueError("no"), RETRYABLE, Cause.ERROR, True),
        (FakeJob(task=patient, max_attempts=2, job_try=2), ValueError("no"), DISCARDED, Cause.ERROR, True),
        (FakeJob(), Retry(), RETRYABLE, Cause.RETRY, False),
        (FakeJob(retry_jobs=False), Retry(), DISCARDED, Cause.RETRY, True),
        (FakeJob(task=patient, max_attempts=1), Retry(), DISCARDED, Cause.RETRY, True),
        (None, Retry(), DISCARDED, Cause.RETRY, True),
        (FakeJob(), Snooze(5), JobState.SCHEDULED, Cause.SNOOZE, False),
        (None, Snooze(5), DISCARDED, Cause.SNOOZE, True),
        (FakeJob(), asyncio.CancelledError(), RETRYABLE, Cause.ERROR, False),
        (FakeJob(retry_jobs=False), asyncio.CancelledError(), DISCARDED, Cause.ERROR, False),
        (
            FakeJob(cancel_reason="shutdown", retry_jobs=False),
            asyncio.CancelledError(),
            DISCARDED,
            Cause.SHUTDOWN,
            False,
        ),
        (
            FakeJob(cancel_reason="timeout", task=patient, max_attempts=2),
            asyncio.CancelledError(),
            RETRYABLE,
            Cause.TIMEOUT,
            True,
        ),
        (None, asyncio.CancelledError(), JobState.CANCELLED, Cause.CANCELLED, False),
        (FakeJob(cancel_reason="lost_lease"), ValueError("late"), AVAILABLE, Cause.LOST, False),
        (FakeJob(cancel_reason="timeout"), ValueError("late"), DISCARDED, Cause.TIMEOUT, True),
    ],
)
def test_row_says_what_the_queue_decides(
    job: FakeJob | None, error: BaseException, state: JobState, cause: Cause, is_heard: bool
) -> None:
    """A row is final only if its job is: what runs again waits, it failed, asked or was stopped."""
    ending = ending_of(error, job)  # type: ignore[arg-type]

    assert (ending.state, ending.cause, ending.failure is not None) == (state, cause, is_heard)


async def test_failure_with_attempts_left_waits(db: AsyncSession, sessions: Sessions) -> None:
    """A task's job that failed and will be tried again is QUEUED at once, and tells the error and why."""
    await queue(sessions)

    with FakeJob(task=patient, max_attempts=2).running(), pytest.raises(ValueError, match="no luck"):
        await run(db, "fail")

    row = await row_of(sessions)
    assert (row.status, row.state, row.cause) == (QUEUED, RETRYABLE, Cause.ERROR)
    assert (row.error_payload["type"], row.finished_at, row.max_attempts) == ("ValueError", None, 2)
    assert Toy.diary[-1][0] == "on_failure"


async def test_worker_tells_whether_a_job_runs_again(
    arq_redis: ArqRedis, make_worker: Any, sessions: Sessions
) -> None:
    """In a real worker the row of a failed attempt waits, and that of the last one is FAILED."""
    seen: list[tuple[LedgerStatus, JobState]] = []

    @task(max_attempts=2, backoff=0)
    async def work(ctx: dict[str, Any]) -> None:
        async with sessions() as db:
            try:
                await run(db, "fail")
            finally:
                row = await row_of(sessions)
                seen.append((row.status, row.state))

    await arq_redis.options(job_id="job-1").enqueue(work)
    await asyncio.wait_for(make_worker([work]).main(), 10)

    assert seen == [(QUEUED, RETRYABLE), (FAILED, DISCARDED)]


@pytest.mark.parametrize("action", ["snooze", "return_snooze"])
async def test_snoozed_job_waits(db: AsyncSession, sessions: Sessions, action: str) -> None:
    """A job that raises or returns `Snooze` waits for later; no hook is told, and what it began is undone."""
    await queue(sessions)

    with FakeJob().running(), pytest.raises(Snooze):
        await run(db, action)

    row = await row_of(sessions)
    assert (row.status, row.state, row.cause) == (QUEUED, JobState.SCHEDULED, Cause.SNOOZE)
    assert [entry[0] for entry in Toy.diary] == ["before_run", "run"]
    assert await notes(sessions) == []


@pytest.mark.parametrize("action", ["return_cancel", "return_cancel_class"])
async def test_job_that_cancels_itself(db: AsyncSession, sessions: Sessions, action: str) -> None:
    """A job that says it is not needed is CANCELLED, and no failure."""
    with FakeJob().running(), pytest.raises(Exception, match=r"not needed|cancelled"):
        await run(db, action)

    row = await row_of(sessions)
    assert (row.status, row.cause) == (CANCELLED, Cause.CANCELLED)
    assert "on_failure" not in [entry[0] for entry in Toy.diary]


async def test_discarded_job_failed(db: AsyncSession, sessions: Sessions) -> None:
    """A job that discards itself is FAILED with its reason, and its hook is told."""
    with FakeJob(task=patient).running(), pytest.raises(Exception, match="hopeless"):
        await run(db, "discard")

    row = await row_of(sessions)
    assert (row.status, row.error_payload["message"]) == (FAILED, "hopeless")
    assert Toy.diary[-1][0] == "on_failure"


async def test_awaiting_something_cancelled_is_no_cancellation(db: AsyncSession, sessions: Sessions) -> None:
    """A job that nobody cancelled is not CANCELLED: the queue runs it again, and so says the row."""
    with FakeJob().running(), pytest.raises(asyncio.CancelledError):
        await run(db, "await_cancelled")

    row = await row_of(sessions)
    assert (row.status, row.cause, row.error_payload["type"]) == (QUEUED, Cause.ERROR, "CancelledError")


@pytest.mark.parametrize(
    ("action", "attempt"),
    [
        ("succeed", (1, "completed", None)),
        ("fail", (1, "discarded", Cause.ERROR)),
        ("retry", (1, "discarded", Cause.RETRY)),
        ("return_cancel", (1, "cancelled", Cause.CANCELLED)),
    ],
)
async def test_run_outside_a_worker_writes_its_attempt(
    db: AsyncSession, sessions: Sessions, action: str, attempt: tuple[int, str, Cause | None]
) -> None:
    """Where no worker tells of a run, its attempt is in the ledger all the same."""
    await asyncio.gather(run(db, action), return_exceptions=True)

    async with sessions() as session:
        [job_id] = (await session.execute(select(AttemptRow.job_id))).scalars()
        written = await session.get(AttemptRow, (job_id, "", 1))
    assert await attempts_of(sessions, job_id) == [attempt]
    assert written is not None
    assert (written.started_at is None, written.finished_at is None) == (False, False)
    assert (written.error is None) == (action == "succeed")


async def test_run_in_a_worker_leaves_its_attempt_to_the_recorder(
    db: AsyncSession, sessions: Sessions
) -> None:
    """One writer per row: the worker tells of the queue's job, and only of it."""
    with FakeJob().running():
        await asyncio.create_task(_run_two(db))

    assert await attempts_of(sessions, "job-1") == []
    assert await attempts_of(sessions, "job-1:2") == [(1, "completed", None)]


async def test_second_run_that_was_given_back_begins_its_attempt_again(
    db: AsyncSession, sessions: Sessions
) -> None:
    """A run that a shutdown gave back has its number again, and there is one row of it."""
    interrupted = FakeJob()
    with interrupted.running():
        work = asyncio.create_task(_succeed_and_wait(db))
    await Toy.entered.wait()
    interrupted.cancel_reason = "shutdown"
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert await attempts_of(sessions, "job-1:2") == [(1, "available", Cause.SHUTDOWN)]

    with FakeJob(worker="host:2:b").running():
        await asyncio.create_task(_run_two(db))

    assert await attempts_of(sessions, "job-1:2") == [(1, "completed", None)]


async def _run_two(db: AsyncSession) -> None:
    await run(db, "succeed")
    await run(db, "succeed")


async def _succeed_and_wait(db: AsyncSession) -> None:
    await run(db, "succeed")
    await run(db, "wait")


async def test_runner_needs_no_subclass(db: AsyncSession, sessions: Sessions) -> None:
    """`JobRunner` itself keeps the library's own row."""
    with FakeJob(queue_name="mail").running():
        await JobRunner(db).run_job(Toy, "TOY", {"action": "succeed"}, user_id=7)

    async with sessions() as session:
        row = await session.get(JobRow, ("job-1", "mail"))
    assert row is not None
    assert (row.status, row.state, row.user_id) == (SUCCESS, JobState.COMPLETED, 7)


async def test_queues_do_not_share_rows(db: AsyncSession, sessions: Sessions) -> None:
    """Jobs of two queues may have the same id; each has a row, and moves no other's."""
    with FakeJob(queue_name="mail").running():
        await asyncio.create_task(run(db, "succeed"))
    with FakeJob(queue_name="reports").running(), pytest.raises(ValueError, match="no luck"):
        await asyncio.create_task(run(db, "fail"))

    async with sessions() as session:
        rows = {row.queue: row.status for row in await store.page(session, Row)}
    assert rows == {"mail": SUCCESS, "reports": FAILED}


async def test_second_run_is_no_job_of_the_queue(db: AsyncSession, sessions: Sessions) -> None:
    """Who compares rows with Redis can tell the queue's jobs from the runs within them, unknown to Redis."""
    async with sessions.begin() as session:
        session.add(Row(id="job-2", queue="arq:queue", parent="job-1", job_type="TOY", function="work"))

    with FakeJob(function="work").running():
        work = asyncio.create_task(_succeed_and_wait(db))
    await Toy.entered.wait()
    async with sessions() as session:
        second = await store.find(session, Row, "job-1:2", "arq:queue")
        assert second is not None
        assert (second.status, second.parent) == (RUNNING, "job-1")
        for status in (RUNNING, QUEUED):
            found = await open_rows_after(session, Row, "arq:queue", status, None)
            jobs = [row.job_id for row in found if not row.is_part]
            assert jobs == (["job-2"] if status is QUEUED else [])
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
