"""Jobs as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app.models import Job
from arqlite.ledger import AttemptRow, Cause, LedgerStatus


class JobAccepted(BaseModel):
    """A job was taken; where to ask for it."""

    job_id: str
    status: LedgerStatus = LedgerStatus.QUEUED
    status_url: str


class JobSummary(BaseModel):
    """A job in a list."""

    id: str
    job_type: str
    function: str
    queue: str
    status: LedgerStatus
    state: str = Field(description="the same in the queue's words")
    cause: Cause | None = Field(description="why it is FAILED or CANCELLED, or why it waits again")
    tags: list[str] | None
    triggered_by: str
    user_id: int | None
    parent: str | None = Field(description="the job that asked for it")
    attempt: int
    max_attempts: int | None
    crashes: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None = Field(description="how long the work took")

    @classmethod
    def of(cls, job: Job) -> Self:
        """A row, as the API shows it."""
        duration = None if job.duration is None else round(job.duration.total_seconds() * 1000)
        values = {name: getattr(job, name) for name in cls.model_fields if hasattr(job, name)}
        return cls(duration_ms=duration, **values)


class Attempt(BaseModel):
    """One start of a job."""

    model_config = ConfigDict(from_attributes=True)

    attempt: int
    worker: str | None
    state: str = Field(description="what became of the job by it; `executing` while it runs")
    cause: Cause | None = Field(description="why it did not end well")
    started_at: datetime | None
    finished_at: datetime | None
    error: Any


class JobDetail(JobSummary):
    """A job with everything the ledger knows of it."""

    model_config = ConfigDict(extra="forbid")  # or mypy's plugin takes the field `kwargs` for its own

    worker: str | None
    queued_at: datetime
    scheduled_at: datetime | None
    updated_at: datetime
    args: Any
    kwargs: Any
    meta: Any
    input_payload: Any
    output_payload: Any
    error_payload: Any
    attempts: list[Attempt] = Field(default_factory=list, description="the first one first")

    @classmethod
    def with_attempts(cls, job: Job, attempts: Iterable[AttemptRow]) -> Self:
        """A row and its attempts, as the API shows them."""
        shown = cls.of(job)
        shown.attempts = [Attempt.model_validate(attempt) for attempt in attempts]
        return shown


class JobPage(BaseModel):
    """One page of jobs, newest first; hand `next` back as `cursor` for the page after it."""

    items: list[JobSummary]
    next: str | None
