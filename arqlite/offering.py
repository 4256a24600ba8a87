"""A job on its way to its queue, and what is done where an equal one is there already."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from .constants import expires_extra_ms as _default_expires_extra_ms
from .engine import EnqueueBatch, Holder, Lock, NewJob, Peek, RedisEngine
from .errors import ConfigurationError
from .model import checks, memory, tracing
from .model.calls import PLAIN, Call, Options, merged
from .model.codec import Codec, blob_of, queued_record
from .model.context import running_job
from .model.fingerprint import fingerprint
from .model.options import told_of_askers
from .model.replacing import replacement
from .model.states import STATES_BY_LETTER, JobState, letters_of
from .model.unique import Unique, rule
from .typing import Deserializer, Serializer
from .utils import new_job_id, timestamp_ms

if TYPE_CHECKING:  # SQLAlchemy is imported by those who have a ledger only
    from .ledger.accepting import AcceptedJob

logger = logging.getLogger("arqlite.enqueuing")

# Whoever puts more into a job had better store it elsewhere and put in where.
LARGE_BYTES = 8192
# The job may move just when it is changed; so often in a row it does not.
_ATTEMPTS = 5
_MOST_NAMES = 1000
_told_as_large: set[str] = set()


class JobWriting(Protocol):
    """What writing a job needs to know; `ArqRedis` has it."""

    job_serializer: Serializer | None
    job_deserializer: Deserializer | None
    default_queue_name: str
    expires_extra_ms: int


class QueueClient(JobWriting, Protocol):
    """What enqueuing needs of a client; `ArqRedis` has it."""

    ledger: Any

    @property
    def outbox(self) -> Any: ...  # noqa: D102 (told by its class; it stands on a floor above)

    def queue(self, name: str) -> EnqueueBatch: ...  # noqa: D102


class Offer:
    """One call, ready to be stored.

    Args:
        client: the pool.
        codec: how its jobs are written, see `codec_of`.
        call: the call.
        options: what is said of it and of others; its own options win, its function's are the last.

    Attributes:
        call: the call.
        queue: where it goes.
        job: what is stored there.
        unique: when it counts as a job that is there already; None is never.
        settled: all that is said of it, its function's defaults included.
        has_own_id: whether its caller named it.

    Raises:
        ConfigurationError: its options do not go together.
        SerializationError: an argument cannot be written.
    """

    __slots__ = (
        "_client", "_codec", "_options", "call", "due_ms", "enqueued_ms", "has_own_id", "job", "parent",
        "queue", "settled", "unique",
    )  # fmt: skip

    def __init__(self, client: JobWriting, codec: Codec, call: Call[Any], options: Options) -> None:
        settled = call.settled(options)
        now_ms = timestamp_ms()
        when, envelope = _envelope(client, settled, now_ms)
        if call.defaults is not None:
            envelope |= call.known_attempts(settled)
        self._client, self._codec, self._options = client, codec, options
        self.has_own_id = settled.job_id is not None
        self.call = call
        self.queue = settled.queue or client.default_queue_name
        self.unique: Unique | None = rule(settled.unique) if settled.unique else None
        lock = None if self.unique is None else _lock(self.unique, call, settled)
        self.settled, self.enqueued_ms = settled, now_ms
        self.parent: str = envelope.get("pa", "")
        self.due_ms: int | None = envelope.get("at")
        blob = codec.encode_job(call.function, call.args, call.kwargs, settled.first_try, now_ms, **envelope)
        if len(blob) > LARGE_BYTES:
            _tell_of_size(call.function, len(blob))
        record = queued_record(settled.priority or 0, blob)
        self.job = NewJob(settled.job_id or new_job_id(), when, record, lock)

    def accepted(self) -> AcceptedJob:
        """Tell the ledger of it."""
        from .ledger.accepting import AcceptedJob

        call, settled, lock = self.call, self.settled, self.job.lock
        row = dict(settled.row or {})
        task = call.known_attempts(settled)
        return AcceptedJob(
            self.job.job_id, self.queue, call.function, call.args, call.kwargs, self.enqueued_ms, self.due_ms,
            self.job.record,
            lock=None if lock is None else list(lock),
            job_type=row.pop("job_type", ""),
            tags=settled.tags or (),
            meta=settled.meta or {},
            priority=settled.priority or 0,
            max_attempts=settled.max_attempts or task.get("tm"),
            triggered_by=settled.triggered_by or "system",
            user_id=row.pop("user_id", None),
            parent=self.parent,
            columns=row,
        )  # fmt: skip

    def is_in_conflict(self, holder: Holder) -> bool:
        """Tell whether it is another job. Nobody else makes our ids: one that is known was sent twice."""
        return self.has_own_id or holder.job_id != self.job.job_id

    def must_raise(self, holder: Holder) -> bool:
        """Tell whether its rule says so; an id that is in use is told by `conflict` only."""
        return bool(holder.state) and self.unique is not None and self.unique.action == "raise"

    async def settle_conflict(self, engine: RedisEngine, holder: Holder) -> None:
        """Give to the job that is there what its rule says, if anything; that job may end meanwhile."""
        if not holder.state or self.unique is None or self.unique.action != "replace":
            return
        state = STATES_BY_LETTER[holder.state]
        for _ in range(_ATTEMPTS):
            names = self.unique.replaced_in.get(state)
            peek = await engine.peek(holder.job_id)
            has_ended = peek.record[:1] != b"Q"
            if has_ended or not names or await self._replace(engine, holder.job_id, names, peek):
                return
            state = _state_of(peek)

    async def _replace(self, engine: RedisEngine, job_id: str, names: tuple[str, ...], peek: Peek) -> bool:
        assert self.unique is not None  # noqa: S101 (the caller asked)
        call, client, given = self.call, self._client, self._options
        if call.made_with is not None:
            given = merged(call.made_with, given)
        when, envelope = _envelope(client, given, timestamp_ms())
        changes, priority, new_when = replacement(names, call, given, envelope, when)
        if not changes:
            return True
        record = queued_record(
            peek.record[1] if priority is None else priority,
            self._codec.change_job(blob_of(peek.record), changes),
        )
        states = letters_of(state for state, same in self.unique.replaced_in.items() if same == names)
        return await engine.rewrite(job_id, peek.record, record, states, new_when) != "changed"


def codec_of(client: JobWriting) -> Codec:
    """Tell how the jobs of a pool are written."""
    return Codec(client.job_serializer, client.job_deserializer)


def _lock(unique: Unique, call: Call[Any], settled: Options) -> Lock:
    digest = fingerprint(unique, call.function, call.args, call.kwargs, settled.meta or {}, call.signature)
    return Lock(digest, unique.period_ms, unique.letters, unique.timestamp == "scheduled_at")


def _envelope(client: JobWriting, options: Options, now_ms: int) -> tuple[str, dict[str, Any]]:
    """Tell when a job is due, and what its envelope has that not every job's has: of most jobs nothing."""
    if options == PLAIN and client.expires_extra_ms == _default_expires_extra_ms:
        if tracing.tracers:
            return "", told_of_askers(options)
        job = running_job.get()
        return "", {} if job is None else {"pa": job.job_id}
    when, due = _due(options, now_ms)
    extras: dict[str, Any] = {"at": due, **told_of_askers(options)} if when else told_of_askers(options)
    if options.expires_ms is not None:
        extras["x"] = now_ms + options.expires_ms
    elif client.expires_extra_ms != _default_expires_extra_ms:
        extras["x"] = due + client.expires_extra_ms
    if options.job_id is not None:
        # Two callers may enqueue the same id in the same ms; only one of them may be told yes.
        extras["n"] = new_job_id()[11:]
    if options.priority:
        extras["p"] = options.priority
    if options.max_attempts is not None:
        extras["ma"] = options.max_attempts
    if options.tags:
        extras["g"] = options.tags
    if options.meta:
        extras["m"] = options.meta
    return when, extras


