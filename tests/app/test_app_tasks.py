"""Enqueueing with the caller's own data; and the jobs as real workers run them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import database
from app.core.database import AsyncSessionLocal
from app.core.tasks import SECRETS, TASKS
from app.errors import QueueUnavailableError
from app.models import ConnectedAccount, Job, User
from app.services import job_service
from app.services.task_service import TaskService
from arqlite import ArqRedis, Worker
from arqlite.ledger import LedgerBase, LedgerStatus, store

Work = Callable[..., Worker]


async def row_of(job_id: str) -> Job:
    async with AsyncSessionLocal() as db:
        row = await store.find(db, Job, job_id)
        assert row is not None
        return row


async def everything_in(redis: ArqRedis) -> str:
    """What Redis holds, of every key."""
    held: list[Any] = []
    for key in await redis.keys("*"):
        match await redis.type(key):
            case b"string":
                held.append(await redis.get(key))
            case b"hash":
                held.append(await redis.hgetall(key))
            case b"list":
                held.append(await redis.lrange(key, 0, -1))
            case b"set":
                held.append(await redis.smembers(key))
            case b"zset":
                held.append(await redis.zrange(key, 0, -1))
            case other:
                raise AssertionError(f"{key!r} is a {other!r}, which this test cannot read")
    return repr(held)


async def everything_in_the_ledger() -> str:
    """What the ledger holds, of every table."""
    held: list[Any] = []
    async with AsyncSessionLocal() as db:
        for table in LedgerBase.metadata.sorted_tables:
            held += [tuple(row) for row in await db.execute(select(table))]
    return repr(held)


async def test_job_is_committed_with_the_callers_own_data(pools: ArqRedis, db: AsyncSession) -> None:
    """What is enqueued in a session waits in the queue once the session is committed, and not before."""
    db.add(User(email="grace@example.com"))
    job = await TaskService.enqueue_sample_task(session=db)
    assert await pools.queue_depth() == 0

    await db.commit()

    assert await pools.queue_depth() == 1
    row = await row_of(job.job_id)
    assert (row.status, row.job_type, row.triggered_by) == (LedgerStatus.QUEUED, "SAMPLE", "api")


async def test_rollback_leaves_nothing(pools: ArqRedis, db: AsyncSession) -> None:
    """A job of a transaction that is rolled back is in no row and in no queue."""
    await TaskService.enqueue_email_extraction(session=db)
    await db.rollback()

    assert await store.page(db, Job) == []
    assert await pools.queue_depth() == 0


async def test_without_a_session_the_job_is_committed(pools: ArqRedis) -> None:
    """Whoever has no transaction finds the job accepted when the call returns."""
    job = await TaskService.enqueue_sample_task(triggered_by="system")

    assert (await row_of(job.job_id)).triggered_by == "system"
    assert await pools.queue_depth() == 1


async def test_job_is_accepted_while_redis_is_away(no_redis: ArqRedis) -> None:
    """Its row waits for the relay, which pushes what is not known to be in Redis."""
    job = await TaskService.enqueue_sample_task()

    row = await row_of(job.job_id)
    assert (row.status, row.pushed_at) == (LedgerStatus.QUEUED, None)
    assert row.record is not None


async def test_job_runs_when_redis_is_back(work: Work, no_redis: ArqRedis, eventually: Any) -> None:
    """What was accepted without Redis a worker's relay finds in the ledger, and the job runs."""
    job = await TaskService.enqueue_sample_task()
    working = asyncio.create_task(work(burst=False).main())

    async def has_run() -> bool:
        return (await row_of(job.job_id)).status is LedgerStatus.SUCCESS

    await eventually(has_run, within=20)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_secret_is_not_accepted_while_redis_is_away(no_redis: ArqRedis, db: AsyncSession) -> None:
    """The ledger could not bring such a job to Redis later: whoever asks for it is told."""
    with pytest.raises(QueueUnavailableError, match="email queue did not take the job"):
        await TaskService.enqueue_otp_email("ada@example.com", "935712")

    assert await store.page(db, Job) == []


async def test_closed_queues_write_no_row(engine: object, db: AsyncSession) -> None:
    """Before the pools are open nothing is accepted, and nothing is written."""
    with pytest.raises(QueueUnavailableError, match="not open"):
        await TaskService.enqueue_sample_task()

    assert await store.page(db, Job) == []


async def test_every_task_of_the_service_is_known() -> None:
    """The functions in the ledger's table of tasks are those that the workers run."""
    from app.workers import jobs

    assert all(callable(getattr(jobs, function)) for function in TASKS)


async def test_secrets_are_told_by_function() -> None:
    """What a task calls a secret is what the ledger is told to leave out."""
    assert SECRETS == {"send_otp_email": ("otp",)}


async def test_sample_task_runs(pools: ArqRedis, work: Work) -> None:
    """A job without a JobRunner has its row kept by the recorder, from QUEUED to SUCCESS."""
    job = await TaskService.enqueue_sample_task()
    await work().main()

    row = await row_of(job.job_id)
    assert (row.status, row.output_payload["message"]) == (LedgerStatus.SUCCESS, "the base queue works")
    assert (await job.result(timeout=1))["job_id"] == job.job_id


