"""A handle on one job: where it is, what it gave, and how to stop it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import warnings
from collections.abc import AsyncIterator
from typing import Any, Generic, cast

from redis.exceptions import RedisError

from .constants import (
    abort_jobs_ss,
    default_queue_name,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
)
from .engine import Noted, Peek, RedisEngine
from .engine.protocol import Home
from .engine.redis import LOG_LIMIT
from .errors import DeserializationError, ResultNotFound, SerializationError
from .model import memory
from .model.arguments import Signature
from .model.attempts import decode_attempts
from .model.codec import Codec, state_of_finished
from .model.envelopes import (
    deserialize_job,
    deserialize_job_raw,
    deserialize_result,
    serialize_job,
    serialize_result,
)
from .model.notes import LogLine, Progress, decode_lines, decode_progress
from .model.records import FailedAttempt, JobDef, JobResult
from .model.states import Cause, JobState, JobStatus
from .telemetry import JobStopped, execute, has_handlers
from .typing import Deserializer, ResultT, Serializer
from .utils import timestamp_ms, to_unix_ms

__all__ = (
    "DeserializationError",
    "Deserializer",
    "FailedAttempt",
    "Job",
    "JobDef",
    "JobResult",
    "JobStatus",
    "LogLine",
    "Progress",
    "ResultNotFound",
    "SerializationError",
    "Serializer",
    "abort_jobs_ss",
    "default_queue_name",
    "deserialize_job",
    "deserialize_job_raw",
    "deserialize_result",
    "in_progress_key_prefix",
    "job_key_prefix",
    "result_key_prefix",
    "serialize_job",
    "serialize_result",
)

logger = logging.getLogger("arqlite.jobs")

# How long the end of a job that was cancelled before it started is kept.
CANCELLED_KEEP_MS = 3_600_000
_ANNOUNCEMENT_PATIENCE_S = 1.0
# How long the first look at a job may take, however little its caller wants to wait.
_LOOK_PATIENCE_S = 1.0
_OVER = ("absent", "finished")
_STATUS = {
    "absent": JobStatus.not_found,
    "finished": JobStatus.complete,
    "ready": JobStatus.queued,
    "held": JobStatus.queued,
    "scheduled": JobStatus.deferred,
    "suspended": JobStatus.deferred,
    "running": JobStatus.in_progress,
}


class Job(Generic[ResultT]):
    """One job, by its id. `Job[bool]` is one that gives a bool.

    Args:
        job_id: its id.
        redis: the client, an `ArqRedis` or any `redis.asyncio.Redis`.
        _queue_name: its queue; the client's default, or arq's.
        _deserializer: how its bytes are read; the client's, or JSON.

    Attributes:
        job_id: its id.
        conflict: True when this job was not enqueued by the call that gave it, since its id is in use.
        queue_name: the name of its queue.
    """

    __slots__ = ("_deserializer", "_engine", "_queue_name", "_redis", "_signature", "conflict", "job_id")

    def __init__(
        self,
        job_id: str,
        redis: Any,
        _queue_name: str | None = None,
        _deserializer: Deserializer | None = None,
    ) -> None:
        self.job_id = job_id
        self._redis = redis
        default = getattr(redis, "default_queue_name", default_queue_name)
        self._queue_name: str = _queue_name or default
        self._deserializer = _deserializer or getattr(redis, "job_deserializer", None)
        self._engine: RedisEngine | None = None
        self._signature: Signature | None = None
        self.conflict = False

    @property
    def queue_name(self) -> str:
        """The name of its queue."""
        return self._queue_name

    @classmethod
    def of_call(
        cls, job_id: str, redis: Any, queue: str, signature: Signature | None, *, conflict: bool = False
    ) -> Job[ResultT]:
        """Make the handle that a call is answered with; `signature` tells what the job gives."""
        job: Job[ResultT] = cls(job_id, redis, queue)
        job._signature, job.conflict = signature, conflict
        return job

    async def result(
        self, timeout: float | None = None, *, poll_delay: float = 0.5, pole_delay: float | None = None
    ) -> ResultT:
        """Wait for the job's end and return what it returned; an exception of the job is raised.

        Args:
            timeout: seconds to wait; None waits for ever.
            poll_delay: seconds between two looks should the announcement of the end be lost.
            pole_delay: the same, misspelt; deprecated.

        Raises:
            ResultNotFound: the job is unknown, or its result is not kept.
            TimeoutError: it has not ended in time.
            SerializationError: its result could not be stored.
            JobExecutionFailed: it failed with an exception whose class is not known here.
        """
        if pole_delay is not None:
            warnings.warn(
                '"pole_delay" is deprecated, use the correct spelling "poll_delay" instead',
                DeprecationWarning,
                stacklevel=2,
            )
            poll_delay = pole_delay
        ended = await self._ended(timeout, poll_delay)
        if ended.success:
            return cast("ResultT", ended.result)
        if isinstance(ended.result, BaseException):
            raise ended.result
        raise SerializationError(str(ended.result))

    async def info(self) -> JobDef | JobResult | None:
        """Tell what is known of the job, ended or not; None when nothing is."""
        peek = await self._peek()
        if peek.home == "absent":
            return None
        return self._decode(peek)

    async def result_info(self) -> JobResult | None:
        """Tell how the job ended; None when it has not, or that is not kept. Never raises the job's error."""
        info = await self.info()
        return info if isinstance(info, JobResult) else None

    async def status(self) -> JobStatus:
        """Tell where the job is."""
        return _STATUS[(await self._peek()).home]

    async def progress(self) -> Progress | None:
        """Tell how far the job said it is, while it runs and as long as its result is kept.

        None when its latest run has told nothing: a run starts anew, and so does its progress.
        """
        noted = await self._queue().noted(self.job_id, last=0)
        info = await self.info() if noted is not None and noted.progress else None
        return None if info is None or noted is None else _progress_of(noted, info)

    async def logs(self) -> list[LogLine]:
        """Read the lines that the job attached to itself, of all its runs, oldest first; the newest 1,000.

        Lines that are not kept are told in a first line. Empty when the job or its lines are not kept.
        """
        noted = await self._queue().noted(self.job_id, last=LOG_LIMIT)
        info = await self.info() if noted is not None and noted.lines else None
        if info is None or noted is None:
            return []
        return decode_lines(noted.lines, noted.lost, noted.enqueue_ms, info)

    async def errors(self) -> list[FailedAttempt]:
        """Read what the job's attempts failed with, oldest first; the newest 100.

        They are there while the job waits or runs, and as long as its end is kept. Empty when none failed, or
        nothing is kept of the job.
        """
        [entries] = await self._queue().errors_of([self.job_id])
        info = await self.info() if entries else None
        return [] if info is None else list(decode_attempts(entries, to_unix_ms(info.enqueue_time)))

    async def follow_progress(self, *, poll_delay: float = 0.5) -> AsyncIterator[Progress]:
        """Tell how far the job is now, then each change of that, until it has ended.

        Changes that come faster than they are read are told as one; the last one is always told.

        Args:
            poll_delay: seconds between two looks where no message tells of a change, as with a client
                that is no `ArqRedis`.
        """
        news = asyncio.Event()
        told = last_known = None
        async with self._announced() as announced, self._noted(news):
            if announced is not None:
                announced.add_done_callback(lambda _: news.set())
            while True:
                news.clear()
                info = await self.info()
                last_known = info or last_known
                noted = await self._queue().noted(self.job_id, last=0) if last_known is not None else None
                # A job whose result is not kept is gone at its end, but not yet what it told last.
                now = None
                if noted is not None and last_known is not None:
                    now = _progress_of(noted, last_known, of_any_run=info is None)
                if now is not None and now != told:
                    told = now
                    yield now
                if info is None or isinstance(info, JobResult):
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(poll_delay):
                        await news.wait()

    async def abort(self, *, timeout: float | None = None, poll_delay: float = 0.5) -> bool:
        """Stop the job: one that waits is taken out at once, a running one is cancelled.

        A running job of a `@task` is cancelled by any worker, one of another function only by a worker with
        `allow_abort_jobs`; from another one this waits for the job's end.

        Args:
            timeout: seconds to wait for a running job; None waits for ever.
            poll_delay: see `result`.

        Returns:
            Whether the job ended as cancelled. False for an unknown job, of which no trace is left.

        Raises:
            TimeoutError: it has not ended in time.
        """
        async with self._announced() as announced:
            answer = await self._queue().cancel(self.job_id, self._cancelled_body(), CANCELLED_KEEP_MS)
            if answer == "unknown" and getattr(self._redis, "ledger", None) is not None:
                if await self._cancel_on_its_way():
                    await self._report_cancelled()
                    return True
                answer = await self._queue().cancel(self.job_id, self._cancelled_body(), CANCELLED_KEEP_MS)
            if answer == "unknown":
                return False
            if answer == "cancelled":
                await self._report_cancelled()
                return True
            if answer == "ended":
                peek = await self._peek()
            else:
                async with asyncio.timeout(timeout):
                    peek = await self._wait_for_end(announced, poll_delay)
            if peek.home == "absent":  # its result is not kept, but the announcement tells how it ended
                return await _announced_state(announced) is JobState.CANCELLED
        ended = self._decode(peek)
        return isinstance(ended, JobResult) and isinstance(ended.result, asyncio.CancelledError)

    async def delete(self) -> bool:
        """Forget a finished job, so that its id is free again; True if something was kept."""
        return await self._queue().forget(self.job_id) == 1

    def __repr__(self) -> str:
        return f"<arq job {self.job_id}>"

    def _queue(self) -> RedisEngine:
        if self._engine is None:
            self._engine = RedisEngine(self._redis, self._queue_name)
        return self._engine

    async def _peek(self) -> Peek:
        peek = await self._look()
        if peek.home == "absent" and getattr(self._redis, "ledger", None) is not None:
            return await self._peek_on_its_way()
        return peek

    async def _look(self) -> Peek:
        if hasattr(self._redis, "looks"):  # an `ArqRedis` looks at many jobs at once
            return cast("Peek", await self._redis.looks(self._queue_name).peek(self.job_id))
        return await self._queue().peek(self.job_id)

    async def _peek_on_its_way(self) -> Peek:
        """Look where a job may be that was committed with a transaction, and is not in Redis yet."""
        outbox = self._redis.outbox
        stored = None
        if not await outbox.pushed(self._queue_name, self.job_id):
            stored = await outbox.find(self._queue_name, self.job_id)
        peek = await self._look()  # it may have come meanwhile
        if peek.home != "absent" or stored is None:
            return peek
        due_ms = -1 if stored.due_ms is None else stored.due_ms
        home: Home = "scheduled" if due_ms > timestamp_ms() else "ready"
        return Peek(home, stored.record, due_ms, "")

    async def _cancel_on_its_way(self) -> bool:
        """Cancel a job that was committed with a transaction, and is not in Redis yet."""
        outbox = self._redis.outbox
        if await outbox.pushed(self._queue_name, self.job_id):
            return False
        return bool(await outbox.cancel(self._queue_name, self.job_id))

    def _decode(self, peek: Peek) -> JobDef | JobResult:
        codec = Codec(deserializer=self._deserializer)
        past = memory.decode(peek.memory)
        started = past.tries + past.crashes + (1 if peek.home == "running" else 0)
        score = peek.ms if peek.ms >= 0 else None
        decoded = codec.decode_record(peek.record, self.job_id, self._queue_name, score, started)
        if self._signature is not None and isinstance(decoded, JobResult) and decoded.success:
            self._fit_result(decoded, self._signature)
        return decoded

    def _fit_result(self, ended: JobResult, signature: Signature) -> None:
        """Make a result what the function's annotation says; JSON knows no datetime, for one."""
        if self._deserializer is not None:
            return
        ended.result, problems = signature.fit_result(ended.result)
        if problems:
            logger.warning(
                "job %s:%s gave what its annotation does not say: %s",
                self.job_id, ended.function, problems[0].reason,
            )  # fmt: skip

    async def _ended(self, timeout: float | None, poll_delay: float) -> JobResult:
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        # A result that is there is given even to who will not wait at all.
        async with asyncio.timeout(None if timeout is None else max(timeout, _LOOK_PATIENCE_S)):
            peek = await self._peek()
        if peek.home not in _OVER:
            async with asyncio.timeout_at(deadline), self._announced() as announced:
                peek = await self._wait_for_end(announced, poll_delay)
        if peek.home == "absent":
            raise ResultNotFound(
                "Not waiting for job result because the job is not in queue. "
                "Is the worker function configured to keep result?"
            )
        ended = self._decode(peek)
        assert isinstance(ended, JobResult)  # noqa: S101 (a finished record decodes to nothing else)
        return ended

    @contextlib.asynccontextmanager
    async def _announced(self) -> AsyncIterator[asyncio.Future[bytes] | None]:
        """Have the end of the job announced while the block runs; only an `ArqRedis` can."""
        if not hasattr(self._redis, "end_watch"):
            yield None
            return
        watch = self._redis.end_watch(self._queue())
        announced = await watch.announce(self.job_id)
        try:
            yield announced
        finally:
            with contextlib.suppress(RedisError, OSError):
                await watch.forget(self.job_id, announced)

    @contextlib.asynccontextmanager
    async def _noted(self, news: asyncio.Event) -> AsyncIterator[None]:
        """Have the event set when the job notes something while the block runs; only an `ArqRedis` can."""
        if not hasattr(self._redis, "end_watch"):
            yield
            return
        watch = self._redis.end_watch(self._queue())
        try:
            await watch.follow_notes(self.job_id, news)
            yield
        finally:
            with contextlib.suppress(RedisError, OSError):
                await watch.unfollow_notes(self.job_id, news)

    async def _wait_for_end(self, announced: asyncio.Future[bytes] | None, poll_delay: float) -> Peek:
        while True:
            # The announcement may overtake the answer to a look that was taken just before the end.
            was_told = announced is not None and announced.done()
            peek = await self._peek()
            if peek.home in _OVER:
                return peek
            if announced is None or was_told:
                await asyncio.sleep(poll_delay)
            else:
                await asyncio.wait([announced], timeout=poll_delay)

    def _cancelled_body(self) -> bytes:
        codec = Codec(getattr(self._redis, "job_serializer", None), self._deserializer)
        return cancelled_body(codec, self._queue_name, self.job_id)

    async def _report_cancelled(self) -> None:
        has_ledger = getattr(self._redis, "ledger", None) is not None
        if has_ledger or has_handlers(JobStopped):
            event = JobStopped(
                self._queue_name, self.job_id, "", 0, "", "cancelled", 0, None, asyncio.CancelledError(),
                timestamp_ms(), 0, cause=Cause.CANCELLED,
            )  # fmt: skip
            if has_ledger:
                await self._redis.outbox.tell_end(event)
            execute(event)


