"""The connections of a console: made when they are first needed, shared by all who act through it."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..connections import ArqRedis, RedisSettings, create_pool
from ..errors import ConfigurationError
from ..inspector import Inspector
from .places import Place

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger


@dataclass(slots=True)
class _Pools:
    """What was opened, by the key of a place."""

    by_key: dict[str, ArqRedis] = field(default_factory=dict)
    own: list[ArqRedis] = field(default_factory=list)
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class Links:
    """Leads to the queues and ledgers of places.

    Args:
        places: the queues.
        by: who looks and acts.
        shared: what another one has opened.
    """

    def __init__(self, places: Sequence[Place], by: str = "", shared: _Pools | None = None) -> None:
        self.places = places
        self.by = by
        self._by_key = {place.key: place for place in places}
        self._pools = shared or _Pools()

    def acting(self, by: str) -> Links:
        """The same links, in the name of somebody else."""
        return Links(self.places, by, self._pools)

    def place(self, key: str) -> Place:
        """The queue of a key.

        Raises:
            ConfigurationError: there is none.
        """
        if key not in self._by_key:
            near = difflib.get_close_matches(key, self._by_key, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._by_key)}"
            raise ConfigurationError(f"there is no queue {key!r}; {hint}")
        return self._by_key[key]

    def chosen(self, keys: Iterable[str]) -> Sequence[Place]:
        """The queues of these keys; all without any.

        Raises:
            ConfigurationError: there is none of a key.
        """
        return [self.place(key) for key in keys] or self.places

    async def pool(self, place: Place) -> ArqRedis:
        """The client of a queue's Redis.

        Raises:
            RedisError, OSError: it is out of reach.
        """
        async with self._pools.opening:
            if place.key not in self._pools.by_key:
                self._pools.by_key[place.key] = await self._open(place)
            return self._pools.by_key[place.key]

    async def inspector(self, place: Place) -> Inspector:
        """Who looks at a queue and acts on it, in the name of `by`.

        Raises:
            RedisError, OSError: its Redis is out of reach.
        """
        return Inspector(await self.pool(place), by=self.by)

    def ledgers(self) -> Sequence[tuple[Ledger, Sequence[Place]]]:
        """The ledgers, each once, and the queues that have their rows there."""
        found: dict[object, tuple[Ledger, list[Place]]] = {}
        for place in self.places:
            if place.ledger is not None:
                found.setdefault(place.ledger.identity, (place.ledger, []))[1].append(place)
        return list(found.values())

    async def aclose(self) -> None:
        """Close the clients that were opened here, and the connections of ledgers that made their engine."""
        own, self._pools.own = self._pools.own, []
        self._pools.by_key.clear()
        for pool in own:
            await pool.aclose(close_connection_pool=True)
        for ledger, _ in self.ledgers():
            await ledger.aclose()

    async def _open(self, place: Place) -> ArqRedis:
        if place.pool is not None:
            return place.pool
        told = place.settings
        # Who looks wants to hear at once that it is out of reach.
        settings = dataclasses.replace(place.redis_settings or RedisSettings(), conn_retries=0)
        pool = await create_pool(
            settings,
            default_queue_name=place.queue,
            job_serializer=told.get("job_serializer"),
            job_deserializer=told.get("job_deserializer"),
            ledger=place.ledger,
        )
        self._pools.own.append(pool)
        return pool
