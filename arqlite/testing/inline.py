"""Jobs that run where they are enqueued, and what their callers are given."""

from __future__ import annotations

import asyncio
from typing import Any

from ..client import ArqRedis
from ..engine import NewJob, Noted, Peek
from ..engine import Returned as GivenBack
from ..enqueuing import QueueClient
from ..errors import JobControl, ResultNotFound
from ..jobs import Job
from ..model.calls import Call
from ..model.codec import Codec, state_of_finished
from ..model.memory import decode
from ..model.outcomes import Raised
from ..model.records import JobResult
from ..model.states import JobState
from ..typing import ResultT
from ..utils import timestamp_ms
from .bench import Bench, Seen, options_for
from .performing import WORKER, result_of

_FOR_EVER = b"R9999999999999"


class InlineJob(Job[ResultT]):
    """A job that ran when it was enqueued: it answers as any `Job`, from memory.

    What it told of its progress and logged is not kept.

    Attributes:
        state: what became of it: completed, discarded or cancelled; scheduled when it asked to run later;
            retryable when it wants another try. Nobody gives it that.
    """

    __slots__ = ("_at", "state")

    def __init__(self, job_id: str, redis: Any, queue: str, at: Peek, state: JobState) -> None:
        super().__init__(job_id, redis, queue)
        self._at = at
        self.state = state

    async def abort(self, *, timeout: float | None = None, poll_delay: float = 0.5) -> bool:
        """Tell whether the job ended as cancelled; one that would run again ends so now."""
        if self._at.home in ("ready", "scheduled"):
            self._at = Peek("finished", _FOR_EVER + self._cancelled_body(), -1, "")
            self.state = JobState.CANCELLED
            return True
        ended = await self.result_info()
        return ended is not None and isinstance(ended.result, asyncio.CancelledError)

    async def delete(self) -> bool:
        """Forget the job; True if it had ended."""
        was_kept = self._at.home == "finished"
        if was_kept:
            self._at = Peek("absent", b"", -1, "")
        return was_kept

    async def _peek(self) -> Peek:
        return self._at

    async def _ended(self, timeout: float | None, poll_delay: float) -> JobResult:
        if self._at.home in ("ready", "scheduled"):
            raise ResultNotFound(
                f"job {self.job_id} is {self.state}: inline mode runs no job again, so it has no result"
            )
        return await super()._ended(timeout, poll_delay)

    def _queue(self) -> Any:
        return _NoNotes()


class _NoNotes:
    """What is asked about a job's notes where none are kept."""

    async def noted(self, job_id: str, last: int) -> Noted | None:
        """Tell that it noted nothing."""


async def run_inline(
    client: QueueClient, call: Call[Any], new_job: NewJob, queue: str, functions: Any, ctx: dict[Any, Any]
) -> InlineJob[Any]:
    """Run a job instead of enqueuing it, whenever it is due.

    Raises:
        Exception: what the job raised, unless it raised it to decide its own fate.
    """
    options = options_for(call.function, call.target, queue, functions)
    ctx = dict(ctx)
    if isinstance(client, ArqRedis):
        ctx.setdefault("redis", client)
    bench = Bench(options, ctx, Codec(client.job_serializer, client.job_deserializer))
    try:
        admitted = bench.read(new_job.job_id, new_job.record, None, timestamp_ms(), WORKER)
        assert not isinstance(admitted, GivenBack)  # noqa: S101 (its function is in the table)
        seen = await bench.run(admitted)
        batch = bench.acker.take()
    finally:
        await bench.close()
    if not _decides_its_fate(seen):
        result_of(seen)
    job = _ended_job if batch.ended else _waiting_job
    made: InlineJob[Any] = job(new_job, client, queue, batch)
    made._signature = call.signature
    return made


def _decides_its_fate(seen: Seen) -> bool:
    raised = seen.outcome
    return seen.error is None and isinstance(raised, Raised) and isinstance(raised.error, JobControl)


def _ended_job(new_job: NewJob, client: Any, queue: str, batch: Any) -> InlineJob[Any]:
    [(keep_ms, ended)] = batch.ended.items()
    [body] = ended.bodies
    state = state_of_finished(body[:1])
    at = Peek("finished", _FOR_EVER + body, -1, "") if keep_ms else Peek("absent", b"", -1, "")
    return InlineJob(new_job.job_id, client, queue, at, state)


def _waiting_job(new_job: NewJob, client: Any, queue: str, batch: Any) -> InlineJob[Any]:
    [returned] = batch.returned
    is_scheduled = returned.place == "scheduled"
    ms = returned.ms + timestamp_ms() if is_scheduled else returned.ms
    memory = decode(returned.memory)
    at = Peek("scheduled" if is_scheduled else "ready", new_job.record, ms, returned.memory)
    state = JobState.RETRYABLE if memory.tries else JobState.SCHEDULED
    return InlineJob(new_job.job_id, client, queue, at, state)
