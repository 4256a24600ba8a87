"""The functions that the workers run."""

from __future__ import annotations

from typing import Any

from app.core.database import AsyncSessionLocal
from app.jobs import EmailExtractionJob, EmailFetchJob, JobRunner
from app.jobs.email_extraction import DEFAULT_BATCH_SIZE
from app.services.account_service import find_user
from app.services.providers import MailboxProvider
from app.services.smtp_service import compose, deliver

Context = dict[str, Any]


async def sample_task(ctx: Context) -> dict[str, Any]:
    """Do nothing, and say so: for trying out the base queue."""
    return {"message": "the base queue works", "job_id": ctx["job_id"], "try": ctx["job_try"]}


async def send_email(
    ctx: Context,
    user_id: int,
    subject: str = "Hello from arqlite",
    body: str = "This message was sent by a background job.\n",
) -> dict[str, Any]:
    """Send mail to a user; NotFoundError if there is none."""
    async with AsyncSessionLocal() as db:
        user = await find_user(db, user_id)
    return await deliver(compose(user.email, subject, body, message_key=ctx["job_id"]))


async def send_otp_email(ctx: Context, email: str, otp: str) -> dict[str, Any]:
    """Send a one-time password for a password reset. Neither the result nor the log holds it."""
    body = f"Your one-time password is: {otp}\n\nIf you did not ask for it, ignore this message.\n"
    return await deliver(compose(email, "Your one-time password", body, message_key=ctx["job_id"]))


async def run_email_fetch(
    ctx: Context,
    user_id: int,
    provider: str = MailboxProvider.name,
    limit: int = 20,
    account_id: int | None = None,
) -> Any:
    """Fetch messages from a connected account: see `EmailFetchJob`."""
    async with AsyncSessionLocal() as db:
        runner = JobRunner(db)
        payload = {"user_id": user_id, "provider": provider, "limit": limit, "account_id": account_id}
        return await runner.run_job(
            EmailFetchJob, "EMAIL_FETCH", payload, triggered_by="system", user_id=user_id
        )


async def run_email_extraction(ctx: Context, batch_size: int = DEFAULT_BATCH_SIZE) -> Any:
    """Read the e-mails that wait for it: see `EmailExtractionJob`."""
    async with AsyncSessionLocal() as db:
        runner = JobRunner(db)
        payload = {"batch_size": batch_size}
        return await runner.run_job(EmailExtractionJob, "EMAIL_EXTRACTION", payload, triggered_by="system")
