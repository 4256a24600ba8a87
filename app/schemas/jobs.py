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


class Ended(BaseModel):
    """Runs that ended within a time, added up."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime | None = Field(description="when the time began; null if the whole time was asked for")
    queue: str | None
    function: str | None
    total: int
    counts: dict[str, int] = Field(description="how many ended in each state")
    run_ms: float = Field(description="how long they ran, on average")
    wait_ms: float = Field(description="how long they had waited, on average")
    longest_run_ms: int
    longest_wait_ms: int


class JobStats(BaseModel):
    """What is going on, and what went on."""

    model_config = ConfigDict(from_attributes=True)

    since: datetime
    until: datetime
    open: dict[str, int] = Field(description="how many jobs are in each state that has not ended")
    open_is_exact: bool = Field(description="whether that were all; otherwise counting stopped")
    oldest_waiting: datetime | None = Field(description="since when the first in line waits")
    ended: list[Ended]


class JobPage(BaseModel):
    """One page of jobs, newest first; hand `next` back as `cursor` for the page after it.

    A page may be short although more are to come; the last one is that without a `next`.
    """

    items: list[JobSummary]
    next: str | None
