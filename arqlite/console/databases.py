"""What a ledger's database tells of itself, as a checkup and the System page need it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .facts import LedgerFacts
from .links import Links, Silence
from .places import Place
from .views import LedgerInfo, Tally

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..ledger import Count, Ledger


async def ledger_facts(links: Links, lags: Mapping[str, timedelta]) -> list[LedgerFacts]:
    """What the ledgers of all queues tell, each asked once.

    Args:
        links: leads there.
        lags: how far rows are behind, by the key of a queue.
    """
    return list(await asyncio.gather(*(_of_ledger(links, *each, lags) for each in links.ledgers())))


async def _of_ledger(
    links: Links, ledger: Ledger, places: Sequence[Place], lags: Mapping[str, timedelta]
) -> LedgerFacts:
    facts = await links.ask_ledger(ledger, _look)
    if isinstance(facts, Silence):
        return silent(ledger, facts)
    lag = max((lags.get(place.key, timedelta()) for place in places), default=timedelta())
    rows = Tally(0) if facts.tables else await _rows(links, ledger, places)
    return replace(facts, info=replace(facts.info, lag=lag, rows=rows))


def silent(ledger: Ledger, silence: Silence) -> LedgerFacts:
    """A ledger that did not answer."""
    info = LedgerInfo(url=_url(ledger), error=silence.why, dialect=ledger.backend, mode=ledger.mode)
    return LedgerFacts(info=info)


async def _look(ledger: Ledger) -> LedgerFacts:
    from sqlalchemy import text

    from ..ledger.schema import look_at_tables

    async with ledger.engine.connect() as connection:
        began = time.monotonic()
        await connection.execute(text("SELECT 1"))
        latency_ms = (time.monotonic() - began) * 1000
        tables = await look_at_tables(connection)
        skew, most_clients = None, 0
        if ledger.backend == "postgresql":
            skew = await _skew(connection)
            most_clients = int((await connection.execute(text("SHOW max_connections"))).scalar_one())
    return LedgerFacts(
        info=LedgerInfo(
            url=_url(ledger),
            dialect=ledger.backend,
            mode=ledger.mode,
            revision=tables.revision or "",
            latency_ms=latency_ms,
        ),
        tables="" if tables.standing.is_usable else tables.in_words(),
        skew=skew,
        most_clients=most_clients,
        pool_size=_pool_size(ledger.engine),
    )


async def _skew(connection: Any) -> timedelta:
    from sqlalchemy import text

    asked_at = datetime.now(UTC)
    told: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return told - asked_at - (datetime.now(UTC) - asked_at) / 2


async def _rows(links: Links, ledger: Ledger, places: Sequence[Place]) -> Tally:
    seen = [place.queue for place in places]

    async def ask(asked: Ledger) -> Count:
        return await (asked.count(queue=seen) if links.is_narrow else asked.count())

    count = await links.ask_ledger(ledger, ask)
    return Tally(0, "at least") if isinstance(count, Silence) else Tally(count.value, count.precision)


def _pool_size(engine: AsyncEngine) -> int:
    """How many connections a process may open by its pool; 0 where a pool has no limit."""
    pool: Any = engine.sync_engine.pool
    # Pools that keep no connections have none of these.
    size, overflow = getattr(pool, "size", None), getattr(pool, "_max_overflow", -1)
    return size() + overflow if callable(size) and overflow >= 0 else 0


def _url(ledger: Ledger) -> str:
    from ..ledger.databases import shown_url

    return shown_url(ledger.url)
