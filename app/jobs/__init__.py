"""The jobs that keep their own row in the ledger."""

from app.jobs.base import BaseJob, JobRunner
from app.jobs.email_extraction import EmailExtractionJob
from app.jobs.email_fetch import EmailFetchJob

__all__ = ["BaseJob", "EmailExtractionJob", "EmailFetchJob", "JobRunner"]
