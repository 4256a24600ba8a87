"""How it went: what ended in each step of a time, by function, out of the ledgers' roll-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from ..errors import ConfigurationError
from .links import Links, Silence
from .minutes import Span, points
from .places import Place
from .views import Figures, FunctionFigures

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ended, Ledger
    from ..ledger.figures import Step

DEFAULT_WINDOW = timedelta(hours=1)

# More points make a chart only slower: up to so long each step is a minute, then an hour, then a day.
_LONGEST_BY: tuple[tuple[Step, timedelta, timedelta], ...] = (
    ("minute", timedelta(minutes=1), timedelta(hours=6)),
    ("hour", timedelta(hours=1), timedelta(days=14)),
    ("day", timedelta(days=1), timedelta.max),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """What figures are asked for.

    Attributes:
        per: `minute`, `hour` or `day`, each a step of the chart.
        span: the time, in whole steps.
        queue: the key of the only queue; None is all.
        function: the only function; None is all.
    """

    per: Step
    span: Span
    queue: str | None = None
    function: str | None = None


async def figures(
    links: Links,
    since: datetime | None,
    until: datetime | None,
    queue: str | None,
    function: str | None,
) -> Figures:
    """How it went in the last hour or another time.

    Raises:
        ConfigurationError: there is no such queue, or the time cannot be.
    """
    asked = asked_for(since, until, queue, function, datetime.now(UTC))
    chosen = links.only(links.chosen([queue] if queue is not None else []))
    ledgers = chosen.ledgers()
    answers = await asyncio.gather(*(_of_ledger(chosen, *each, asked) for each in ledgers))
    found = [part for parts in answers for part in parts]
    rows = [row for part in found for row in part.rows]
    return Figures(
        since=asked.span.since,
        until=asked.span.until,
        overall=_added(_Part("", "", rows), asked.span),
        functions=sorted(
            (_added(part, asked.span) for part in found),
            key=lambda one: (-one.total, one.queue, one.function),
        ),
    )


def asked_for(
    since: datetime | None, until: datetime | None, queue: str | None, function: str | None, now: datetime
) -> Asked:
    """Settle the time and its steps.

    Raises:
        ConfigurationError: a time has no zone, or `since` is not before `until`.
    """
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise ConfigurationError(f"{name} must be a datetime with a time zone, got {moment!r}")
    end = until or now
    begin = since or end - DEFAULT_WINDOW
    if begin >= end:
        raise ConfigurationError(f"since must be before until, got {begin} and {end}")
    per, step = next((per, step) for per, step, longest in _LONGEST_BY if end - begin <= longest)
    start = _EPOCH + (begin - _EPOCH) // step * step
    return Asked(per, Span(start, step, -((start - end) // step)), queue, function)


Percentiles: TypeAlias = tuple[float, float, float] | None
"""p50, p95 and p99 in ms; None where nobody counted."""


def percentiles(rows: Sequence[Ended]) -> tuple[Percentiles, Percentiles]:
    """How long runs took, and how long they had waited.

    A ledger keeps sums and the longest of each minute, out of which no percentile can be told.
    """
    return None, None


@dataclass(frozen=True, slots=True)
class _Part:
    """What ended of one function."""

    queue: str
    function: str
    rows: Sequence[Ended]


async def _of_ledger(links: Links, ledger: Ledger, places: Sequence[Place], asked: Asked) -> Sequence[_Part]:
    rows = await links.ask_ledger(
        ledger,
        lambda it: it.ended(
            since=asked.span.since,
            until=asked.span.until,
            per=asked.per,
            by=("queue", "function"),
            queue=places[0].queue if len(places) == 1 else None,
            function=asked.function,
        ),
    )
    if isinstance(rows, Silence):
        return ()
    keys = {place.queue: place.key for place in places}
    groups: dict[tuple[str, str], list[Ended]] = {}
    for row in rows:
        if row.queue in keys:
            groups.setdefault((keys[row.queue], row.function or ""), []).append(row)
    return [_Part(queue, function, group) for (queue, function), group in groups.items()]


def _added(part: _Part, span: Span) -> FunctionFigures:
    chart = points(part.rows, span)
    run_ms, wait_ms = percentiles(part.rows)
    return FunctionFigures(
        queue=part.queue,
        function=part.function,
        points=chart,
        total=sum(row.total for row in part.rows),
        failed=sum(point.failed for point in chart),
        run_ms=run_ms,
        wait_ms=wait_ms,
    )