def _due(options: Options, now_ms: int) -> tuple[str, int]:
    """Tell when a job is due, as the queue is told it ('' is now) and in ms since 1970."""
    when, due = "", now_ms
    if options.at_ms is not None:
        due = options.at_ms
        when = f"={due}"
    elif options.delay_ms:
        due = max(now_ms + options.delay_ms, 0)
        when = f"{options.delay_ms:+d}"
    if when and due > checks.LAST_MS:
        raise ConfigurationError(
            f"a job cannot be deferred beyond the year 9999, got {(options.delay_ms or 0) / 1000} seconds"
        )
    return when, due


def _state_of(peek: Peek) -> JobState:
    if peek.home == "running":
        return JobState.EXECUTING
    if peek.home != "scheduled":
        return JobState.AVAILABLE
    return JobState.RETRYABLE if memory.decode(peek.memory).is_retryable else JobState.SCHEDULED


def _tell_of_size(function: str, size: int) -> None:
    """Say once per function that its jobs are large; the server keeps them all in memory."""
    if function in _told_as_large or len(_told_as_large) >= _MOST_NAMES:
        return
    _told_as_large.add(function)
    logger.warning(
        "a job of %s has %d bytes, more than %d; better store what is large elsewhere, and give jobs its id",
        function, size, LARGE_BYTES,
    )  # fmt: skip
