"""Rows for jobs that are in Redis and that the ledger has never heard of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from ..engine import Place
from ..errors import DeserializationError
from ..ledger import Ledger
from ..ledger.accepting import AcceptedJob
from ..model.codec import Codec, blob_of

_UNKNOWN = "<unknown>"


def accepted_of(queue: str, job_id: str, record: bytes, place: Place, codec: Codec) -> AcceptedJob:
    """Tell the ledger of a job as it would have been told when that was enqueued."""
    # A step that waits for others has gaps where their results come in: nothing can be made of it.
    kept = b"" if place.state == "u" else record
    due_ms = place.due_ms if place.state in ("s", "r") else None
    try:
        job = codec.decode_job(blob_of(record))
    except DeserializationError:
        return AcceptedJob(job_id, queue, _UNKNOWN, record=kept, due_ms=due_ms)
    return AcceptedJob(
        job_id,
        queue,
        job["f"],
        tuple(job.get("a") or ()),
        job.get("k") or {},
        job["et"],
        due_ms or job.get("at"),
        kept,
        tags=tuple(job.get("g") or ()),
        meta=job.get("m") or {},
        priority=job.get("p") or 0,
        max_attempts=job.get("ma") or job.get("tm"),
    )
