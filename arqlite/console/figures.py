"""How it went: what ended in each step of a time, by function, out of the ledgers' roll-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigurationError
from .asking import Asking, ledger_silent
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
    asking = Asking(chosen)
    answers = await asyncio.gather(*(_of_ledger(chosen, *each, asked, asking) for each in chosen.ledgers()))
    found = [part for answer in answers for part in answer.functions]
    # What several ledgers measured cannot be told in one percentile.
    times = answers[0].times if len(answers) == 1 else NO_TIMES
    overall = Part("", "", [row for part in found for row in part.rows], times)
    return Figures(
        since=asked.span.since,
        until=asked.span.until,
        overall=_added(overall, asked.span),
        functions=sorted(
            (_added(part, asked.span) for part in found),
            key=lambda one: (-one.total, one.queue, one.function),
        ),
        troubles=tuple(asking.troubles),
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


class Times(NamedTuple):
    """p50, p95 and p99 of how long runs took and had waited, in ms; None where nobody counted."""

    run_ms: tuple[float, float, float] | None = None
    wait_ms: tuple[float, float, float] | None = None


NO_TIMES = Times()


@dataclass(frozen=True, slots=True)
class Part:
    """What ended of one function, or of all."""

    queue: str
    function: str
    rows: Sequence[Ended]
    times: Times = NO_TIMES


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ledger tells: of each function, and how long all runs of its queues together took."""

    functions: Sequence[Part] = ()
    times: Times = NO_TIMES


async def percentiles(
    links: Links, ledger: Ledger, names: Collection[str], asked: Asked
) -> Mapping[tuple[str, str], Times] | Silence:
    """How long runs took and had waited, by queue and function; by two empty texts over all of them.

    Over all only if the ledger has no other queues than these: what is asked of it is asked of all.
    """
    only: dict[str, Any] = {
        "since": asked.span.since,
        "until": asked.span.until,
        "queue": next(iter(names)) if len(names) == 1 else None,
        "function": asked.function,
    }
    each, overall = await asyncio.gather(
        links.ask_ledger(ledger, lambda it: it.percentiles(by=("queue", "function"), **only)),
        links.ask_ledger(ledger, lambda it: it.percentiles(**only)),
    )
    if isinstance(each, Silence):
        return each
    if isinstance(overall, Silence):
        return overall
    found = {(one.queue or "", one.function or ""): Times(one.run_ms, one.wait_ms) for one in each}
    if {queue for queue, _ in found} <= set(names):
        found["", ""] = next((Times(one.run_ms, one.wait_ms) for one in overall), NO_TIMES)
    return found


async def _of_ledger(
    links: Links, ledger: Ledger, places: Sequence[Place], asked: Asked, asking: Asking
) -> Answer:
    keys = {place.queue: place.key for place in places}
    rows, times = await asyncio.gather(
        links.ask_ledger(
            ledger,
            lambda it: it.ended(
                since=asked.span.since,
                until=asked.span.until,
                per=asked.per,
                by=("queue", "function"),
                queue=places[0].queue if len(places) == 1 else None,
                function=asked.function,
            ),
        ),
        percentiles(links, ledger, keys, asked),
    )
    for silence in (rows, times):
        if isinstance(silence, Silence):
            asking.tell(ledger_silent(ledger, places, silence))
            break
    if isinstance(rows, Silence):
        return Answer()
    if isinstance(times, Silence):
        times = {}
    groups: dict[tuple[str, str], list[Ended]] = {}
    for row in rows:
        if row.queue in keys:
            groups.setdefault((row.queue, row.function or ""), []).append(row)
    parts = [
        Part(keys[queue], function, group, times.get((queue, function), NO_TIMES))
        for (queue, function), group in groups.items()
    ]
    return Answer(parts, times.get(("", ""), NO_TIMES))


def _added(part: Part, span: Span) -> FunctionFigures:
    chart = points(part.rows, span)
    return FunctionFigures(
        queue=part.queue,
        function=part.function,
        points=chart,
        total=sum(row.total for row in part.rows),
        failed=sum(point.failed for point in chart),
        run_ms=part.times.run_ms,
        wait_ms=part.times.wait_ms,
    )
