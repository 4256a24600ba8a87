"""Lists of jobs from a ledger; needs the extra `ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ledger import JobRowMixin, Ledger, LedgerFilter
from ..ledger.cursors import Key, cursor_of, key_of
from ..model.query import TEXT, Query
from ..model.terms import has_glob
from .cursors import no_cursor
from .knowledge import Known
from .lines import line_of_row
from .places import Place
from .redaction import Hider
from .rowfilters import to_ledger_filter
from .sources import BEGINNING, Chunk, Listed

_MOST_NAMES = 1_000
_MOST_QUEUES = 100


class RowList:
    """The jobs of a ledger that a query means, the newest first.

    Args:
        ledger: the ledger.
        places: the queues that are meant.
        query: which jobs.
        known: what is known now.
        hider: what is not shown.
    """

    def __init__(
        self, ledger: Ledger, places: Sequence[Place], query: Query, known: Known, hider: Hider
    ) -> None:
        self.ledger = ledger
        self.places = places
        self._query = query
        self._known = known
        self._hider = hider
        self._places = {place.queue: place for place in places}
        self._there: list[str] | None = None

    async def chunk(self, after: Any, limit: int) -> Chunk:
        """Some jobs, from a place in the list on."""
        if not isinstance(after, str):
            raise no_cursor(after)
        wanted = await self.wanted()
        if wanted is None:
            return Chunk([], None)
        page = await self.ledger.jobs(wanted, after=None if after == BEGINNING else after, limit=limit)
        kind = "id" if wanted.id_prefix and wanted.jobs.ids is None else "at"
        listed = [
            Listed(
                line_of_row(row, self._places[row.queue], self._hider, self._known.now),
                cursor_of(kind, _key(row)),
            )
            for row in page.items
        ]
        frontier = None if page.next is None or kind == "id" else key_of(kind, page.next).at
        return Chunk(listed, page.next, frontier, after)

    async def wanted(self) -> LedgerFilter | None:
        """The filter; None where no row can be meant."""
        return await self.wanted_of(self._query)

    async def wanted_of(self, query: Query) -> LedgerFilter | None:
        """The filter of another query of the same queues."""
        return to_ledger_filter(query, await self._told(query), await self._queues())

    async def _queues(self) -> list[str]:
        """The queues that have to be named: none if the ledger has rows of no others."""
        meant = sorted(self._places)
        if self._there is None:
            self._there = await self.ledger.values("queue", most=_MOST_QUEUES)
        return [] if len(self._there) < _MOST_QUEUES and set(self._there) <= set(meant) else meant

    async def _told(self, query: Query) -> Known:
        """What is known, and what only this ledger can tell of the query's words."""
        texts = [value for term in query.terms if term.name == TEXT for value in term.values]
        globs = [v for term in query.terms if term.name == "function" for v in term.values if has_glob(v)]
        if not texts and not globs:
            return self._known
        names = await self.ledger.values("function", most=_MOST_NAMES)
        prefixes: Mapping[str, bool] = {
            text: bool((await self.ledger.jobs(id_prefix=text, limit=1)).items)
            for text in texts[:1]
            if not has_glob(text)
        }
        return self._known.with_rows(names if len(names) < _MOST_NAMES else None, prefixes)


def _key(row: JobRowMixin) -> Key:
    return Key(row.created_at, row.id, row.queue)
