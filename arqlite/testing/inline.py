"""Jobs that run where they are enqueued, and what their callers are given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ..client import ArqRedis
from ..engine import NewJob, Noted, Peek
from ..engine import Returned as GivenBack
from ..errors import ConfigurationError, JobControl, ResultNotFound
from ..jobs import Job
from ..model.calls import Call
from ..model.codec import Codec, state_of_finished
from ..model.memory import decode
from ..model.notes import Progress
from ..model.outcomes import Raised
from ..model.records import JobResult
from ..model.states import JobState
from ..offering import QueueClient
from ..runtime.acker import Batch
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

    __slots__ = ("_at", "_failures", "state")

    def __init__(
        self, job_id: str, redis: Any, queue: str, at: Peek, state: JobState, failures: Sequence[bytes]
    ) -> None:
        super().__init__(job_id, redis, queue)
        self._at = at
        self._failures = failures
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

    async def follow_progress(self, *, poll_delay: float = 0.5) -> AsyncIterator[Progress]:
        """Tell nothing: the job has run."""
        return
        yield  # an asynchronous generator all the same

    async def _peek(self) -> Peek:
        return self._at

    async def _ended(self, timeout: float | None, poll_delay: float) -> JobResult:
        if self._at.home in ("ready", "scheduled"):
            raise ResultNotFound(
                f"job {self.job_id} is {self.state}: inline mode runs no job again, so it has no result"
            )
        return await super()._ended(timeout, poll_delay)

    def _queue(self) -> Any:
        return _Kept(self._failures)


class _Kept:
    """What is asked of a queue about a job that is in none."""

    def __init__(self, failures: Sequence[bytes]) -> None:
        self._failures = failures

    async def errors_of(self, job_ids: Sequence[str]) -> list[list[bytes]]:
        """Tell what its failed attempts left."""
        return [list(self._failures) for _ in job_ids]

    async def noted(self, job_id: str, last: int) -> Noted | None:
        """Tell that it noted nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise ConfigurationError(
            f"a job that ran inline is in no queue, so {name!r} has nothing to work on there; "
            "store jobs with testing_mode('manual') and run them with drain_queue"
        )


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
    at, state = _end_of(batch) if batch.ended else _wait_of(batch, new_job)
    failures = [failure.record for failure in batch.failures.values()]
    job: InlineJob[Any] = InlineJob(new_job.job_id, client, queue, at, state, failures)
    job._signature = call.signature
    return job


def _decides_its_fate(seen: Seen) -> bool:
    raised = seen.outcome
    return seen.error is None and isinstance(raised, Raised) and isinstance(raised.error, JobControl)


def _end_of(batch: Batch) -> tuple[Peek, JobState]:
    [(keep_ms, ended)] = batch.ended.items()
    [body] = ended.bodies
    at = Peek("finished", _FOR_EVER + body, -1, "") if keep_ms else Peek("absent", b"", -1, "")
    return at, state_of_finished(body[:1])


def _wait_of(batch: Batch, new_job: NewJob) -> tuple[Peek, JobState]:
    [returned] = batch.returned
    is_scheduled = returned.place == "scheduled"
    ms = returned.ms + timestamp_ms() if is_scheduled else returned.ms
    at = Peek("scheduled" if is_scheduled else "ready", new_job.record, ms, returned.memory)
    return at, JobState.RETRYABLE if decode(returned.memory).is_retryable else JobState.SCHEDULED
