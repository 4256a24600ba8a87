"""The first look at everything: numbers, the last hour, and what an operator should know."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .checkup import all_troubles
from .databases import silent
from .facts import LedgerFacts
from .failures import error_groups
from .links import ANSWER_S, Links, Silence
from .minutes import Span, ended, minutes_until, points, totals
from .places import Place
from .queuefacts import queue_facts
from .servers import server_facts
from .views import ErrorGroup, Overview, QueueState

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ended, Ledger

FAILED_WITHIN = timedelta(hours=24)

# To group failures their tracebacks are read: of these few, for a first look.
_LAST_FAILURES = 200
_LAST_GROUPS = 5


async def overview(links: Links) -> Overview:
    """The first look. It costs the same however many jobs there are."""
    now = datetime.now(UTC)
    span = minutes_until(now)
    groups, queues, servers, ledgers = await asyncio.gather(
        last_errors(links),
        queue_facts(links),
        server_facts(links),
        asyncio.gather(*(_Past.of(links, *each, span, now) for each in links.ledgers())),
    )
    ended_in = {key: counts for past in ledgers for key, counts in past.per_queue(span).items()}
    silent_for = {place.key: past.error for past in ledgers for place in past.places}
    states = [
        replace(
            one.state,
            ended=ended_in.get(one.state.key, ()),
            ledger_error=silent_for.get(one.state.key, ""),
        )
        for one in queues
    ]
    return Overview(
        ready=sum(state.available for state in states),
        running=sum(state.executing for state in states),
        failed=_failed(ledgers),
        oldest=_oldest(states),
        points=points((row for past in ledgers for row in past.rows), span),
        queues=states,
        errors=groups,
        troubles=all_troubles(queues, servers, [past.facts for past in ledgers if past.facts is not None]),
        now_is_exact=not any(state.error for state in states),
        past_is_exact=all(past.failed is not None for past in ledgers),
    )


async def last_errors(links: Links) -> list[ErrorGroup]:
    """The groups of the last failures, the newest first."""
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await error_groups(links, most=_LAST_FAILURES)
    except TimeoutError:  # whoever is that slow is told as a trouble, and the rest is wanted now
        return []
    return sorted(found.groups, key=lambda group: group.last_at, reverse=True)[:_LAST_GROUPS]


@dataclass(frozen=True, slots=True)
class _Past:
    """What a ledger tells of the last hour and day.

    Attributes:
        places: the queues that have their rows there.
        rows: what ended of them in each of the last minutes.
        failed: how many of their runs failed for good in the last day; None where it does not tell.
        facts: about a ledger that did not answer; None of one that did.
    """

    places: Sequence[Place]
    rows: Sequence[Ended] = ()
    failed: int | None = None
    facts: LedgerFacts | None = None

    @classmethod
    async def of(
        cls, links: Links, ledger: Ledger, places: Sequence[Place], span: Span, now: datetime
    ) -> _Past:
        """Ask a ledger."""
        names = {place.queue for place in places}
        hour, failures = await asyncio.gather(
            ended(links, ledger, span),
            links.ask_ledger(
                ledger, lambda asked: asked.count_ended("discarded", since=now - FAILED_WITHIN, until=now)
            ),
        )
        if isinstance(hour, Silence):
            return cls(places, facts=silent(ledger, hour))
        failed = None
        if not isinstance(failures, Silence):
            failed = sum(count for queue, count in failures.items() if queue in names)
        return cls(places, [row for row in hour if row.queue in names], failed)

    @property
    def error(self) -> str:
        """Why it did not answer; empty if it did."""
        return "" if self.facts is None else self.facts.info.error

    def per_queue(self, span: Span) -> dict[str, Sequence[int]]:
        """How many runs ended in each minute, by the key of a queue; nothing if it did not answer."""
        if self.facts is not None:
            return {}
        return {
            place.key: totals((row for row in self.rows if row.queue == place.queue), span)
            for place in self.places
        }


def _failed(ledgers: Sequence[_Past]) -> int | None:
    known = [past.failed for past in ledgers if past.failed is not None]
    return sum(known) if known else None


def _oldest(states: Sequence[QueueState]) -> timedelta | None:
    return max((state.oldest for state in states if state.oldest is not None), default=None)
