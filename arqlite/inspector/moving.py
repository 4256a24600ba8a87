"""Cancel, retry and delete jobs, one by one or all that conditions hold for."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from typing_extensions import Unpack

from ..engine import RedisEngine
from ..engine.management import Revival, Stop
from ..errors import ConfigurationError, DeserializationError
from ..jobs import CANCELLED_KEEP_MS, cancelled_body
from ..model import checks
from ..model.byhand import Handled
from ..model.codec import blob_behind_end, queued_record
from ..model.filters import JobConditions, JobFilter
from ..model.memory import Memory, counted, decode
from ..model.states import FINAL_STATES, INCOMPLETE_STATES, Cause, JobState, letters_of
from ..telemetry import JobsManaged, JobStopped, execute, has_handlers
from ..telemetry.jobevents import ManagedAs
from ..utils import timestamp_ms
from .finding import Finding
from .found import Found

# From which a job may be made available by hand, and in which it may be deleted.
RETRIED_FROM = FINAL_STATES | {JobState.SCHEDULED, JobState.RETRYABLE, JobState.SUSPENDED}
DELETED_IN = frozenset(JobState) - {JobState.EXECUTING}
# A job that changes while it is to be moved is read again, so often.
TRIALS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of a cancellation.

    Attributes:
        at_once: how many jobs are over by it: they waited, or ran in a worker that is dead.
        asked: those that run, and whose workers were asked to end them: their ids, each with the function and
            the session that ran it when it was looked at; that is empty where it began just now.
    """

    at_once: int
    asked: Mapping[str, tuple[str, str]]


