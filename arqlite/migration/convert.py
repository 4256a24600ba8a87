"""From a job or a result of arq to a record of arqlite; nothing is read or written here."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..engine import Planted
from ..errors import DeserializationError, JobExecutionFailed, SerializationError
from ..model import checks
from ..model.codec import Codec, queued_record
from ..model.failures import message_of
from ..model.memory import Memory
from ..model.states import JobState
from . import lossy
from .wire import ABORTED_SCORE, CRON_PREFIX, OUR_LOCK, UNKNOWN_FUNCTION, ArqJob, NeedsClass, Reader

Fate: TypeAlias = Literal["due", "deferred", "cancelled", "expired", "cron"]
Hold: TypeAlias = Literal["running", "aborted", "unknown function", "unconvertible"]

# How long the end of a job that never ran is kept, as `Job.abort` does.
_END_KEEP_MS = 3_600_000
# arq enqueues a tick of cron at most a second ahead, and a live worker takes it within another.
_CRON_GRACE_MS = 10_000
_ARQ_DAY_MS = 86_400_000
# Producers' clocks are not the server's.
_SKEW_MS = 60_000
_FOREVER = b"9999999999999"
_LONGEST_ID = 512


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job of arq's queue as it was read.

    Attributes:
        key: its id, as Redis has it.
        score: when it is due, in ms since 1970.
        body: how arq wrote it; None when that has expired.
        tries: how often it was started; empty when it never was.
        ttl_ms: how long the body is kept, negative for ever.
        aborted_ms: when its abort was asked for.
        lock: what stands in its lock; None without one.
    """

    key: bytes
    score: float
    body: bytes | None
    tries: bytes
    ttl_ms: int
    aborted_ms: float | None
    lock: bytes | None

    @property
    def job_id(self) -> str:
        """Its id as text, for people."""
        return self.key.decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Move:
    """A job that may be taken, and what is to be planted for it; nothing for a tick of cron."""

    waiting: Waiting
    function: str
    fate: Fate
    planted: Planted | None
    changes: frozenset[str] = frozenset()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A job that stays in arq's queue, and why."""

    job_id: str
    function: str
    hold: Hold
    reason: str


