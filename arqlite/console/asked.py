"""A query that is asked: which queues it is about, what is known, and what could not be asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..engine import RedisEngine
from ..model.codec import Codec
from ..model.query import Query, Term
from .asking import Asking
from .knowledge import Known, known_for, places_meant, states_meant
from .links import Links
from .livelist import LiveList
from .matching import Matcher
from .places import Place
from .redaction import Hider
from .rowless import RowlessList, means_open_jobs

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger
    from .rowlist import RowList


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
