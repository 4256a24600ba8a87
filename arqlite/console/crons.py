"""The cron jobs of all queues: when they run, in words, and what became of their last jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.crons import CronView
from ..model.cronwords import in_words
from .asking import Asking, ledger_silent, redis_away
from .lines import bare_line_of_row
from .links import LEDGER_ANSWER_S, Links, Silence
from .places import Place
from .views import CronLine, CronList, JobLine

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import JobRowMixin, Ledger

RECENT = 20
"""So many of its last jobs a cron job shows."""

# Their rows are asked for one cron job at a time, so that a page of them does not take a pool's connections.
_AT_ONCE = 2
_TOO_LATE = "no answer in time"


async def cron_lines(links: Links) -> CronList:
    """The cron jobs of all queues, by queue and name, and what does not tell of them or of their jobs."""
    asking = Asking(links)
    found = await asyncio.gather(*(_of_place(links, place, asking) for place in links.places))
    return CronList(
        sorted(
            (line for lines in found for line in lines),
            key=lambda line: (line.queue, line.name, line.schedule),
        ),
        tuple(asking.troubles),
    )


async def _of_place(links: Links, place: Place, asking: Asking) -> list[CronLine]:
    views = await links.ask(place, lambda inspector: inspector.crons(place.queue))
    if isinstance(views, Silence):
        asking.tell(redis_away(place.key, place.server, views.why))
        return []
    recent = await _all_recent(links, place, views, asking)
    return [_line(place, view, jobs) for view, jobs in zip(views, recent, strict=True)]


async def _all_recent(
    links: Links, place: Place, views: Sequence[CronView], asking: Asking
) -> list[Sequence[JobLine]]:
    """The last jobs of all cron jobs of a queue, as far as they are found in time."""
    turns = asyncio.Semaphore(_AT_ONCE)
    tasks = [asyncio.create_task(_recent(links, place, view, turns)) for view in views]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=LEDGER_ANSWER_S)
    finally:
        for task in tasks:
            task.cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
    for failure in told:
        if isinstance(failure, Exception):
            raise failure
    silent = [
        jobs if isinstance(jobs, Silence) else Silence(_TOO_LATE)
        for jobs in told
        if isinstance(jobs, Silence | BaseException)
    ]
    if silent and place.ledger is not None:
        asking.tell(ledger_silent(place.ledger, links.sharing(place), silent[0]))
    return [() if isinstance(jobs, Silence | BaseException) else jobs for jobs in told]


async def _recent(
    links: Links, place: Place, view: CronView, turns: asyncio.Semaphore
) -> Sequence[JobLine] | Silence:
    if place.ledger is None:
        return ()
    async with turns:
        rows = await links.ask_ledger(place.ledger, lambda ledger: _rows(ledger, place, view))
    return rows if isinstance(rows, Silence) else [bare_line_of_row(row, place) for row in rows]


async def _rows(ledger: Ledger, place: Place, view: CronView) -> Sequence[JobRowMixin]:
    page = await ledger.jobs(
        queue=place.queue, function=view.function, meta={"cron_name": view.name}, limit=RECENT
    )
    return page.items


def _line(place: Place, view: CronView, recent: Sequence[JobLine]) -> CronLine:
    return CronLine(
        queue=place.key,
        name=view.name,
        schedule=view.schedule,
        words=in_words(view.schedule),
        timezone=view.timezone,
        function=view.function,
        last_at=view.last_at,
        next_at=view.next_at,
        is_paused=view.is_paused,
        recent=recent,
    )
