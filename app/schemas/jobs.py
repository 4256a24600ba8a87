"""Jobs as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from app.models import Job
from arqlite.ledger import LedgerStatus


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
    queue: str | None
    status: LedgerStatus
    triggered_by: str
    user_id: int | None
    attempt: int
    crashes: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None = Field(description="how long the work took")

    @classmethod
    def of(cls, job: Job) -> Self:
        """A row, as the API shows it."""
        duration = None if job.duration is None else round(job.duration.total_seconds() * 1000)
        values = {name: getattr(job, name) for name in cls.model_fields if name != "duration_ms"}
        return cls(duration_ms=duration, **values)


class JobDetail(JobSummary):
    """A job with everything the ledger knows of it."""

    worker: str | None
    queued_at: datetime
    updated_at: datetime
    input_payload: Any
    output_payload: Any
    error_payload: Any


class JobPage(BaseModel):
    """One page of jobs, newest first; hand `next` back as `cursor` for the page after it."""

    items: list[JobSummary]
    next: str | None
