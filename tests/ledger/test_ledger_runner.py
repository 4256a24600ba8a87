"""One job from its row to its end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from ledger_toys import FakeJob, Row, Toy, fresh_toy, notes, queue, row_of, run  # noqa: F401 (a fixture)
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from arqlite.errors import LedgerError, Postpone, Retry, RetryJob
from arqlite.ledger import LedgerStatus, store
from arqlite.ledger.adoption import Run

Sessions = async_sessionmaker[AsyncSession]
QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus


async def test_lifecycle_in_order(db: AsyncSession, sessions: Sessions) -> None:
    """The row is RUNNING before `before_run`, its clock starts before `run`, `after_run` precedes SUCCESS."""
    await queue(sessions)

    with FakeJob().running():
        output = await run(db, "succeed")

    assert output == {"done": True}
    assert Toy.diary == [
        ("before_run", RUNNING, False),
        ("run", RUNNING, True),
        ("after_run", {"done": True}, RUNNING),
    ]
    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.error_payload) == (SUCCESS, {"done": True}, None)
    assert row.duration is not None
    assert row.duration.total_seconds() >= 0
    assert await notes(sessions) == ["worked"]


async def test_queued_row_is_adopted(db: AsyncSession, sessions: Sessions) -> None:
    """The QUEUED row of the running job is the row of the run; what was asked for stays as it was."""
    await queue(sessions, input_payload={"asked": 1}, triggered_by="api", user_id=3)

    with FakeJob(worker="host:1:b").running():
        await run(db, "succeed")

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.worker) == (SUCCESS, 1, "host:1:b")
    assert (row.input_payload, row.triggered_by, row.user_id) == ({"asked": 1}, "api", 3)


async def test_missing_row_is_opened_with_the_jobs_id(db: AsyncSession, sessions: Sessions) -> None:
    """A job that was enqueued without a row gets one under its own id."""
    with FakeJob(job_id="cron:tick:1").running():
        await run(db, "succeed")

    row = await row_of(sessions, "cron:tick:1")
    assert (row.status, row.queue, row.function, row.user_id) == (SUCCESS, "arq:queue", "work", 7)


async def test_outside_a_worker_every_run_has_its_own_row(db: AsyncSession, sessions: Sessions) -> None:
    """Without a queue's job, each run opens a row under a fresh id."""
    await run(db, "succeed")
    await run(db, "succeed")

    async with sessions() as session:
        rows = await store.page(session, Row)
    assert [(row.status, row.queue, row.function) for row in rows] == [(SUCCESS, "", "Toy")] * 2


async def test_second_run_within_one_queue_job_has_its_own_row(db: AsyncSession, sessions: Sessions) -> None:
    """Two runs in one queue job do not take each other's row for their own, also after a crash."""
    for job in (FakeJob(), FakeJob(job_try=2, crashes=1)):
        with job.running():
            await asyncio.create_task(_run_two(db))

    assert (await row_of(sessions, "job-1")).status is SUCCESS
    assert (await row_of(sessions, "job-1:2")).status is SUCCESS
    assert await notes(sessions) == ["worked", "worked"]


async def _run_two(db: AsyncSession) -> None:
    await run(db, "succeed")
    await run(db, "succeed")


async def test_failure_is_told_and_rolled_back(db: AsyncSession, sessions: Sessions) -> None:
    """A job that raises is FAILED with type, message and traceback; its uncommitted work is gone."""
    await queue(sessions)

    with FakeJob().running(), pytest.raises(ValueError, match="no luck"):
        await run(db, "fail")

    row = await row_of(sessions)
    assert row.status is FAILED
    assert (row.error_payload["type"], row.error_payload["message"]) == ("ValueError", "no luck")
    assert "in fail" in row.error_payload["traceback"]
    assert row.finished_at is not None
    assert await notes(sessions) == ["failed"]


async def test_broken_hook_does_not_keep_the_row_open(db: AsyncSession, sessions: Sessions) -> None:
    """When `on_failure` raises, the row tells the job's own error all the same."""
    with FakeJob().running(), pytest.raises(ValueError, match="no luck"):
        await run(db, "fail", hook="raises")

    row = await row_of(sessions)
    assert (row.status, row.error_payload["type"]) == (FAILED, "ValueError")
    assert await notes(sessions) == []


