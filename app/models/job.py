"""The ledger's table."""

from __future__ import annotations

from app.models.base import Base
from arqlite.ledger import JobRowMixin


class Job(JobRowMixin, Base):
    """A job, from QUEUED to its end."""

    __tablename__ = "jobs"