class Converter:
    """Turns what arq wrote into what arqlite would have written.

    Args:
        codec: how the target queue is written.
        reader: how arq's queue is read.
        functions: what the target's workers can run; None takes every function.
        keep_expiry: whether arq's own day, after which it gives up jobs, holds in arqlite, too. What the
            application asked for with `_expires` or `expires_extra_ms` always does.
        force: whether to take jobs that are running.
    """

    def __init__(
        self,
        codec: Codec,
        reader: Reader,
        functions: Collection[str] | None,
        *,
        keep_expiry: bool = False,
        force: bool = False,
    ) -> None:
        self._codec = codec
        self._reader = reader
        self._functions = functions
        self._keep_expiry = keep_expiry
        self._force = force

    def job(self, waiting: Waiting, now_ms: int) -> Move | Left:
        """Decide what becomes of a job of arq's queue."""
        if waiting.lock == OUR_LOCK:
            # Another bridge may have taken it just now; only an abort gives a held job this score.
            hold: Hold = "aborted" if waiting.score == ABORTED_SCORE else "running"
            return Left(waiting.job_id, "", hold, "arqlite runs it for arq's producers")
        if waiting.lock is not None and not self._force:
            return Left(waiting.job_id, "", "running", "a worker of arq runs it")
        fault = _id_fault(waiting.key)
        if fault:
            return Left(waiting.job_id, UNKNOWN_FUNCTION, "unconvertible", fault)
        if waiting.body is None:
            return Move(waiting, UNKNOWN_FUNCTION, "expired", self._expired(waiting, now_ms))
        function = self._reader.function(waiting.body)
        if function is not None and function.startswith(CRON_PREFIX):
            if now_ms - waiting.score < _CRON_GRACE_MS and not self._force:
                return Left(waiting.job_id, function, "running", "arq's own cron has just enqueued it")
            return Move(waiting, function, "cron", None)
        if self._functions is not None and function is not None and function not in self._functions:
            reason = f"the settings have no function {function!r}"
            return Left(waiting.job_id, function, "unknown function", reason)
        return self._read(waiting, function or UNKNOWN_FUNCTION, now_ms)

    def _read(self, waiting: Waiting, function: str, now_ms: int) -> Move | Left:
        assert waiting.body is not None  # noqa: S101 (the caller looked)
        fate: Fate = "deferred" if waiting.score > now_ms else "due"
        try:
            job = self._reader.job(waiting.body)
            if not 0 <= job.enqueue_ms <= checks.LAST_MS or not abs(waiting.score) <= checks.LAST_MS:
                raise DeserializationError("its times are beyond the year 9999")
            blob = self._blob(waiting, job, now_ms)
        except NeedsClass as needed:
            return Move(waiting, function, fate, None, unread=str(needed))
        except (DeserializationError, SerializationError) as error:
            return Left(waiting.job_id, function, "unconvertible", message_of(error))
        lost = frozenset() if self._codec.serializer else frozenset(lossy.changes(job.args, job.kwargs))
        if _is_aborted(waiting, job):
            body = self._codec.encode_end(
                JobState.CANCELLED, asyncio.CancelledError(), 0, now_ms, now_ms, blob
            )
            return Move(waiting, function, "cancelled", _end(waiting.key, body, now_ms, _END_KEEP_MS))
        tries = _next_try(waiting, job) - (job.first_try or 1)
        planted = Planted(
            waiting.key.decode(), f"={int(waiting.score)}", Memory(tries=tries).encode() if tries else "",
            queued_record(0, blob),
        )  # fmt: skip
        return Move(waiting, function, fate, planted, lost)

    def _blob(self, waiting: Waiting, job: ArqJob, now_ms: int) -> bytes:
        extras: dict[str, Any] = {}
        if int(waiting.score) != job.enqueue_ms:
            extras["at"] = int(waiting.score)
        if waiting.ttl_ms >= 0 and (self._keep_expiry or _was_asked_to_expire(waiting, job, now_ms)):
            extras["x"] = now_ms + waiting.ttl_ms
        return self._codec.encode_job(
            job.function, job.args, job.kwargs, job.first_try, job.enqueue_ms, **extras
        )

    def _expired(self, waiting: Waiting, now_ms: int) -> Planted:
        error = JobExecutionFailed("job expired")
        body = self._codec.encode_end(JobState.DISCARDED, error, 0, now_ms, now_ms, b"")
        return _end(waiting.key, body, now_ms, _END_KEEP_MS)

    def result(self, key: bytes, envelope: dict[str, Any], ttl_ms: int, now_ms: int) -> Planted:
        """Turn a result of arq into a finished record; what cannot be written is told in its place.

        Raises:
            SerializationError: not even that can be written, or the id cannot be used.
        """
        fault = _id_fault(key)
        if fault:
            raise SerializationError(fault)
        value, success = envelope["r"], envelope["s"]
        state = JobState.COMPLETED if success else JobState.DISCARDED
        if not success and isinstance(value, asyncio.CancelledError):
            state = JobState.CANCELLED
        if not success and not isinstance(value, BaseException):
            value = SerializationError(str(value))
        times = envelope["t"], envelope["st"], envelope["ft"]
        blob = self._blob_of_result(envelope)
        try:
            body = self._codec.encode_end(state, value, *times, blob)
        except SerializationError as error:
            body = self._codec.encode_unserializable(error, *times, blob)
        return _end(key, body, now_ms, ttl_ms)

    def _blob_of_result(self, envelope: dict[str, Any]) -> bytes:
        function, enqueue_ms = envelope["f"], envelope["et"]
        try:
            return self._codec.encode_job(function, envelope["a"], envelope["k"], None, enqueue_ms)
        except SerializationError:
            return self._codec.encode_job(function, (), {}, None, enqueue_ms)


def _next_try(waiting: Waiting, job: ArqJob) -> int:
    started = int(waiting.tries) if waiting.tries.isdigit() else 0
    return max(started + 1, job.first_try or 1)


def _is_aborted(waiting: Waiting, job: ArqJob) -> bool:
    if waiting.score == ABORTED_SCORE:
        return True
    # arq never forgets an abort of an id that it did not know; it is not meant for a later job of that id.
    return waiting.aborted_ms is not None and waiting.aborted_ms >= job.enqueue_ms


def _was_asked_to_expire(waiting: Waiting, job: ArqJob, now_ms: int) -> bool:
    """Tell whether the application set a time to expire: it is not arq's day after the job was due."""
    span = waiting.ttl_ms + now_ms - job.enqueue_ms
    if waiting.tries:  # it was due earlier than its score says now
        return span < _ARQ_DAY_MS - _SKEW_MS
    deferral = max(waiting.score - job.enqueue_ms, 0)
    return abs(span - _ARQ_DAY_MS - deferral) > _SKEW_MS


def _end(key: bytes, body: bytes, now_ms: int, keep_ms: int) -> Planted:
    """Put the head of a finished record before its body; a negative time keeps it for ever."""
    is_for_ever = keep_ms < 0 or now_ms + keep_ms >= int(_FOREVER)
    expiry = _FOREVER if is_for_ever else b"%013d" % (now_ms + keep_ms)
    return Planted(key.decode(), str(_pruned_at(now_ms + keep_ms, keep_ms)), "", b"R" + expiry + body)


def _pruned_at(expiry_ms: int, keep_ms: int) -> int:
    """Round an expiry up, by 1 to 2 % of what is left of it, so that many ends share a moment."""
    step = 60_000 << max(keep_ms // (60_000 * 64), 0).bit_length()
    return -(-expiry_ms // step) * step


def _id_fault(key: bytes) -> str:
    try:
        job_id = key.decode()
    except UnicodeDecodeError:
        return "its id is no UTF-8"
    if "\0" in job_id or len(job_id) > _LONGEST_ID:
        return f"its id must have at most {_LONGEST_ID} characters, none of them NUL"
    return ""
