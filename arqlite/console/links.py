"""The connections of a console: made when they are first needed, shared by all who act through it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import difflib
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..connections import ArqRedis, RedisSettings, create_pool
from ..errors import ConfigurationError, MissingExtra
from ..inspector import Inspector
from .census import Census
from .places import Place

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

ANSWER_S = 2.0
"""So long does a question wait for a Redis, in seconds."""
LEDGER_ANSWER_S = 2.5
"""So long for a ledger: a little more than a statement may take, so that it says itself what was slow."""
LEFT_ALONE_S = 1.0
"""So long is not asked again who did not answer: fifty tabs must not all wait for the same dead server."""

AT_ONCE = 4
"""So many questions has a queue at once: a pool that was given may have few connections, and other users."""

# An opening ends before those who wait for it give up: so the failure is remembered.
_OPENING_S = 0.9 * ANSWER_S
_GONE = (RedisConnectionError, RedisTimeoutError, OSError)

T = TypeVar("T")


class _Shut(RedisConnectionError):
    """There was no answer a moment ago, and nobody asked again."""


@dataclass(frozen=True, slots=True)
class Silence:
    """There was no answer, and why.

    Attributes:
        why: what was said, or that nothing was.
        lacks_tables: whether a database answered that nobody has made its tables, or upgraded them.
    """

    why: str
    lacks_tables: bool = False


@dataclass(slots=True)
class Door:
    """What is known of the way to somebody: whether it is worth a try.

    Attributes:
        why: why there was no answer the last time; empty if there was one.
        shut_until: until when nobody asks again, by `time.monotonic`.
        is_tried: whether somebody tries again now, for all.
    """

    why: str = ""
    shut_until: float = 0.0
    is_tried: bool = False

    @property
    def is_shut(self) -> bool:
        """Whether there was no answer a moment ago, or somebody finds out at this moment."""
        return bool(self.why) and (self.is_tried or time.monotonic() < self.shut_until)

    def shut(self, why: str) -> None:
        """Leave it alone for a moment."""
        self.why = why
        self.shut_until = time.monotonic() + LEFT_ALONE_S

    @contextlib.contextmanager
    def tried(self) -> Iterator[None]:
        """Try it; if it was silent the last time, then for all who would."""
        is_first_again = bool(self.why)
        self.is_tried = self.is_tried or is_first_again
        try:
            yield
            self.why = ""
        finally:
            if is_first_again:
                self.is_tried = False


@dataclass(slots=True)
class _Way(Door):
    """The way to a queue: opened once, by one at a time. A dead one does not hold up the others."""

    pool: ArqRedis | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


@dataclass(slots=True)
class _Shared:
    """What was opened, by the key of a place, and what is known of the ledgers."""

    ways: dict[str, _Way] = field(default_factory=dict)
    own: list[ArqRedis] = field(default_factory=list)
    doors: dict[Hashable, Door] = field(default_factory=dict)
    census: Census = field(default_factory=Census)


class Links:
    """Leads to the queues and ledgers of places.

    Args:
        places: the queues.
        by: who looks and acts.
        shared: what another one has opened.
        is_narrow: whether there are others, which who looks must not hear of.
    """

    def __init__(
        self, places: Sequence[Place], by: str = "", shared: _Shared | None = None, *, is_narrow: bool = False
    ) -> None:
        self.places = places
        self.is_narrow = is_narrow
        self.by = by
        self._by_key = {place.key: place for place in places}
        self._shared = shared or _Shared()

    @property
    def census(self) -> Census:
        """What is known of the rows of open jobs."""
        return self._shared.census

    def acting(self, by: str) -> Links:
        """The same links, in the name of somebody else."""
        return Links(self.places, by, self._shared, is_narrow=self.is_narrow)

    def only(self, places: Sequence[Place]) -> Links:
        """The same links, to some of the places."""
        return Links(places, self.by, self._shared, is_narrow=True)

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
            RedisError, OSError: it is out of reach, or was a moment ago.
        """
        way = self._way(place)
        async with way.opening:
            if way.pool is None:
                if way.why and time.monotonic() < way.shut_until:
                    raise _Shut(way.why)
                try:
                    async with asyncio.timeout(_OPENING_S):
                        way.pool = await self._open(place)
                except _GONE as error:
                    way.shut(in_words(error))
                    raise
            return way.pool

    async def inspector(self, place: Place) -> Inspector:
        """Who looks at a queue and acts on it, in the name of `by`.

        Raises:
            RedisError, OSError: its Redis is out of reach.
        """
        return Inspector(await self.pool(place), by=self.by)

    async def ask(self, place: Place, question: Callable[[Inspector], Awaitable[T]]) -> T | Silence:
        """Ask a queue something; it has `ANSWER_S`, and after a silence is left alone for a moment."""
        way = self._way(place)
        if way.is_shut:
            return Silence(way.why)
        try:
            with way.tried():
                async with asyncio.timeout(ANSWER_S), way.turns:
                    return await question(await self.inspector(place))
        except _Shut:  # it was heard of already, and that was not now
            return Silence(way.why)
        except _GONE as error:
            way.shut(in_words(error))
            return Silence(way.why)
        except RedisError as error:  # it is there, and refuses: the next question may be another one
            return Silence(in_words(error))

    async def ask_ledger(self, ledger: Ledger, question: Callable[[Ledger], Awaitable[T]]) -> T | Silence:
        """Ask a ledger something; it has `LEDGER_ANSWER_S`, and after a silence is left alone for a moment.

        Raises:
            ConfigurationError: nobody can answer that.
        """
        door = self._shared.doors.setdefault(ledger.identity, Door())
        if door.is_shut:
            return Silence(door.why)
        try:
            with door.tried():
                async with asyncio.timeout(LEDGER_ANSWER_S):
                    return await question(ledger)
        except MissingExtra as error:
            return Silence(str(error))
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 (each driver has its own, and the answer is no)
            if _is_gone(error):
                door.shut(in_words(error))
            return Silence(in_words(error), _lacks_tables(error))

    def ledgers(self) -> Sequence[tuple[Ledger, Sequence[Place]]]:
        """The ledgers, each once, and the queues that have their rows there."""
        found: dict[object, tuple[Ledger, list[Place]]] = {}
        for place in self.places:
            if place.ledger is not None:
                found.setdefault(place.ledger.identity, (place.ledger, []))[1].append(place)
        return list(found.values())

    def sharing(self, place: Place) -> Sequence[Place]:
        """The queues that have their rows where a queue has its own; none if it has none."""
        return next((places for _, places in self.ledgers() if place in places), ())

    async def aclose(self) -> None:
        """Close the clients that were opened here, and the connections of ledgers that made their engine."""
        await self._shared.census.close()
        own, self._shared.own = self._shared.own, []
        self._shared.ways.clear()
        for pool in own:
            await pool.aclose(close_connection_pool=True)
        # Several may be of one database, which is asked by each of its queues through its own.
        for ledger in {id(place.ledger): place.ledger for place in self.places}.values():
            if ledger is not None:
                await ledger.aclose()

    def _way(self, place: Place) -> _Way:
        return self._shared.ways.setdefault(place.key, _Way())

    async def _open(self, place: Place) -> ArqRedis:
        if place.pool is not None:
            return place.pool
        told = place.settings
        # Who looks wants to hear at once that it is away; only an idle connection is worth a second try.
        settings = dataclasses.replace(place.redis_settings or RedisSettings(), conn_retries=0)
        settings.retry = settings.retry or Retry(NoBackoff(), 1)
        pool = await create_pool(
            settings,
            default_queue_name=place.queue,
            job_serializer=told.get("job_serializer"),
            job_deserializer=told.get("job_deserializer"),
            ledger=place.ledger,
        )
        self._shared.own.append(pool)
        return pool


def _is_gone(error: Exception) -> bool:
    """Whether a database cannot be asked at all; a slow question, or tables that are missing, say nothing of
    the next one.
    """
    from ..ledger.outage import is_away

    return is_away(error) and not _lacks_tables(error)


def _lacks_tables(error: Exception) -> bool:
    from ..ledger.outage import lacks_tables

    return lacks_tables(error)


def in_words(error: BaseException) -> str:
    """Say on one line why there was no answer."""
    if type(error) is TimeoutError and not error.args:
        return "no answer in time"
    if isinstance(error, _Shut):  # it has the words of the error that was before
        return str(error)
    told = getattr(error, "orig", None) or error  # SQLAlchemy puts much around what a driver said
    said = " ".join(str(told).split())
    return f"{type(told).__name__}: {said}" if said else type(told).__name__
