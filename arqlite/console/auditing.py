"""What was done by hand: read from the audits of ledgers, and written for what is done to many jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..model import checks
from .asking import Asking
from .cursors import no_cursor, packed, unpacked
from .links import Links
from .places import Place
from .redaction import Hider
from .views import AuditLine, AuditPage

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import AuditRow, Ledger, Page

logger = logging.getLogger("arqlite.console")

MOST_LINES = 500


async def audit_page(
    links: Links,
    redact: Iterable[str] | None,
    *,
    queue: str | None,
    actor: str | None,
    after: str | None,
    limit: int,
) -> AuditPage:
    """What was done by hand, the newest first; see `Console.audit`."""
    most = min(checks.count("limit", limit, 1), MOST_LINES)
    meant = None if queue is None else links.place(queue)
    cursors, asking, hider = unpacked(after), Asking(links), Hider(redact)
    ledgers = {
        f"ledger:{number}": (ledger, places)
        for number, (ledger, places) in enumerate(links.ledgers())
        if meant is None or meant in places
    }
    if after is not None and not cursors.keys() & ledgers.keys():
        raise no_cursor(after)

    async def read(name: str) -> tuple[str, Page[AuditRow] | None]:
        ledger, places = ledgers[name]
        begin = cursors.get(name)

        async def ask() -> Page[AuditRow]:
            name_of_queue = None if meant is None else meant.queue
            return await ledger.audit(queue=name_of_queue, actor=actor, after=begin, limit=most)

        return name, await asking.ledger(ledger, places, ask)

    unread = [name for name in ledgers if after is None or cursors.get(name) is not None]
    pages = {name: page for name, page in await asyncio.gather(*map(read, unread)) if page is not None}
    rows = [(row.at, name, row) for name, page in pages.items() for row in page.items]
    taken = sorted(rows, key=lambda one: one[0], reverse=True)[:most]
    lines = [_line(row, ledgers[name][1], hider) for _, name, row in taken]
    following = {
        name: _after(page, [row for _, of, row in taken if of == name], cursors.get(name))
        for name, page in pages.items()
    }
    return AuditPage(lines, packed(following), tuple(asking.troubles))


async def tell_audit(links: Links, places: Sequence[Place], action: str, detail: Mapping[str, Any]) -> None:
    """Write down what was done to many jobs, once in each ledger of these queues.

    It has been done by then: where a ledger is away, the log tells instead.
    """
    for ledger, of_ledger in links.ledgers():
        meant = [place for place in of_ledger if place in places]
        if meant:
            await _write(links, ledger, meant, action, detail)


async def _write(
    links: Links, ledger: Ledger, places: Sequence[Place], action: str, detail: Mapping[str, Any]
) -> None:
    from ..ledger import AuditEntry, store

    queue = places[0].queue if len(places) == 1 else ""
    entry = AuditEntry(action, queue, links.by, detail=detail)
    asking = Asking(links)

    async def write() -> bool:
        async with ledger.sessions.begin() as db:
            await store.audit(db, [entry])
        return True

    if await asking.ledger(ledger, places, write) is None:
        told = asking.troubles[0].text
        logger.error("the audit missed %s by %r, %r: %s", action, links.by, dict(detail), told)


def _line(row: AuditRow, places: Sequence[Place], hider: Hider) -> AuditLine:
    keys = {place.queue: place.key for place in places}
    return AuditLine(
        at=row.at,
        queue=keys.get(row.queue, row.queue),
        action=row.action,
        actor=row.actor,
        job_id=row.job_id or "",
        detail=hider.shown(row.detail),
    )


def _after(page: Page[AuditRow], taken: Sequence[AuditRow], begin: str | None) -> str | None:
    """Where an audit goes on; entries are numbered, and a cursor is the number of the last one."""
    if len(taken) == len(page.items):
        return page.next
    # Above all numbers is the beginning.
    return str(taken[-1].id) if taken else begin or "9" * 18
