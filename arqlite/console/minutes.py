"""What ended minute by minute, out of the ledgers' roll-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .links import Links, Silence
from .views import Point

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ended, Ledger

MINUTES = 60
"""So many minutes have the charts of what ended lately."""

_MINUTE = timedelta(minutes=1)
_RETRIED = ("retryable", "snoozed", "available")


@dataclass(frozen=True, slots=True)
class Span:
    """A time of equal steps.

    Attributes:
        since: when the first step begins.
        step: how long each lasts.
        count: how many there are.
    """

    since: datetime
    step: timedelta
    count: int

    @property
    def until(self) -> datetime:
        """When the last step ends."""
        return self.since + self.count * self.step

    def place(self, at: datetime) -> int:
        """The step, from 0, that holds a time."""
        return (at - self.since) // self.step


def minutes_until(now: datetime, count: int = MINUTES) -> Span:
    """The last minutes; the newest is the one that `now` is in."""
    this = now.replace(second=0, microsecond=0)
    return Span(this - (count - 1) * _MINUTE, _MINUTE, count)


async def ended_by_queue(links: Links, span: Span) -> dict[str, Sequence[int] | Silence]:
    """How many runs ended in each minute, by the key of a queue, or why its ledger does not tell; nothing of
    queues without one.
    """
    ledgers = links.ledgers()
    answers = await asyncio.gather(*(ended(links, ledger, span) for ledger, _ in ledgers))
    found: dict[str, Sequence[int] | Silence] = {}
    for (_, places), rows in zip(ledgers, answers, strict=True):
        if isinstance(rows, Silence):
            found |= dict.fromkeys((place.key for place in places), rows)
        else:
            per_queue = _by_queue(rows)
            found |= {place.key: totals(per_queue.get(place.queue, ()), span) for place in places}
    return found


async def ended(links: Links, ledger: Ledger, span: Span) -> Sequence[Ended] | Silence:
    """What ended in each minute of a time, by queue."""
    return await links.ask_ledger(
        ledger, lambda asked: asked.ended(since=span.since, until=span.until, per="minute", by="queue")
    )


def totals(rows: Iterable[Ended], span: Span) -> list[int]:
    """How many runs ended in each step, the newest last."""
    counts = [0] * span.count
    for row in rows:
        counts[_place(row, span)] += row.total
    return counts


def points(rows: Iterable[Ended], span: Span) -> list[Point]:
    """What ended in each step, the newest last."""
    counts: list[dict[str, int]] = [{} for _ in range(span.count)]
    for row in rows:
        there = counts[_place(row, span)]
        for state, count in row.counts.items():
            there[state] = there.get(state, 0) + count
    return [_point(span.since + place * span.step, told) for place, told in enumerate(counts)]


def _by_queue(rows: Iterable[Ended]) -> dict[str, list[Ended]]:
    found: dict[str, list[Ended]] = {}
    for row in rows:
        found.setdefault(row.queue or "", []).append(row)
    return found


def _place(row: Ended, span: Span) -> int:
    # A step of hours or days begins at a whole one, which may be before the time that was asked for.
    return max(span.place(row.at), 0) if row.at is not None else 0


def _point(at: datetime, counts: Mapping[str, int]) -> Point:
    return Point(
        at=at,
        completed=counts.get("completed", 0),
        failed=counts.get("discarded", 0),
        cancelled=counts.get("cancelled", 0),
        retried=sum(counts.get(state, 0) for state in _RETRIED),
    )
