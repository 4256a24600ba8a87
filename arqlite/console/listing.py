"""Pages of jobs, of all queues that are meant together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..engine import RedisEngine
from ..model import checks
from ..model.codec import Codec
from ..model.query import Query, Term
from .asking import Asking
from .cursors import Cursors, no_cursor, packed, unpacked
from .knowledge import Known, known_for, places_meant, states_meant
from .links import Links
from .livelist import LiveList
from .matching import Matcher
from .places import Place
from .redaction import Hider
from .rowless import RowlessList, means_open_jobs
from .sources import BEGINNING, Chunk, merged
from .views import JobPage, Trouble

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger
    from .rowlist import RowList

MOST_LINES = 500


async def list_jobs(
    links: Links, query: Query, redact: Iterable[str] | None, *, after: str | None, limit: int
) -> JobPage:
    """A page of the jobs that are meant; see `Console.jobs`."""
    asked = await Asked.of(links, query, redact)
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


class Asked:
    """A query that is asked: which queues it is about, what is known, and what could not be asked.

    Attributes:
        links: lead to the queues.
        query: the query.
        places: the queues that are meant.
        known: what is known now.
        hider: what is not shown.
        asking: asks, and keeps the troubles.
        until: when, by `time.monotonic`, the counting of jobs ends that have to be looked at one by one.
    """

    def __init__(
        self, links: Links, query: Query, places: Sequence[Place], known: Known, hider: Hider
    ) -> None:
        self.links = links
        self.query = query
        self.places = places
        self.known = known
        self.hider = hider
        self.asking = Asking(links)
        self.until = math.inf

    def instead(self, query: Query, places: Sequence[Place] | None = None) -> Asked:
        """Another question of the same reader: of these queues, or of the same ones."""
        asked = Asked(self.links, query, self.places if places is None else places, self.known, self.hider)
        asked.until = self.until
        return asked

    @classmethod
    async def of(cls, links: Links, query: Query, redact: Iterable[str] | None) -> Asked:
        """Find out what is to be known first.

        Raises:
            ConfigurationError: the query names an unknown queue, or what is not shown.
        """
        hider, places = Hider(redact), places_meant(links, query)
        for term in query.terms:
            hider.refuse_to_compare(term.name, places)
        return cls(links, query, places, await known_for(links, query, places), hider)

    def ledgers(self) -> list[tuple[str, Ledger, list[Place]]]:
        """The ledgers of the queues that are meant, each with its name in cursors."""
        found = []
        for number, (ledger, places) in enumerate(self.links.ledgers()):
            meant = [place for place in places if place in self.places]
            if meant:
                found.append((f"ledger:{number}", ledger, meant))
        return found

    def rows(self, ledger: Ledger, places: Sequence[Place]) -> RowList:
        """The rows of a ledger that are meant."""
        from .rowlist import RowList

        return RowList(ledger, places, self.query, self.known, self.hider)

    async def live(self, place: Place) -> LiveList:
        """The jobs in the Redis of a queue that are meant.

        Raises:
            RedisError, OSError: it is out of reach.
        """
        codec = await self._codec(place)
        return LiveList(await self._engine(place), place, codec, Matcher(self.query, self.known), self.hider)

    async def rowless(self, ledger: Ledger, place: Place) -> RowlessList:
        """The open jobs of a queue that are meant, and that its ledger has no rows of.

        Raises:
            RedisError, OSError: it is out of reach.
        """
        codec, engine = await self._codec(place), await self._engine(place)
        query = Query((*self.query.terms, Term("state", ("incomplete",))))
        others = [
            partial(self._engine, one)
            for other, places in self.links.ledgers()
            if other.identity == ledger.identity
            for one in places
            if one.key != place.key
        ]
        return RowlessList(
            engine, place, codec, Matcher(query, self.known), self.hider,
            ledger=ledger, others=others, asking=self.asking, census=self.links.census,
            is_in_haste=self.until < math.inf,
        )  # fmt: skip

    @property
    def means_open_jobs(self) -> bool:
        """Whether jobs that have not ended may be meant."""
        return means_open_jobs(states_meant(self.query.terms))

    async def _engine(self, place: Place) -> RedisEngine:
        return RedisEngine(await self.links.pool(place), place.queue)

    async def _codec(self, place: Place) -> Codec:
        pool = await self.links.pool(place)
        return Codec(pool.job_serializer, pool.job_deserializer)


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