class Moving(Finding):
    """What is done to jobs without changing what they are.

    Each job is moved by itself, in one step, and only if it is still in a state that was meant; told is how
    many were. An id that nobody knows is none of them, and no error.
    """

    async def cancel_job(self, job_id: str, queue: str | None = None) -> bool:
        """Cancel a job that has not ended: at once where it waits; where it runs, its worker is asked to.

        A worker ends running tasks, and others only with `allow_abort_jobs`: without it they run on.

        Args:
            job_id: its id.
            queue: its queue; the pool's default.

        Returns:
            Whether it is cancelled, or its worker was asked. False for one that had ended or is unknown.
        """
        told = await self._cancel_meant(self._engine(queue), _one(job_id))
        return bool(told.at_once or told.asked)

    async def cancel_jobs(self, queue: str | None = None, **conditions: Unpack[JobConditions]) -> int:
        """Cancel all jobs that the conditions hold for and that have not ended; see `cancel_job`.

        Args:
            queue: the queue; that of the functions meant, else the pool's default.
            conditions: which jobs, see `JobConditions`; `state="all"` are all.

        Returns:
            How many are cancelled, or run and their workers were asked to end them.

        Raises:
            ConfigurationError: there is no condition, or one that cannot be meant.
        """
        told = await self.cancel_jobs_apart(queue, **conditions)
        return told.at_once + len(told.asked)

    async def cancel_jobs_apart(
        self, queue: str | None = None, **conditions: Unpack[JobConditions]
    ) -> Cancelled:
        """Do what `cancel_jobs` does, and tell the jobs that are over apart from those that run still."""
        wanted = _meant(conditions)
        return await self._cancel_meant(self._engine_meant(queue, wanted), wanted)

    async def retry_job(self, job_id: str, queue: str | None = None) -> bool:
        """Make a job available now that ended, or that waits for its time or for other jobs.

        It keeps its arguments, its attempts and their errors; where these are used up, it gets one more.

        Args:
            job_id: its id.
            queue: its queue; the pool's default.

        Returns:
            Whether it is available by this. False for one that was or that runs, and for an unknown one.
        """
        return await self._retry_meant(self._engine(queue), _one(job_id)) == 1

    async def retry_jobs(self, queue: str | None = None, **conditions: Unpack[JobConditions]) -> int:
        """Make all jobs available that the conditions hold for, see `retry_job` and `cancel_jobs`."""
        wanted = _meant(conditions)
        return await self._retry_meant(self._engine_meant(queue, wanted), wanted)

    async def delete_job(self, job_id: str, queue: str | None = None) -> bool:
        """Delete a job with its result, its notes and its errors, unless a worker runs it.

        Args:
            job_id: its id.
            queue: its queue; the pool's default.

        Returns:
            Whether it is deleted. False for one that runs, and for an unknown one.
        """
        return await self._delete_meant(self._engine(queue), _one(job_id)) == 1

    async def delete_jobs(self, queue: str | None = None, **conditions: Unpack[JobConditions]) -> int:
        """Delete all jobs that the conditions hold for and that nobody runs, see `cancel_jobs`."""
        wanted = _meant(conditions)
        return await self._delete_meant(self._engine_meant(queue, wanted), wanted)

    async def _cancel_meant(self, engine: RedisEngine, wanted: JobFilter) -> Cancelled:
        at_once, asked = 0, dict[str, tuple[str, str]]()
        async for page, states in self._movable(engine, wanted, INCOMPLETE_STATES):
            stops = [Stop(found.job_id, self._cancelled(engine, found)) for found in page]
            answers = await engine.cancel_many(stops, CANCELLED_KEEP_MS, states)
            self._report(engine, "cancel", _whose(page, answers, ("cancelled", "asked")))
            for found, answer in zip(page, answers, strict=True):
                if answer == "cancelled":
                    at_once += 1
                    await self._report_cancelled(engine, found)
                elif answer == "asked":  # and it may be met again before it has ended
                    session = found.standing.session if found.standing is not None else ""
                    asked[found.job_id] = (found.function, session)
        return Cancelled(at_once, asked)

    async def _retry_meant(self, engine: RedisEngine, wanted: JobFilter) -> int:
        moved = 0
        async for page, _ in self._movable(engine, wanted, RETRIED_FROM):
            moved += await self._retry(engine, wanted, page)
        return moved

    async def _retry(self, engine: RedisEngine, wanted: JobFilter, jobs: list[Found]) -> int:
        """Make these jobs available. Those that changed since they were read are read again, and left alone
        if they have ended since: somebody else has retried them, or this did and its first reply was lost.
        """
        moved, meant = 0, {found.job_id: self._life_of(found) for found in jobs}
        for _ in range(TRIALS):
            revivals = {found.job_id: self._revival(found) for found in jobs}
            answers = await engine.revive_many(list(revivals.values()))
            revived = _whose(jobs, answers)
            handled = [self._handled(found, revivals[found.job_id]) for found in revived]
            self._report(engine, "retry", revived, handled)
            moved += answers.count("done")
            changed = [
                found.job_id for found, answer in zip(jobs, answers, strict=True) if answer == "changed"
            ]
            again = dataclasses.replace(wanted, ids=tuple(changed))
            jobs = [
                one
                async for page, _ in self._movable(engine, again, RETRIED_FROM)
                for one in page
                if self._life_of(one) == meant[one.job_id]
            ]
            if not jobs:
                break
        return moved

    async def _delete_meant(self, engine: RedisEngine, wanted: JobFilter) -> int:
        moved = 0
        async for page, states in self._movable(engine, wanted, DELETED_IN):
            answers = await engine.drop_many([found.job_id for found in page], states)
            deleted = _whose(page, answers)
            waited = [found for found in deleted if not found.state.is_final]
            self._report(engine, "delete", deleted, [_deleted(found) for found in waited])
            moved += answers.count("done")
        return moved

    async def _movable(
        self, engine: RedisEngine, wanted: JobFilter, movable: frozenset[JobState]
    ) -> AsyncIterator[tuple[list[Found], str]]:
        """Find the jobs meant that are in a state to be moved from, each page with the letters of those."""
        states = movable if wanted.states is None else wanted.states & movable
        if not states or wanted.ids == ():
            return
        async for page in self._pages(engine, dataclasses.replace(wanted, states=states)):
            yield page, letters_of(states)

    def _report(
        self,
        engine: RedisEngine,
        action: ManagedAs,
        jobs: Sequence[Found],
        handled: Sequence[Handled] = (),
    ) -> None:
        """Tell what was done to jobs, and the ledger of those whose rows are to follow."""
        has_ledger = self.pool.ledger is not None
        if not jobs or not (has_ledger or has_handlers(JobsManaged)):
            return
        event = JobsManaged(engine.queue, action, tuple(found.job_id for found in jobs), self.by)
        if has_ledger:
            self.pool.outbox.tell_by_hand(event, handled)
        execute(event)

    async def _report_cancelled(self, engine: RedisEngine, found: Found) -> None:
        """Tell that a job was cancelled while it waited."""
        has_ledger = self.pool.ledger is not None
        if not (has_ledger or has_handlers(JobStopped)):
            return
        job = found.envelope or {}
        event = JobStopped(
            engine.queue, found.job_id, found.function, found.attempt, "", "cancelled", 0, None,
            asyncio.CancelledError(), timestamp_ms(), found.enqueue_ms, job.get("ma") or job.get("tm"),
            tuple(job.get("g") or ()), job.get("m") or {}, job.get("p") or 0, tuple(job.get("a") or ()),
            job.get("k") or {}, crashes=found.memory.crashes, record=found.record, cause=Cause.CANCELLED,
        )  # fmt: skip
        if has_ledger:
            await self.pool.outbox.tell_end(event)
        execute(event)

    def _handled(self, found: Found, revival: Revival) -> Handled:
        """Tell the ledger of a job that waits again."""
        past, now_ms = decode(revival.memory), timestamp_ms()
        due_ms = now_ms if revival.due_ms is None else revival.due_ms
        state = JobState.SCHEDULED if due_ms > now_ms else JobState.AVAILABLE
        attempt = found.first_try - 1 + past.tries + past.crashes
        return Handled(
            found.job_id, found.enqueue_ms, state, attempt, due_ms, revival.memory, found.envelope,
            revival.record,
        )  # fmt: skip

    def _revival(
        self, found: Found, due_ms: int | None = None, written: dict[str, Any] | None = None
    ) -> Revival:
        """Make a job one that is due.

        Args:
            found: the job, which ended or waits.
            due_ms: when it is due, in ms since 1970; None is now.
            written: what is written in it from now on; None is what was.
        """
        now_ms = timestamp_ms()
        if written is None and found.envelope is not None and 0 < (found.envelope.get("x") or 0) <= now_ms:
            # It would only be refused again.
            written = {name: value for name, value in found.envelope.items() if name != "x"}
        is_over = found.state.is_final
        attempt, past = self._past_of(found, now_ms) if is_over else (found.attempt, found.memory)
        memory = past._replace(
            due_ms=now_ms if due_ms is None else due_ms,
            unknown_since_ms=0,
            granted=max(past.granted, attempt + 1),
            is_retryable=0,
        )
        remembered = found.standing.memory if found.standing is not None and not is_over else ""
        return Revival(
            found.job_id, found.record, remembered, self._live_record(found, written), memory.encode(), due_ms
        )

    def _live_record(self, found: Found, written: dict[str, Any] | None) -> bytes:
        """Write a job that runs again; what is `written` in it is as it was if None."""
        priority = (written or found.envelope or {}).get("p") or 0
        if written is not None:
            return queued_record(priority, self._blob(written))
        return (
            queued_record(priority, blob_behind_end(found.record)) if found.state.is_final else found.record
        )

    def _blob(self, written: Mapping[str, Any]) -> bytes:
        """Write a job anew that was enqueued before."""
        extras = {name: value for name, value in written.items() if name not in ("f", "a", "k", "t", "et")}
        args, kwargs = tuple(written.get("a") or ()), dict(written.get("k") or {})
        return self._codec.encode_job(written["f"], args, kwargs, written.get("t"), written["et"], **extras)

    def _life_of(self, found: Found) -> tuple[int, bytes]:
        """Tell what is the same of a job while it waits, or since it ended, whatever is changed of it."""
        if not found.state.is_final:
            return found.enqueue_ms, b""
        return found.enqueue_ms, found.record[: -len(blob_behind_end(found.record)) or None]

    def _past_of(self, found: Found, now_ms: int) -> tuple[int, Memory]:
        """Tell how many attempts a job had that ended, and what to remember of them if it runs again."""
        finish_ms = 0
        try:
            ended, _ = self._codec.decode_end(found.record)
            finish_ms = ended["ft"]
            attempt, crashes, snoozes, _ = counted(ended)
        except DeserializationError:
            attempt = crashes = snoozes = 0
        tries = max(attempt - found.first_try + 1, 0)
        # It is revived after it ended, whatever the clocks say.
        revived_ms = max(now_ms, finish_ms)
        memory = Memory(tries, crashes, snoozes=snoozes, pardoned=crashes, revived_ms=revived_ms)
        return attempt, memory

    def _cancelled(self, engine: RedisEngine, found: Found) -> bytes:
        return cancelled_body(self._codec, engine.queue, found.job_id, found.attempt, found.memory)


def _one(job_id: str) -> JobFilter:
    return JobFilter(ids=(checks.job_id(job_id),))


def _meant(conditions: Any) -> JobFilter:
    wanted = JobFilter.of(**conditions)
    if wanted.is_empty:
        raise ConfigurationError(
            'say which jobs are meant, as with function="send_mail"; state="all" means all of the queue'
        )
    return wanted


def _whose(jobs: Sequence[Found], answers: Sequence[str], wanted: Sequence[str] = ("done",)) -> list[Found]:
    """The jobs that were answered so."""
    return [found for found, answer in zip(jobs, answers, strict=True) if answer in wanted]


def _deleted(found: Found) -> Handled:
    """Tell the ledger of a job that was deleted while it waited."""
    attempt = found.first_try - 1 + found.memory.tries + found.memory.crashes
    return Handled(found.job_id, found.enqueue_ms, JobState.CANCELLED, attempt)
