"""A job as it was found, and the view that others get of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..engine.management import Standing
from ..errors import DeserializationError
from ..model import memory as memories
from ..model.attempts import decode_attempts
from ..model.codec import Codec, blob_behind_end, blob_of
from ..model.memory import Counted, Memory, counted
from ..model.records import JobView
from ..model.states import JobState
from ..utils import ms_to_datetime

UNKNOWN = "<unknown>"


@dataclass(slots=True)
class Found:
    """A job as it was read.

    Attributes:
        job_id: its id.
        state: its state at that moment.
        record: its record.
        envelope: what is written in it; None where that cannot be read.
        standing: where it stood, if it had not ended and that was asked for.
    """

    job_id: str
    state: JobState
    record: bytes
    envelope: dict[str, Any] | None
    standing: Standing | None = None

    @property
    def function(self) -> str:
        """The function's name."""
        return UNKNOWN if self.envelope is None else str(self.envelope["f"])

    @property
    def enqueue_ms(self) -> int:
        """When it was enqueued, in ms since 1970; 0 where that cannot be read."""
        return 0 if self.envelope is None else int(self.envelope["et"])

    @property
    def memory(self) -> Memory:
        """What is remembered of its runs; nothing of a job that ended."""
        return memories.decode(self.standing.memory) if self.standing is not None else memories.NOTHING

    @property
    def first_try(self) -> int:
        """The number of its first try."""
        return (self.envelope or {}).get("t") or 1

    @property
    def attempt(self) -> int:
        """How many attempts were begun and count, of a job that has not ended."""
        is_running = self.state is JobState.EXECUTING
        return self.first_try - 1 + self.memory.tries + (1 if is_running else 0)


def envelope_of(codec: Codec, record: bytes) -> dict[str, Any] | None:
    """Read what is written in a job, ended or not; None where that cannot be read."""
    try:
        return codec.decode_job(blob_of(record) if record[:1] == b"Q" else blob_behind_end(record))
    except (DeserializationError, ValueError):
        return None


def view_of(found: Found, queue: str, codec: Codec, errors: Sequence[bytes] = ()) -> JobView:
    """Make the view of a job.

    Args:
        found: the job.
        queue: its queue.
        codec: how it is written.
        errors: what its failed attempts left.
    """
    envelope = found.envelope or {}
    memory = found.memory
    result, attempted_ms, finished_ms = None, None, None
    runs = Counted(found.attempt, memory.crashes, memory.snoozes)
    if found.state.is_final:
        runs, attempted_ms, finished_ms, result = _end_of(found, codec)
    meta = dict(envelope.get("m") or {})
    allowed = envelope.get("ma") or envelope.get("tm")
    return JobView(
        id=found.job_id,
        queue=queue,
        state=found.state,
        function=found.function,
        args=tuple(envelope.get("a") or ()),
        kwargs=dict(envelope.get("k") or {}),
        tags=tuple(envelope.get("g") or ()),
        meta={**meta, "snoozed": runs.snoozes} if runs.snoozes else meta,
        priority=envelope.get("p") or 0,
        attempt=runs.attempt,
        max_attempts=max(allowed, memory.granted) if isinstance(allowed, int) else None,
        snoozes=runs.snoozes,
        crashes=runs.crashes,
        errors=decode_attempts(errors, found.enqueue_ms),
        inserted_at=ms_to_datetime(found.enqueue_ms),
        scheduled_at=ms_to_datetime(runs.due_ms or _due_ms(found, envelope)),
        attempted_at=_moment(attempted_ms),
        finished_at=_moment(finished_ms),
        worker=found.standing.session or None if found.standing is not None else None,
        result=result,
    )


def _end_of(found: Found, codec: Codec) -> tuple[Counted, int | None, int | None, Any]:
    """Tell of a job that ended its runs, when the last one began and was over, and what came of it."""
    try:
        ended, value = codec.decode_end(found.record)
    except DeserializationError as error:
        return Counted(0, 0, 0), None, None, error
    runs = counted(ended)
    # A job that was cancelled while it waited has the moment of that only.
    has_run = runs.attempt > 0 and (found.state is not JobState.CANCELLED or ended["st"] != ended["ft"])
    return runs, ended["st"] if has_run else None, ended["ft"], value


def _due_ms(found: Found, envelope: dict[str, Any]) -> int:
    if found.standing is not None and found.standing.due_ms >= 0:
        return found.standing.due_ms
    return int(found.memory.due_ms or envelope.get("at") or found.enqueue_ms)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else ms_to_datetime(ms)
