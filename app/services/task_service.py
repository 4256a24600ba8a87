"""Enqueueing: the QUEUED row is committed with the caller's own data, and then the queue gets the job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import queue
from app.core.database import AsyncSessionLocal
from app.core.tasks import (
    BASE_QUEUE,
    EMAIL_EXTRACTION,
    EMAIL_FETCH,
    REDACTED,
    SAMPLE,
    SEND_EMAIL,
    SEND_OTP,
    Task,
)
from app.errors import QueueUnavailableError
from app.services.providers import MailboxProvider
from arqlite import ArqRedis
from arqlite.jobs import Job as QueueJob


class TaskService:
    """Accepts jobs. Every method returns the queue's `Job`, whose `job_id` is the row's id.

    With a `session` the job is part of its transaction: it runs if that is committed, of a rollback
    nothing is left anywhere. Without one it is committed when the method returns. While Redis is away, jobs
    are accepted all the same: they wait in the ledger and are pushed when it is back.
    """

    @staticmethod
    async def enqueue_sample_task(
        *, triggered_by: str = "api", session: AsyncSession | None = None
    ) -> QueueJob[Any]:
        """A job for trying things out."""
        return await enqueue(SAMPLE, {}, triggered_by=triggered_by, session=session)

    @staticmethod
    async def enqueue_send_email(
        user_id: int, *, triggered_by: str = "api", session: AsyncSession | None = None
    ) -> QueueJob[Any]:
        """Mail to a user."""
        arguments = {"user_id": user_id}
        return await enqueue(
            SEND_EMAIL, arguments, triggered_by=triggered_by, user_id=user_id, session=session
        )

    @staticmethod
    async def enqueue_otp_email(email: str, otp: str, *, triggered_by: str = "api") -> QueueJob[Any]:
        """A one-time password; the ledger and the logs never hold it, so only Redis can take the job.

        Raises:
            QueueUnavailableError: Redis is away.
        """
        return await enqueue(SEND_OTP, {"email": email, "otp": otp}, triggered_by=triggered_by)

    @staticmethod
    async def enqueue_email_fetch(
        user_id: int,
        provider: str = MailboxProvider.name,
        limit: int = 20,
        account_id: int | None = None,
        *,
        triggered_by: str = "api",
        session: AsyncSession | None = None,
    ) -> QueueJob[Any]:
        """Fetch at most `limit` messages from a connected account, by default the user's latest one."""
        arguments = {"user_id": user_id, "provider": provider, "limit": limit, "account_id": account_id}
        return await enqueue(
            EMAIL_FETCH, arguments, triggered_by=triggered_by, user_id=user_id, session=session
        )

    @staticmethod
    async def enqueue_email_extraction(
        batch_size: int = 10, *, triggered_by: str = "api", session: AsyncSession | None = None
    ) -> QueueJob[Any]:
        """Read every e-mail that waits for it, `batch_size` at a time."""
        arguments = {"batch_size": batch_size}
        return await enqueue(EMAIL_EXTRACTION, arguments, triggered_by=triggered_by, session=session)


async def enqueue(
    task: Task,
    arguments: dict[str, Any],
    *,
    triggered_by: str,
    user_id: int | None = None,
    session: AsyncSession | None = None,
) -> QueueJob[Any]:
    """Accept a job in the session's transaction, or in one of its own."""
    pool = pool_of(task)
    row = {"job_type": task.job_type, "user_id": user_id, "input_payload": redacted(task, arguments)}
    if task.secrets:
        return await _enqueue_secretly(pool, task, arguments, row, triggered_by)
    async with _transaction(session) as db:
        options = pool.options(session=db, row=row, triggered_by=triggered_by)
        return await options.enqueue(task.function, **arguments)


def pool_of(task: Task) -> ArqRedis:
    """The pool of the task's queue; raises QueueUnavailableError before `create_redis_queue_pools`."""
    pool = queue.base_pool if task.queue == BASE_QUEUE else queue.email_pool
    if pool is None:
        raise QueueUnavailableError("the queues are not open: create_redis_queue_pools() was not called")
    return pool


def redacted(task: Task, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the ledger may hold them."""
    return {name: REDACTED if name in task.secrets else value for name, value in arguments.items()}


async def _enqueue_secretly(
    pool: ArqRedis, task: Task, arguments: dict[str, Any], row: dict[str, Any], triggered_by: str
) -> QueueJob[Any]:
    """Into Redis first: a row alone, which does not hold the secret, could not bring the job there later."""
    options = pool.options(ledger="behind", row=row, triggered_by=triggered_by)
    try:
        return await options.enqueue(task.function, **arguments)
    except (RedisError, OSError) as error:
        raise QueueUnavailableError(f"the {task.queue} queue did not take the job: {error}") from error


@asynccontextmanager
async def _transaction(session: AsyncSession | None) -> AsyncIterator[AsyncSession]:
    """The caller's, who commits it, or one of our own."""
    if session is not None:
        yield session
        return
    async with AsyncSessionLocal.begin() as own:
        yield own
