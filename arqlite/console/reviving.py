"""Jobs that have ended and that Redis has forgotten run again: they are made anew of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..engine import Planted, RedisEngine
from ..errors import DeserializationError
from ..model.byhand import Handled
from ..model.codec import Codec, blob_of, queued_record
from ..model.memory import Memory
from ..model.states import JobState
from ..telemetry import JobsManaged, execute
from ..utils import timestamp_ms, to_unix_ms
from .links import Links
from .places import Place

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import JobRowMixin


async def revive(links: Links, place: Place, rows: Sequence[JobRowMixin]) -> int:
    """Make jobs available by their rows, at most some 500; those that Redis has are left as they are.

    A row that does not keep what its job is made of, as one with arguments that the ledger must not hold, is
    passed over.

    Args:
        links: lead to the queue.
        place: the queue.
        rows: rows of jobs that have ended.

    Returns:
        How many are available by this.
    """
    pool = await links.pool(place)
    codec = Codec(pool.job_serializer, pool.job_deserializer)
    handled = [one for row in rows if (one := _handled(row, codec)) is not None]
    if not handled:
        return 0
    planted = [Planted(one.job_id, "", one.memory, one.record) for one in handled]
    refused = await RedisEngine(pool, place.queue).plant("", planted) or set()
    revived = [one for number, one in enumerate(handled) if number not in refused]
    if revived:
        event = JobsManaged(place.queue, "retry", tuple(one.job_id for one in revived), links.by)
        if pool.ledger is not None:
            pool.outbox.tell_by_hand(event, revived)
        execute(event)
    return len(revived)


def _handled(row: JobRowMixin, codec: Codec) -> Handled | None:
    """A job that waits again, as its row is to tell of it; None of one that cannot be made anew."""
    if row.record is None:
        return None
    try:
        envelope = codec.decode_job(blob_of(bytes(row.record)))
    except DeserializationError:  # of a serializer that is not at hand
        return None
    now_ms, record = timestamp_ms(), bytes(row.record)
    if 0 < (envelope.get("x") or 0) <= now_ms:  # it would only be refused again
        record = queued_record(envelope.get("p") or 0, codec.change_job(blob_of(record), {"x": None}))
        envelope = {name: value for name, value in envelope.items() if name != "x"}
    memory = _memory(row, envelope, now_ms)
    return Handled(row.id, envelope["et"], JobState.AVAILABLE, row.attempt, now_ms, memory, envelope, record)


def _memory(row: JobRowMixin, envelope: dict[str, Any], now_ms: int) -> str:
    """What the queue is to remember of its runs so far: it has one more attempt than it had."""
    counted = max(row.attempt - row.crashes, 0)
    ended_ms = 0 if row.finished_at is None else to_unix_ms(row.finished_at)
    return Memory(
        tries=max(counted - (envelope.get("t") or 1) + 1, 0),
        crashes=row.crashes,
        due_ms=now_ms,
        granted=counted + 1,
        pardoned=row.crashes,
        revived_ms=max(now_ms, ended_ms),
    ).encode()
