"""`BaseJob`: the work of one job, with hooks around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypeVar

from .rows import JobRowMixin
from .tables import JobRow

RowT = TypeVar("RowT", bound=JobRowMixin, default=JobRow)


class BaseJob(ABC, Generic[RowT]):
    """Subclass it, write `run`, and hand the class to `JobRunner.run_job`.

    Attributes:
        db: the session of this run. Commit as often as you like; what is left uncommitted when `run`
            ends is committed together with its output, and rolled back when it fails.
        input_payload: what the job was asked to do.
        job_record: the job's row in the ledger, fresh before each hook.
    """

    def __init__(self, db: AsyncSession, input_payload: Mapping[str, Any] | None) -> None:
        self.db = db
        self.input_payload: dict[str, Any] = dict(input_payload or {})
        self.job_record: RowT | None = None
        self._last_read: Mapping[str, Any] = {}

    @abstractmethod
    async def run(self) -> Any:
        """Do the work; what it returns, as JSON, is the row's `output_payload`."""

    async def before_run(self, job: RowT) -> None:
        """Called once the row is RUNNING, before the work and its clock start."""

    async def after_run(self, result: Any) -> None:
        """Called with what `run` returned, before the row has it; raising fails the job."""

    async def on_failure(self, error: Exception) -> None:
        """Called with the error, after the session was rolled back and before the row tells of it.

        It will say FAILED, or QUEUED where the job will run again: ask `current_job().runs_again(error)`.
        Not called for a job that asked to run again, was cancelled, or goes back to the queue.
        """