async def test_fetch_and_extraction_run(
    pools: ArqRedis, work: Work, account: ConnectedAccount, mailbox: Any
) -> None:
    """Both jobs adopt the row that was written when they were enqueued, and fill it."""
    mailbox("1.eml", b"From: a@shop.example\nSubject: hello\nDate: Sun, 29 Mar 2026 23:30:00 -0500\n\ntext\n")
    fetch = await TaskService.enqueue_email_fetch(user_id=1)
    await work().main()
    extraction = await TaskService.enqueue_email_extraction(batch_size=5)
    await work().main()

    row = await row_of(fetch.job_id)
    assert (row.status, row.job_type, row.triggered_by) == (LedgerStatus.SUCCESS, "EMAIL_FETCH", "api")
    assert row.output_payload["saved_count"] == 1
    assert row.input_payload == {"user_id": 1, "provider": "mailbox", "limit": 20, "account_id": None}
    assert (await row_of(extraction.job_id)).output_payload["processed_count"] == 1


async def test_failing_job_says_why(pools: ArqRedis, work: Work, engine: object) -> None:
    """A job that fails in a real worker is FAILED with its error, and the queue's result is that error."""
    job = await TaskService.enqueue_email_fetch(user_id=42)
    await work().main()

    row = await row_of(job.job_id)
    assert (row.status, row.error_payload["type"]) == (LedgerStatus.FAILED, "NotFoundError")
    with pytest.raises(Exception, match="user 42 has no mailbox account"):
        await job.result(timeout=1)


async def test_mail_goes_to_the_user(pools: ArqRedis, work: Work, db: AsyncSession) -> None:
    """`send_email` writes to the address of the user it is given."""
    user = User(email="grace@example.com")
    db.add(user)
    await db.commit()

    job = await TaskService.enqueue_send_email(user.id)
    await work().main()

    output = (await row_of(job.job_id)).output_payload
    assert (output["sent_to"], output["delivered"]) == ("grace@example.com", False)


async def test_password_is_told_to_nobody(
    pools: ArqRedis,
    make_worker: Work,
    email_settings: Any,
    engine: object,
    caplog: pytest.LogCaptureFixture,
    data_dir: Any,
) -> None:
    """A one-time password is in the mail, and neither in the ledger, nor in the log, nor left in Redis."""
    caplog.set_level(logging.DEBUG)
    job = await TaskService.enqueue_otp_email("ada@example.com", "935712")
    assert "935712" in await everything_in(pools)
    await make_worker(email_settings.functions, ledger=database.ledger).main()

    assert "935712" not in await everything_in(pools)
    assert "935712" not in await everything_in_the_ledger()

    row = await row_of(job.job_id)
    assert row.status is LedgerStatus.SUCCESS
    assert row.input_payload == row.kwargs == {"email": "ada@example.com", "otp": "***"}
    assert row.record is None
    assert "935712" not in str(row.output_payload)
    started = [record.getMessage() for record in caplog.records if "→" in record.getMessage()]
    assert [f"{job.job_id}:send_otp_email(***)" in line for line in started] == [True]
    assert not [record for record in caplog.records if "935712" in record.getMessage()]
    assert "935712" in (data_dir / "outbox" / f"{job.job_id}_arqlite_example.eml").read_text()


async def test_password_of_a_failed_job_is_not_kept(
    pools: ArqRedis,
    make_worker: Work,
    email_settings: Any,
    engine: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A one-time password that could not be sent is left nowhere either."""
    caplog.set_level(logging.DEBUG)
    job = await TaskService.enqueue_otp_email("ada@example.com\nBcc: eve@example.com", "935712")
    await make_worker(email_settings.functions, ledger=database.ledger).main()

    assert (await row_of(job.job_id)).status is LedgerStatus.FAILED
    assert "935712" not in await everything_in(pools)
    assert "935712" not in await everything_in_the_ledger()
    assert "935712" not in caplog.text


async def test_password_of_a_cancelled_job_is_not_kept(
    pools: ArqRedis, db: AsyncSession, eventually: Any
) -> None:
    """A one-time password whose mail was called off in time is left nowhere either."""
    job = await TaskService.enqueue_otp_email("ada@example.com", "935712")
    await eventually(lambda: store.find(db, Job, job.job_id))  # Redis has it first
    row = await job_service.cancel(db, job.job_id)

    assert row.status is LedgerStatus.CANCELLED
    assert "935712" not in await everything_in(pools)
    assert "935712" not in await everything_in_the_ledger()


async def test_row_of_a_dead_worker_is_adopted(
    pools: ArqRedis, work: Work, account: ConnectedAccount, mailbox: Any
) -> None:
    """A row that was left RUNNING by a worker that is gone belongs to the worker that runs the job now."""
    mailbox("1.eml", b"Subject: hello\n\ntext\n")
    job = await TaskService.enqueue_email_fetch(user_id=1)
    async with AsyncSessionLocal.begin() as db:
        row = await store.find(db, Job, job.job_id)
        assert row is not None
        row.status, row.attempt, row.worker = LedgerStatus.RUNNING, 1, "gone:1:x"
    await work().main()

    adopted = await row_of(job.job_id)
    assert adopted.status is LedgerStatus.SUCCESS
    assert adopted.worker != "gone:1:x"