@pytest.mark.parametrize("action", ["fail_before", "fail_after"])
async def test_failing_hooks_fail_the_job(db: AsyncSession, sessions: Sessions, action: str) -> None:
    """An error in `before_run` or `after_run` is a failure of the job."""
    with FakeJob().running(), pytest.raises(ValueError, match=r"not even|could not"):
        await run(db, action)

    assert (await row_of(sessions)).status is FAILED
    assert Toy.diary[-1][0] == "on_failure"


async def test_output_that_is_no_json_fails_the_job(db: AsyncSession, sessions: Sessions) -> None:
    """An output that JSON cannot hold is a failure that names its type, and `after_run` is not called."""
    with FakeJob().running(), pytest.raises(TypeError, match="output of type dict"):
        await run(db, "unjsonable")

    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.error_payload["type"]) == (FAILED, None, "TypeError")
    assert await notes(sessions) == ["failed"]
    assert "after_run" not in [entry[0] for entry in Toy.diary]


async def test_nan_becomes_null(db: AsyncSession, sessions: Sessions) -> None:
    """NaN, which JSON and PostgreSQL refuse, is stored as null."""
    with FakeJob().running():
        assert await run(db, "nan") == {"value": None}

    assert (await row_of(sessions)).output_payload == {"value": None}


@pytest.mark.parametrize("action", ["retry", "retry_job", "retry_before", "retry_after"])
async def test_retry_goes_back_to_the_queue(db: AsyncSession, sessions: Sessions, action: str) -> None:
    """A job that asks for a retry, anywhere, waits again: no failure, no hook, its half-done work undone."""
    await queue(sessions)

    with FakeJob().running(), pytest.raises((Retry, RetryJob)):
        await run(db, action)

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.error_payload, row.finished_at) == (QUEUED, 1, None, None)
    assert "on_failure" not in [entry[0] for entry in Toy.diary]
    assert await notes(sessions) == []


async def test_retried_job_succeeds_in_the_same_row(db: AsyncSession, sessions: Sessions) -> None:
    """The run after a retry adopts the row, and nothing of the first is left in it."""
    await queue(sessions)
    with FakeJob().running(), pytest.raises(Retry):
        await asyncio.create_task(run(db, "retry"))

    with FakeJob(job_try=2, worker="host:2:b").running():
        await run(db, "succeed")

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.crashes, row.cause) == (SUCCESS, 2, 0, None)


async def test_stored_success_is_not_run_again(db: AsyncSession, sessions: Sessions) -> None:
    """After a crash between the commit and the ack the stored output is returned, and nothing runs."""
    with FakeJob().running():
        await asyncio.create_task(run(db, "succeed"))
    Toy.diary.clear()

    with FakeJob(job_try=2, crashes=1, worker="host:2:b").running():
        output = await asyncio.create_task(run(db, "fail"))

    assert output == {"done": True}
    assert Toy.diary == []
    assert (await row_of(sessions)).attempt == 1


async def test_id_used_again_runs_again(db: AsyncSession, sessions: Sessions) -> None:
    """A nightly job with a fixed id runs every night, though last night's row says SUCCESS."""
    with FakeJob().running():
        await asyncio.create_task(run(db, "succeed"))
    finished_at = (await row_of(sessions)).finished_at
    assert finished_at is not None
    Toy.diary.clear()

    tonight = FakeJob(enqueue_ms=int(finished_at.timestamp() * 1000) + 1000, worker="host:2:b")
    with tonight.running():
        await asyncio.create_task(run(db, "nan"))

    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.worker) == (SUCCESS, {"value": None}, "host:2:b")
    assert "run" in [entry[0] for entry in Toy.diary]


async def test_cancelled_before_start_is_not_run(db: AsyncSession, sessions: Sessions) -> None:
    """A job cancelled while it waited does not run, and its row stays CANCELLED."""
    await queue(sessions)
    async with sessions.begin() as session:
        assert await store.cancel_queued(session, Row, "job-1")

    with FakeJob().running():
        assert await run(db, "succeed") is None

    assert (await row_of(sessions)).status is CANCELLED
    assert Toy.diary == []


async def adopt(sessions: Sessions, run: Run) -> None:
    """Let another worker take the row."""
    async with sessions.begin() as session:
        row = await store.find(session, Row, run.job_id, run.queue)
        assert row is not None
        assert await store.adopt(session, Row, run, row, store.Asked("TOY", triggered_by="api"))


