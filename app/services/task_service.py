"""Enqueueing: first the QUEUED row, then the push, both under the same id."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from app.core import queue
from app.core.database import AsyncSessionLocal
from app.errors import ApplicationError, QueueUnavailableError
from app.models import Job
from app.services.providers import MailboxProvider
from arqlite import ArqRedis
from arqlite.jobs import Job as QueueJob
from arqlite.ledger import store

logger = logging.getLogger("app.tasks")

REDACTED = "***"


@dataclass(frozen=True, slots=True)
class Task:
    """What the ledger and the queues have to know about a function.

    Attributes:
        function: the name the worker knows it by.
        job_type: what the ledger calls it.
        queue: `base` or `email`.
        secrets: arguments that the ledger must not hold. Such a job cannot be retried from its row.
    """

    function: str
    job_type: str
    queue: str
    secrets: frozenset[str] = frozenset()


SAMPLE = Task("sample_task", "SAMPLE", "base")
SEND_EMAIL = Task("send_email", "SEND_EMAIL", "email")
SEND_OTP = Task("send_otp_email", "SEND_OTP_EMAIL", "email", secrets=frozenset({"otp"}))
EMAIL_FETCH = Task("run_email_fetch", "EMAIL_FETCH", "email")
EMAIL_EXTRACTION = Task("run_email_extraction", "EMAIL_EXTRACTION", "email")

TASKS = {task.function: task for task in (SAMPLE, SEND_EMAIL, SEND_OTP, EMAIL_FETCH, EMAIL_EXTRACTION)}


class TaskService:
    """Puts jobs into the queues. Every method returns the queue's `Job`, whose `job_id` is the row's id.

    Raises QueueUnavailableError when the queue does not take the job: nothing runs, and the row is FAILED.
    """

    @staticmethod
    async def enqueue_sample_task(*, triggered_by: str = "api") -> QueueJob:
        """A job for trying things out."""
        return await enqueue(SAMPLE, {}, triggered_by=triggered_by)

    @staticmethod
    async def enqueue_send_email(user_id: int, *, triggered_by: str = "api") -> QueueJob:
        """Mail to a user."""
        return await enqueue(SEND_EMAIL, {"user_id": user_id}, triggered_by=triggered_by, user_id=user_id)

    @staticmethod
    async def enqueue_otp_email(email: str, otp: str, *, triggered_by: str = "api") -> QueueJob:
        """A one-time password; the ledger and the logs never hold it."""
        return await enqueue(SEND_OTP, {"email": email, "otp": otp}, triggered_by=triggered_by)

    @staticmethod
    async def enqueue_email_fetch(
        user_id: int,
        provider: str = MailboxProvider.name,
        limit: int = 20,
        account_id: int | None = None,
        *,
        triggered_by: str = "api",
    ) -> QueueJob:
        """Fetch at most `limit` messages from a connected account, by default the user's latest one."""
        arguments = {"user_id": user_id, "provider": provider, "limit": limit, "account_id": account_id}
        return await enqueue(EMAIL_FETCH, arguments, triggered_by=triggered_by, user_id=user_id)

    @staticmethod
    async def enqueue_email_extraction(batch_size: int = 10, *, triggered_by: str = "api") -> QueueJob:
        """Read every e-mail that waits for it, `batch_size` at a time."""
        return await enqueue(EMAIL_EXTRACTION, {"batch_size": batch_size}, triggered_by=triggered_by)


async def enqueue(
    task: Task, arguments: dict[str, Any], *, triggered_by: str, user_id: int | None = None
) -> QueueJob:
    """Commit the QUEUED row, then push; a push that fails is written into the row before it is raised."""
    pool = pool_of(task)
    job_id = uuid.uuid4().hex
    async with AsyncSessionLocal.begin() as db:
        await store.insert_queued(
            db,
            Job,
            job_id=job_id,
            job_type=task.job_type,
            function=task.function,
            queue=task.queue,
            input_payload=redacted(task, arguments),
            triggered_by=triggered_by,
            user_id=user_id,
        )
    try:
        job = await pool.enqueue_job(task.function, _job_id=job_id, **arguments)
    except (Exception, asyncio.CancelledError) as error:
        await _tell_unpushed(job_id, error)
        if isinstance(error, asyncio.CancelledError):
            raise
        raise QueueUnavailableError(f"the {task.queue} queue did not take the job: {error}") from error
    if job is None:
        raise ApplicationError(f"the {task.queue} queue has a job {job_id} already")
    return job


def pool_of(task: Task) -> ArqRedis:
    """The pool of the task's queue; raises QueueUnavailableError before `create_redis_queue_pools`."""
    pool = queue.base_pool if task.queue == "base" else queue.email_pool
    if pool is None:
        raise QueueUnavailableError("the queues are not open: create_redis_queue_pools() was not called")
    return pool


def redacted(task: Task, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the ledger may hold them."""
    return {name: REDACTED if name in task.secrets else value for name, value in arguments.items()}


async def _tell_unpushed(job_id: str, error: BaseException) -> None:
    try:
        async with AsyncSessionLocal.begin() as db:
            await store.fail_unpushed(db, Job, job_id, error)
    except Exception:  # the caller has to hear of the queue, which failed first
        logger.exception("job %s was not pushed, and its row could not be told", job_id)
