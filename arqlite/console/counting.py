"""How many jobs are meant: open ones from their homes in Redis, ended ones from ledgers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from ..engine import RedisEngine
from ..engine.management import Depth
from ..model.query import Query, Term
from ..model.states import FINAL_STATES, JobState
from .asked import Asked
from .groups import asked_for
from .knowledge import states_meant
from .links import Links
from .livelist import LiveList
from .places import Place
from .views import Precision, Tally

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

NOTHING = Tally(0)
UNKNOWN = Tally(0, "at least")

MOST_LOOKED_AT = 20_000
"""So many rows are looked at where no index has the number."""

PATIENCE_S = 0.05
"""For so many seconds jobs are looked at for the numbers beside a list, one part of each queue at least."""

MOST_BESIDE_A_LIST = 2_000
"""So many rows are looked at for the numbers beside a list: each may lie in another page of the disk."""

_MOST_OF_A_QUEUE = 1_000
_MOST_OF_A_LEDGER = 10_000

_MOST_TROUBLED = 20_000
_OF_STATES = ("state", "status")
Tallies = Mapping[JobState, Tally]


async def counts(links: Links, query: Query, redact: Iterable[str] | None) -> dict[str, Tally]:
    """How many jobs are meant, by their state, and all together; see `Console.counts`."""
    plain = Query(tuple(term for term in query.terms if term.name not in _OF_STATES))
    asked = await asked_for(links, plain, redact)
    asked.until = time.monotonic() + PATIENCE_S
    by_state = await _by_state(asked)
    return {str(state): by_state[state] for state in JobState} | {"all": added(by_state.values())}


def matched(by_state: Mapping[str, Tally], query: Query) -> Tally:
    """How many jobs a query means, of what `counts` told of it.

    Args:
        by_state: the numbers, which leave out what the query says of states.
        query: the query that was asked.
    """
    meant = states_meant(query.terms)
    return added(by_state[state] for state in map(str, JobState) if meant is None or state in meant)


async def count(links: Links, query: Query, redact: Iterable[str] | None) -> Tally:
    """How many jobs are meant; see `Console.count`."""
    states = states_meant(query.terms)
    if all(term.name in (*_OF_STATES, "queue") for term in query.terms):
        plain = Query(tuple(term for term in query.terms if term.name == "queue"))
        by_state = await _by_state(await Asked.of(links, plain, redact))
        return added(tally for state, tally in by_state.items() if states is None or state in states)
    asked = await asked_for(links, query, redact)
    return added(await asyncio.gather(*_one_number_each(asked)))


def added(tallies: Iterable[Tally]) -> Tally:
    """All together, as exact as the least exact of them."""
    told = list(tallies)
    precisions = {one.precision for one in told}
    worst: Precision = "exact"
    for precision in ("at least", "about"):
        if precision in precisions:
            worst = precision
    return Tally(sum(one.value for one in told), worst)


async def _by_state(asked: Asked) -> dict[JobState, Tally]:
    only_queues = all(term.name == "queue" for term in asked.query.terms)
    ledgers = asked.ledgers()
    with_rows = {place.key for _, _, places in ledgers for place in places}
    questions = [
        _of_ledger_without_words(asked, ledger, places) if only_queues else _of_ledger(asked, ledger, places)
        for _, ledger, places in ledgers
    ]
    questions += [
        _of_redis_without_words(asked, place) if only_queues else _of_redis(asked, place)
        for place in asked.places
        if place.key not in with_rows
    ]
    told = await asyncio.gather(*questions)
    return {state: added(one.get(state, NOTHING) for one in told) for state in JobState}


def _one_number_each(asked: Asked) -> list[Any]:
    ledgers = asked.ledgers()
    with_rows = {place.key for _, _, places in ledgers for place in places}
    plain = [place for place in asked.places if place.key not in with_rows]
    return [
        *(_number_of_rows(asked, ledger, places) for _, ledger, places in ledgers),
        *(_number_in_redis(asked, place) for place in plain),
    ]


async def _number_of_rows(asked: Asked, ledger: Ledger, places: Sequence[Place]) -> Tally:
    async def ask() -> Tally:
        wanted = await asked.rows(ledger, places).wanted()
        if wanted is None:
            return NOTHING
        told = await ledger.count(wanted, most=MOST_LOOKED_AT if wanted.is_looked_for else None)
        return Tally(told.value, told.precision)

    found = await asked.asking.ledger(ledger, places, ask)
    if found is not None:
        rowless = await asyncio.gather(*(_rowless(asked, ledger, place) for place in places))
        return added([found, *(tally for one in rowless for tally in one.values())])
    return added(await asyncio.gather(*(_number_in_redis(asked, place) for place in places)))


async def _number_in_redis(asked: Asked, place: Place) -> Tally:
    return added((await _of_redis(asked, place)).values())


async def _of_ledger(asked: Asked, ledger: Ledger, places: Sequence[Place]) -> Tallies:
    """Rows by state that a query means, of so many that are looked at."""

    async def ask() -> Tallies:
        wanted = await asked.rows(ledger, places).wanted()
        if wanted is None:
            return {}
        counted = await ledger.count_by_state(wanted, most=MOST_BESIDE_A_LIST, now=asked.known.now)
        return {state: Tally(count.value, count.precision) for state, count in counted.items()}

    found = await asked.asking.ledger(ledger, places, ask)
    if found is not None:
        return _together([found, *[await _rowless(asked, ledger, place) for place in places]])
    return _together(await asyncio.gather(*(_of_redis(asked, place) for place in places)))


async def _of_ledger_without_words(asked: Asked, ledger: Ledger, places: Sequence[Place]) -> Tallies:
    """All jobs of queues: the open ones from Redis, the ended ones from their index."""

    rows = asked.rows(ledger, places)

    async def ask(state: JobState) -> Tally:
        wanted = await rows.wanted_of(Query((Term("state", (str(state),)),)))
        if wanted is None:
            return NOTHING
        told = await ledger.count(wanted, most=_MOST_OF_A_QUEUE if wanted.queues else _MOST_OF_A_LEDGER)
        return Tally(told.value, told.precision)

    async def ended(state: JobState) -> tuple[JobState, Tally]:
        return state, await asked.asking.ledger(ledger, places, lambda: ask(state)) or UNKNOWN

    opened, over = await asyncio.gather(
        asyncio.gather(*(_open_ones(asked, place) for place in places)),
        asyncio.gather(*(ended(state) for state in JobState if state in FINAL_STATES)),
    )
    if any(one is None for one in opened):  # Redis is away, and rows tell of open jobs, too
        return {**await _of_ledger(asked.instead(_incomplete()), ledger, places), **dict(over)}
    return {**_together([one.tallies for one in opened if one is not None]), **dict(over)}


async def _of_redis_without_words(asked: Asked, place: Place) -> Tallies:
    opened = await _open_ones(asked, place)
    if opened is None:
        return dict.fromkeys(JobState, UNKNOWN)
    if opened.ended == 0:
        return opened.tallies
    query = Query((Term("state", tuple(map(str, FINAL_STATES))),))
    over = await _of_redis(asked.instead(query, [place]), place)
    return {**over, **opened.tallies}


async def _of_redis(asked: Asked, place: Place) -> Tallies:
    """Jobs by state that a query means, of so many that are looked at."""

    async def ask() -> Tallies:
        return await _counted(await asked.live(place), asked.until)

    return await asked.asking.redis(place, ask) or dict.fromkeys(JobState, UNKNOWN)


async def _rowless(asked: Asked, ledger: Ledger, place: Place) -> Tallies:
    """Open jobs that a query means and that have no row; none is known of while Redis is away."""

    async def ask() -> Tallies:
        counted = await _counted(await asked.rowless(ledger, place), asked.until)
        return {state: tally for state, tally in counted.items() if tally.value}

    return await asked.asking.redis(place, ask) or {} if asked.means_open_jobs else {}


async def _counted(live: LiveList, until: float) -> Tallies:
    counted: Counter[JobState] = Counter()
    async with aclosing(live.found(MOST_LOOKED_AT)) as parts:
        async for jobs in parts:
            counted.update(one.state for one in jobs)
            if time.monotonic() > until:
                break
    precision: Precision = "exact" if live.saw_all else "at least"
    return {state: Tally(counted[state], precision) for state in JobState}


class _Open(NamedTuple):
    """Jobs that have not ended, by state, and how many have of which something is kept."""

    tallies: Tallies
    ended: int


async def _open_ones(asked: Asked, place: Place) -> _Open | None:
    """How many jobs of a queue have not ended, by the sizes of their homes; None where Redis is away."""

    async def ask() -> _Open:
        engine = RedisEngine(await asked.links.pool(place), place.queue)
        depth = await engine.depth()
        retryable, precision = await _retryable(engine, depth)
        tallies = {
            JobState.AVAILABLE: Tally(depth.available),
            JobState.SUSPENDED: Tally(depth.suspended),
            JobState.EXECUTING: Tally(depth.executing),
            JobState.RETRYABLE: Tally(retryable, precision),
            JobState.SCHEDULED: Tally(depth.waiting - retryable, precision),
        }
        return _Open(tallies, max(depth.known - sum(one.value for one in tallies.values()), 0))

    return await asked.asking.redis(place, ask)


async def _retryable(engine: RedisEngine, depth: Depth) -> tuple[int, Precision]:
    """How many of those that wait do so for another try."""
    if not depth.waiting or not depth.troubled:
        return 0, "exact"
    if depth.troubled > _MOST_TROUBLED:  # each would have to be looked at
        return min(depth.troubled, depth.waiting), "about"
    return min(await engine.count_retryable(depth.now_ms), depth.waiting), "exact"


def _incomplete() -> Query:
    return Query((Term("state", ("incomplete",)),))


def _together(told: Sequence[Tallies]) -> Tallies:
    return {state: added(one[state] for one in told if state in one) for state in JobState}
