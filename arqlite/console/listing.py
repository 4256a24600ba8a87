"""Pages of jobs, of all queues that are meant together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..model import checks
from ..model.query import Query
from .asked import Asked
from .cursors import Cursors, no_cursor, packed, unpacked
from .groups import asked_for
from .links import Links
from .matching import Matcher
from .places import Place
from .sources import BEGINNING, Chunk, merged
from .views import JobPage, Trouble

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

MOST_LINES = 500


async def list_jobs(
    links: Links, query: Query, redact: Iterable[str] | None, *, after: str | None, limit: int
) -> JobPage:
    """A page of the jobs that are meant; see `Console.jobs`."""
    asked = await asked_for(links, query, redact)
    lines = min(checks.count("limit", limit, 1), MOST_LINES)
    cursors = unpacked(after)
    reading = Reading(asked, lines, cursors)
    chunks = await reading.chunks()
    if after is not None and not cursors.keys() & {*chunks, *reading.finished}:
        raise no_cursor(after)
    jobs, following = merged(chunks, lines)
    return JobPage(
        jobs, packed({**dict.fromkeys(reading.finished), **following}), tuple(asked.asking.troubles)
    )


class Reading:
    """The parts of lists that make a page.

    Args:
        asked: what is asked.
        limit: how many jobs.
        cursors: where to go on.

    Attributes:
        finished: the names of lists that had ended before.
    """

    def __init__(self, asked: Asked, limit: int, cursors: Cursors) -> None:
        self._asked = asked
        self._limit = limit
        self._cursors = cursors
        self.finished = [name for name, after in cursors.items() if after is None]

    async def chunks(self) -> dict[str, Chunk]:
        """By the name of each list its next part; a queue whose ledger is away is read from its Redis."""
        asked = self._asked
        ledgers = asked.ledgers()
        with_rows = {place.key for _, _, places in ledgers for place in places}
        plain = [place for place in asked.places if place.key not in with_rows]
        told = await asyncio.gather(
            *(self._of_ledger(*one) for one in ledgers), *(self._of_redis(place) for place in plain)
        )
        return {name: chunk for chunks in told for name, chunk in chunks.items()}

    async def _of_ledger(self, name: str, ledger: Ledger, places: Sequence[Place]) -> dict[str, Chunk]:
        rows = self._asked.rows(ledger, places)
        beside = self._rowless if self._asked.means_open_jobs else self._tell_if_away
        chunk, told = await asyncio.gather(
            self._read(name, lambda read: self._asked.asking.ledger(ledger, places, read), rows.chunk),
            asyncio.gather(*(beside(ledger, place) for place in places)),
        )
        if chunk is None:
            told = await asyncio.gather(*(self._of_redis(place) for place in places))
        elif name not in self.finished:
            told = [{name: chunk}, *told]
        return {name: chunk for chunks in told for name, chunk in chunks.items()}

    async def _rowless(self, ledger: Ledger, place: Place) -> dict[str, Chunk]:
        name = f"rowless:{place.key}"

        async def read(after: object, limit: int) -> Chunk:
            return await (await self._asked.rowless(ledger, place)).chunk(after, limit)

        chunk = await self._read(name, lambda question: self._asked.asking.redis(place, question), read)
        return {} if chunk is None or name in self.finished else {name: chunk}

    async def _of_redis(self, place: Place) -> dict[str, Chunk]:
        name = f"redis:{place.key}"

        async def read(after: object, limit: int) -> Chunk:
            return await (await self._asked.live(place)).chunk(after, limit)

        self._tell_what_means_nothing(place)
        chunk = await self._read(name, lambda question: self._asked.asking.redis(place, question), read)
        return {} if chunk is None or name in self.finished else {name: chunk}

    async def _read(
        self,
        name: str,
        ask: Callable[[Callable[[], Awaitable[Chunk]]], Awaitable[Chunk | None]],
        read: Callable[[object, int], Awaitable[Chunk]],
    ) -> Chunk | None:
        if name in self.finished:
            return Chunk([], None)
        return await ask(lambda: read(self._cursors.get(name, BEGINNING), self._limit))

    async def _tell_if_away(self, _: Ledger, place: Place) -> dict[str, Chunk]:
        """Rows are shown without a Redis, too, but whoever looks should know that nothing runs."""

        async def ping() -> bool:
            return bool(await (await self._asked.links.pool(place)).ping())

        await self._asked.asking.redis(place, ping)
        return {}

    def _tell_what_means_nothing(self, place: Place) -> None:
        for word in Matcher(self._asked.query, self._asked.known).meaningless:
            text = f"{word} means no job of queue {place.key}: only a ledger knows it"
            fix = "give the queue a ledger" if place.ledger is None else ""
            self._asked.asking.tell(Trouble("info", "word-means-nothing", text, fix, place.key))
