"""Change what a job is, where nobody changes it at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..engine import RedisEngine
from ..errors import DeserializationError, JobBusy, JobNotFound
from ..model.byhand import Handled
from ..model.codec import queued_record, with_blob
from ..model.records import JobView
from ..model.states import INCOMPLETE_STATES, JobState, letters_of
from ..model.updates import changed, checked_changes
from .found import Found, view_of
from .moving import TRIALS, Moving

Changes: TypeAlias = Mapping[str, Any] | Callable[[JobView], Mapping[str, Any]]
"""What to change, or a function of the job that tells it."""

_CHANGED_IN = letters_of(INCOMPLETE_STATES - {JobState.EXECUTING})


class Changing(Moving):
    """What changes jobs."""

    async def update_job(self, job_id: str, changes: Changes, queue: str | None = None) -> JobView:
        """Change a job that nobody runs.

        A job that ended may be changed, too, before it is retried. `scheduled_at` makes a job scheduled,
        whatever it was; one of the past makes it available. A unique job keeps the lock of the arguments
        it was enqueued with.

        Args:
            job_id: its id.
            changes: a dict with some of `args`, `kwargs`, `max_attempts`, `meta`, `priority`, `scheduled_at`
                (a datetime) and `tags`, or a function that is given the job and returns one. It may be
                called more than once.
            queue: its queue; the pool's default.

        Returns:
            The job as it is now.

        Raises:
            JobNotFound: there is no such job.
            JobBusy: a worker runs it, it waits for results of other steps that will be written into it, or it
                changed each time that it was to be changed.
            ConfigurationError: the changes are no dict, or name or hold what cannot be.
            SerializationError: they cannot be written.
        """
        engine = self._engine(queue)
        settled = {} if callable(changes) else checked_changes(changes)
        for _ in range(TRIALS):
            found = await self._look(engine, job_id)
            if found is None:
                raise JobNotFound(job_id)
            if found.state is JobState.EXECUTING:
                raise JobBusy(job_id, "a worker runs it")
            if found.envelope is None:
                raise DeserializationError(f"job {job_id!r} cannot be read")
            if callable(changes):
                settled = checked_changes(changes(view_of(found, engine.queue, self._codec)))
            if await self._change(engine, found, found.envelope, settled):
                self._report(engine, "update", [found], [self._changed(found, found.envelope, settled)])
                updated = await self.job(job_id, queue)
                if updated is None:
                    raise JobNotFound(job_id)
                return updated
        raise JobBusy(job_id, f"it changed {TRIALS} times while it was to be changed")

    async def _change(
        self, engine: RedisEngine, found: Found, envelope: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> bool:
        """Write the changes; False where the job is not as it was read."""
        written = changed(envelope, changes)
        due_ms = changes.get("scheduled_at")
        blob = self._blob(written)
        record = queued_record(written.get("p") or 0, blob)
        if not found.state.is_final:
            when = None if due_ms is None else f"={due_ms}"
            answer = await engine.rewrite(found.job_id, found.record, record, _CHANGED_IN, when)
            if answer == "waits":
                raise JobBusy(
                    found.job_id, "it waits for results of other steps that will be written into it"
                )
            return answer == "done"
        if due_ms is None:
            amended = with_blob(found.record, blob)
            return await engine.amend(found.job_id, found.record, amended, record) == "done"
        return await engine.revive_many([self._revival(found, due_ms, written)]) == ["done"]

    def _changed(self, found: Found, envelope: Mapping[str, Any], changes: Mapping[str, Any]) -> Handled:
        """Tell the ledger of a job that is another one now."""
        written, due_ms = changed(envelope, changes), changes.get("scheduled_at")
        revival = self._revival(found, due_ms, written)
        if revival.remembered:
            # A job that waits for its time instead of another try is given no further attempt.
            past = found.memory._replace(due_ms=found.memory.due_ms if due_ms is None else due_ms)
            revival = revival._replace(memory=past._replace(is_retryable=0).encode())
        elif not found.state.is_final:
            revival = revival._replace(memory="")
        handled = self._handled(found, revival)._replace(envelope=written)
        # Without a time of its own it is where it was.
        return handled if due_ms is not None else handled._replace(state=None, due_ms=None)