def cancelled_body(
    codec: Codec, queue: str, job_id: str, attempts: int = 0, past: memory.Memory = memory.NOTHING
) -> bytes:
    """Write the end of a job that is cancelled while it waits, after so many attempts."""
    now_ms = timestamp_ms()
    job = {"f": "<unknown>", "a": (), "k": {}, "et": 0, "q": queue, "id": job_id}
    starts = attempts + past.crashes
    return codec.encode_end(
        JobState.CANCELLED, asyncio.CancelledError(), starts, now_ms, now_ms, b"", job,
        # A number of its own, so that its repetition after a lost reply is known from another cancellation.
        {**memory.counters(attempts, starts, past), "n": secrets.randbits(48)},
    )  # fmt: skip


def _progress_of(noted: Noted, job: JobDef, *, of_any_run: bool = False) -> Progress | None:
    return decode_progress(noted.progress, noted.enqueue_ms, job, of_any_run=of_any_run)


async def _announced_state(announced: asyncio.Future[bytes] | None) -> JobState | None:
    """Tell how a job's end was announced; the message may still be on its way when the job is gone."""
    if announced is None:
        return None
    await asyncio.wait([announced], timeout=_ANNOUNCEMENT_PATIENCE_S)
    return state_of_finished(announced.result()) if announced.done() else None
