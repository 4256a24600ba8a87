"""What is taken to Redis, or done there, once a transaction is committed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from ..engine import Holder, NewJob, RedisEngine
from ..ledger.accepting import AcceptedJob
from ..model.calls import Call, Options
from ..model.states import STATES_BY_LETTER
from ..model.unique import Unique


class Offered(Protocol):
    """A call, ready to be stored; `offering.Offer` is one."""

    call: Call[Any]
    queue: str
    job: NewJob
    settled: Options
    enqueued_ms: int
    due_ms: int | None
    has_own_id: bool
    unique: Unique | None

    def accepted(self) -> AcceptedJob:
        """Tell the ledger of it."""

    def is_in_conflict(self, holder: Holder) -> bool:
        """Tell whether that is another job."""

    async def settle_conflict(self, engine: RedisEngine, holder: Holder) -> None:
        """Give to the job that is there what the rule of this one says."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job that is committed, or about to be, for its queue.

    Attributes:
        queue: which one.
        job: the job.
        function: its function.
        enqueued_at: when it was enqueued: with its id this says which job it is.
        refused: called when the queue has another job in its place.
    """

    queue: str
    job: NewJob
    function: str
    enqueued_at: datetime
    refused: Callable[[RedisEngine, Holder], Awaitable[None]] | None = None

    @property
    def is_due_later(self) -> bool:
        """Whether it was to wait when it was enqueued."""
        when = self.job.when
        return bool(when) and int(when[1:]) > self.enqueued_at.timestamp() * 1000


@dataclass(frozen=True, slots=True)
class Errand:
    """Something else that waits for a commit."""

    run: Callable[[], Awaitable[None]]


def parcel_of(offer: Offered) -> Parcel:
    """Make a parcel of an offer."""
    enqueued_at = datetime.fromtimestamp(offer.enqueued_ms / 1000, UTC)
    job = offer.job
    if offer.due_ms is not None:
        # A delay counts from when the job was enqueued: the commit, or the relay, may come late.
        job = job._replace(when=f"={offer.due_ms}")
    return Parcel(offer.queue, job, offer.call.function, enqueued_at, offer.settle_conflict)


def words_of(function: str, holder: Holder) -> str:
    """Say why a job was not taken."""
    state = f" ({STATES_BY_LETTER[holder.state]})" if holder.state else ""
    which = "is the same one" if holder.state else "has its id"
    return f"{function} was not enqueued: job {holder.job_id}{state} {which}"
