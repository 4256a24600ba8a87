"""Jobs: trigger, list, count, look at, cancel, try again."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, status
from pydantic import AwareDatetime

from app.api.acceptance import Accepted
from app.api.dependencies import MAX_ID, Database, PageSize, RowId
from app.jobs.email_extraction import DEFAULT_BATCH_SIZE
from app.models import Job
from app.schemas.jobs import JobAccepted, JobDetail, JobPage, JobStats, JobSummary
from app.services import job_service
from app.services.account_service import find_account, find_user
from app.services.providers import MailboxProvider, ProviderFactory, UnknownProvider
from app.services.task_service import TaskService
from arqlite import JobState
from arqlite.ledger import LedgerStatus

router = APIRouter(prefix="/jobs", tags=["jobs"])

MAX_FETCH = 100_000
MAX_BATCH = 1_000


@router.post("/trigger/fetch", status_code=status.HTTP_202_ACCEPTED)
async def trigger_fetch(
    accepted: Accepted,
    db: Database,
    provider: str = MailboxProvider.name,
    limit: Annotated[int, Query(ge=1, le=MAX_FETCH, description="at most this many messages")] = 20,
    user_id: RowId = 1,
    account_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
) -> JobAccepted:
    """Fetch messages from a connected account; 404 if there is no such account."""
    _must_be_known(provider)
    account = await find_account(db, user_id, provider, account_id)
    return await accepted.of(
        TaskService.enqueue_email_fetch(user_id, provider, limit, account.id, session=db)
    )


@router.post("/trigger/extract", status_code=status.HTTP_202_ACCEPTED)
async def trigger_extract(
    accepted: Accepted,
    db: Database,
    batch_size: Annotated[int, Query(ge=1, le=MAX_BATCH)] = DEFAULT_BATCH_SIZE,
) -> JobAccepted:
    """Read every e-mail that waits for it, `batch_size` at a time."""
    return await accepted.of(TaskService.enqueue_email_extraction(batch_size, session=db))


@router.post("/trigger/sample", status_code=status.HTTP_202_ACCEPTED)
async def trigger_sample(accepted: Accepted, db: Database) -> JobAccepted:
    """Run the base queue's sample task."""
    return await accepted.of(TaskService.enqueue_sample_task(session=db))


@router.post("/trigger/email", status_code=status.HTTP_202_ACCEPTED)
async def trigger_email(accepted: Accepted, db: Database, user_id: RowId = 1) -> JobAccepted:
    """Send mail to a user; 404 if there is none."""
    await find_user(db, user_id)
    return await accepted.of(TaskService.enqueue_send_email(user_id, session=db))


@router.get("")
async def list_jobs(
    status: LedgerStatus | None = None,
    state: JobState | None = None,
    job_type: str | None = None,
    function: str | None = None,
    queue: str | None = None,
    tag: Annotated[list[str] | None, Query(description="only jobs with all of these tags")] = None,
    user_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    triggered_by: str | None = None,
    limit: PageSize = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> JobPage:
    """Jobs, newest first; what is asked for together must hold together."""
    wanted = job_service.conditions(
        status=status,
        state=state,
        job_type=job_type,
        function=function,
        queue=queue,
        tags=tag,
        user_id=user_id,
        triggered_by=triggered_by,
    )
    page = await job_service.list_jobs(wanted, after=cursor, limit=limit)
    return JobPage(items=[JobSummary.of(row) for row in page.items], next=page.next)


@router.get("/stats")
async def job_stats(
    since: Annotated[AwareDatetime | None, Query(description="by default a day ago")] = None,
    until: Annotated[AwareDatetime | None, Query(description="by default now")] = None,
    per: Annotated[Literal["minute", "hour", "day"] | None, Query(description="for a chart")] = None,
    by: Annotated[list[Literal["queue", "function"]] | None, Query(description="tell these apart")] = None,
    queue: str | None = None,
    function: str | None = None,
) -> JobStats:
    """What is open now, and what ended within a time: counted by the minute, however many jobs there were."""
    stats = await job_service.stats(
        since=since, until=until, per=per, by=by or (), queue=queue, function=function
    )
    return JobStats.model_validate(stats)


@router.get("/{job_id}", name="job_detail")
async def get_job(job_id: str, db: Database) -> JobDetail:
    """One job, with its input, output, errors and attempts."""
    return await _detail(await job_service.find(db, job_id))


@router.post("/{job_id}/cancel")
async def cancel_job(job_id: str, db: Database) -> JobDetail:
    """Cancel a job that waits or runs; 409 if it has ended, or ends before it hears of this."""
    return await _detail(await job_service.cancel(db, job_id))


@router.post("/{job_id}/retry", status_code=status.HTTP_202_ACCEPTED)
async def retry_job(job_id: str, accepted: Accepted, db: Database) -> JobAccepted:
    """Run a FAILED or CANCELLED job again, as a new job; 409 if it is in another state."""
    return await accepted.of(job_service.retry(db, job_id))


async def _detail(job: Job) -> JobDetail:
    return JobDetail.with_attempts(job, await job_service.attempts(job))


def _must_be_known(provider: str) -> None:
    if provider not in ProviderFactory.known():
        raise HTTPException(
            status.HTTP_422_UNPROCESSABLE_CONTENT, str(UnknownProvider(provider, ProviderFactory.known()))
        )
