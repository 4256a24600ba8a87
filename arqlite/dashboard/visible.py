"""What somebody may see of all that a console knows: the queues that their access names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from ..console import Console, Overview, Point, Query
from ..model.query import Term
from .context import Access


class OfQueue(Protocol):
    """Something that belongs to a queue; an empty key is none."""

    @property
    def queue(self) -> str:
        """The key of its queue."""


Found = TypeVar("Found", bound=OfQueue)


def seen_keys(console: Console, access: Access) -> Sequence[str]:
    """The keys of the queues that somebody sees."""
    return [place.key for place in console.places if access.sees(place.key)]


def seen(found: Sequence[Found], access: Access) -> Sequence[Found]:
    """Those of a list that belong to a queue somebody sees, or to none."""
    return [one for one in found if not one.queue or access.sees(one.queue)]


def narrowed(query: Query, console: Console, access: Access) -> Query | None:
    """The query, about nothing but the queues that somebody sees; None if it means none of them.

    A query of somebody who sees all stays as it is.
    """
    if access.queues is None:
        return query
    keys = seen_keys(console, access)
    for term in query.terms:
        if term.name == "queue":
            keys = [key for key in keys if _matches(key, term) != term.negated]
    return query.with_term("queue", *keys) if keys else None


async def overview_of(console: Console, access: Access) -> Overview:
    """The first look, at what somebody sees."""
    whole = await console.overview()
    if access.queues is None:
        return whole
    queues = [queue for queue in whole.queues if access.sees(queue.key)]
    waits = [queue.oldest for queue in queues if queue.oldest is not None]
    figures = [await console.figures(queue=queue.key) for queue in queues if queue.has_ledger]
    failed = [await _failed_today(console, queue.key) for queue in queues if queue.has_ledger]
    return Overview(
        ready=sum(queue.available for queue in queues),
        running=sum(queue.executing for queue in queues),
        failed=None if whole.failed is None else sum(failed),
        oldest=max(waits, default=None),
        points=_together([one.overall.points for one in figures]),
        queues=queues,
        errors=seen(whole.errors, access),
        troubles=seen(whole.troubles, access),
    )


async def _failed_today(console: Console, key: str) -> int:
    figures = await console.figures(queue=key, since=datetime.now(UTC) - timedelta(days=1))
    return figures.overall.failed


def _together(series: Sequence[Sequence[Point]]) -> Sequence[Point]:
    return [
        Point(
            at=points[0].at,
            completed=sum(point.completed for point in points),
            failed=sum(point.failed for point in points),
            cancelled=sum(point.cancelled for point in points),
            retried=sum(point.retried for point in points),
        )
        for points in zip(*series, strict=False)
    ]


def _matches(key: str, term: Term) -> bool:
    return any(fnmatchcase(key, value) if "*" in value else key == value for value in term.values)