@pytest.mark.parametrize(("later_ms", "runs"), [(1, True), (-60_000, False)])
async def test_job_retried_by_hand_runs_again(
    db: AsyncSession, sessions: Sessions, later_ms: int, runs: bool
) -> None:
    """A job that succeeded, and that somebody let run again after that, does; an older word is none."""
    with FakeJob().running():
        await asyncio.create_task(run(db, "succeed"))
    finished_at = (await row_of(sessions)).finished_at
    assert finished_at is not None

    revived_ms = int(finished_at.timestamp() * 1000) + later_ms
    with FakeJob(job_try=2, revived_ms=revived_ms, worker="host:2:b").running():
        await asyncio.create_task(run(db, "nan"))

    row = await row_of(sessions)
    assert (row.status, row.output_payload) == (SUCCESS, {"value": None} if runs else {"done": True})


async def test_job_cancelled_and_retried_by_hand_runs(db: AsyncSession, sessions: Sessions) -> None:
    """The word of whoever let a cancelled job run again is the later one."""
    await queue(sessions)
    async with sessions.begin() as session:
        assert await store.cancel_queued(session, Row, "job-1")

    with FakeJob(revived_ms=4_102_444_800_000).running():
        await run(db, "succeed")

    assert (await row_of(sessions)).status is SUCCESS


async def test_dead_worker_is_counted(db: AsyncSession, sessions: Sessions) -> None:
    """A run after a crash adopts the RUNNING row, and the row tells how many workers died of the job."""
    await queue(sessions)
    await adopt(sessions, Run("job-1", "work", "arq:queue", attempt=1, crashes=0, worker="host:1:dead"))

    with FakeJob(job_try=2, crashes=1, worker="host:2:b").running():
        await run(db, "succeed")

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.crashes, row.error_payload) == (SUCCESS, 2, 1, None)


async def test_failed_row_is_adopted_by_the_next_attempt(db: AsyncSession, sessions: Sessions) -> None:
    """When a later attempt succeeds, the row says nothing of the earlier error: that is the attempt's."""
    with FakeJob().running(), pytest.raises(ValueError, match="no luck"):
        await asyncio.create_task(run(db, "fail"))
    with FakeJob(job_try=2).running():
        await run(db, "succeed")

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.error_payload, row.cause) == (SUCCESS, 2, None, None)


async def test_zombie_does_not_start(db: AsyncSession, sessions: Sessions) -> None:
    """A worker that lost its lease before it began finds the row taken and leaves it alone."""
    with FakeJob(job_try=2, worker="host:2:b").running():
        task = asyncio.create_task(run(db, "wait"))
    await Toy.entered.wait()
    async with sessions() as other:
        with FakeJob(job_try=1, worker="host:1:a").running(), pytest.raises(LedgerError, match="overtaken"):
            await run(other, "succeed")

    assert (await row_of(sessions)).worker == "host:2:b"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_zombie_does_not_finish(
    db: AsyncSession, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was overtaken while it worked changes neither the row nor anything else."""

    async def overtake(self: Toy) -> object:
        await adopt(sessions, Run("job-1", "work", "arq:queue", attempt=2, crashes=1, worker="host:2:b"))
        return await self.be_overtaken()

    monkeypatch.setattr(Toy, "succeed", overtake)
    with FakeJob().running(), pytest.raises(LedgerError, match="overtaken"):
        await run(db, "succeed")

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.output_payload) == (RUNNING, 2, None)
    assert await notes(sessions) == []


async def test_job_waits_while_the_ledger_is_away(tmp_path: Path) -> None:
    """A job that cannot be recorded does not start: a worker tries it again, anybody else hears of it."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'no' / 'such.db'}")
    async with AsyncSession(engine) as away:
        with FakeJob(job_try=3).running(), pytest.raises(Postpone) as caught:
            await run(away, "succeed")
        with pytest.raises(OperationalError):
            await run(away, "succeed")
    await engine.dispose()

    assert 1_000 <= (caught.value.defer_score or 0) <= 2_000
    assert Toy.diary == []


async def test_input_that_is_no_json_is_refused(db: AsyncSession) -> None:
    """A payload that JSON cannot hold is the caller's error, before any row."""
    with pytest.raises(TypeError, match="input of type dict"):
        await run(db, "succeed", value=object())
