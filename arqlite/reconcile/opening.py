"""Rows for jobs that are in Redis and that the ledger has never heard of."""

from __future__ import annotations

from ..engine import Place
from ..errors import DeserializationError
from ..ledger.accepting import AcceptedJob
from ..ledger.redaction import Redaction
from ..model.codec import Codec, blob_of
from ..model.states import STATES_BY_LETTER, JobState

_UNKNOWN = "<unknown>"


def accepted_of(
    queue: str, job_id: str, record: bytes, place: Place, codec: Codec, redaction: Redaction
) -> AcceptedJob:
    """Tell the ledger of a job as it would have been told when that was enqueued.

    Args:
        queue: where it is.
        job_id: its id.
        record: how it is stored there.
        place: where it waits.
        codec: how the queue is written.
        redaction: what the ledger must not hold.
    """
    due_ms = place.due_ms if place.state in ("s", "r") else None
    try:
        job = codec.decode_job(blob_of(record))
    except DeserializationError:
        return AcceptedJob(job_id, queue, _UNKNOWN, due_ms=due_ms)
    args, kwargs, is_whole = redaction.applied(job["f"], tuple(job.get("a") or ()), job.get("k") or {})
    # A step that waits for others has gaps where their results come in: nothing can be made of it.
    is_kept = is_whole and place.state != "u"
    return AcceptedJob(
        job_id,
        queue,
        job["f"],
        args,
        kwargs,
        job["et"],
        due_ms or job.get("at"),
        record if is_kept else b"",
        tags=tuple(job.get("g") or ()),
        meta=job.get("m") or {},
        priority=job.get("p") or 0,
        max_attempts=job.get("ma") or job.get("tm"),
    )


def state_of(place: Place) -> JobState:
    """The state of a job that is in some place."""
    return STATES_BY_LETTER.get(place.state, JobState.AVAILABLE)
