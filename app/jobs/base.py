"""The library's job machine, under the application's name."""

from __future__ import annotations

from app.models import Job
from arqlite import ledger


class BaseJob(ledger.BaseJob[Job]):
    """The base of the application's jobs."""


class JobRunner(ledger.JobRunner[Job]):
    """Runs a `BaseJob` with its row: `await JobRunner(db).run_job(EmailFetchJob, "EMAIL_FETCH", payload)`."""
