"""Lists of jobs from Redis, for queues without a ledger and for times when theirs is away.

A queue with few jobs is read whole, and its list is in order. Of one with many, a part is read at a time: the
jobs of each part are in order, and the parts as they come. Either way a call looks at so many jobs at most.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from ..engine import RedisEngine
from ..engine.management import PAGE
from ..inspector.found import Found, envelope_of
from ..model.codec import Codec, state_of_record
from ..model.states import INCOMPLETE_STATES, STATES_BY_LETTER, JobState
from ..utils import timestamp_ms
from .cursors import no_cursor
from .lines import line_of_found
from .matching import Facts, Matcher
from .places import Place
from .redaction import Hider
from .sources import BEGINNING, Chunk, Listed

LOOKS = 20_000
"""At so many jobs one call looks."""

LOOKS_S = 0.2
"""And for so many seconds, but at one part at least: a page is not to keep anybody waiting."""

IN_ORDER = 5_000
"""With so many jobs a queue is read whole."""

FEW = 100
"""So many jobs has a part for a page where most of its jobs are meant."""

Way: TypeAlias = Literal["whole", "scan", "homes"]


class _Part(NamedTuple):
    """Some jobs of a queue that are meant, the newest first.

    Attributes:
        place: where it begins.
        next: where the next one begins; None after the last.
        looked: at how many jobs was looked.
        jobs: those that are meant.
    """

    place: int
    next: int | None
    looked: int
    jobs: list[Found]


class LiveList:
    """The jobs of a queue in Redis that a query means.

    Args:
        engine: the queue.
        place: the same, as the console knows it.
        codec: how it is written.
        matcher: which jobs.
        hider: what is not shown.

    Attributes:
        saw_all: whether `found` has looked at all jobs that may be meant.
        patience: for how many seconds `chunk` looks, at one part at least.
        most_are_meant: whether most jobs of a part are meant where only their state is asked for.
    """

    patience = LOOKS_S
    most_are_meant = True

    def __init__(
        self, engine: RedisEngine, place: Place, codec: Codec, matcher: Matcher, hider: Hider
    ) -> None:
        self._engine = engine
        self._place = place
        self._codec = codec
        self._matcher = matcher
        self._hider = hider
        self.saw_all = False

    async def chunk(self, after: Any, limit: int) -> Chunk:
        """Some jobs, from a place in the list on; see `Source`."""
        way, begin, last = await self._begin(after)
        taken: list[tuple[Found, Any]] = []
        following: Any = None
        deadline = time.monotonic() + self.patience
        async for part in self._parts(way, begin, self._part_of_page()):
            jobs = part.jobs if last is None else [one for one in part.jobs if _key(one) < last]
            last = None
            room = limit - len(taken)
            taken += [(one, [way, part.place, *_key(one)]) for one in jobs[:room]]
            if len(jobs) > room:
                following = taken[-1][1] if taken else after
                break
            following = None if part.next is None else [way, part.next]
            if len(taken) == limit or time.monotonic() > deadline:
                break
        return Chunk(await self._listed(taken), following, begin=after)

    async def found(self, looks: int | None = None) -> AsyncGenerator[list[Found], None]:
        """The jobs that are meant, part by part, of so many that are looked at."""
        self.saw_all = False
        way, begin, _ = await self._begin(BEGINNING)
        async for part in self._parts(way, begin, PAGE, looks):
            self.saw_all = part.next is None
            yield part.jobs

    async def _begin(self, after: Any) -> tuple[Way, int, tuple[int, str] | None]:
        """How the queue is read, from where, and which job was told last of the part that begins there."""
        if after == BEGINNING:
            return await self._way(), 0, None
        match after:
            case ["whole" | "scan" | "homes" as way, int() as place] if place >= 0:
                return way, place, None
            case ["whole" | "scan" | "homes" as way, int() as place, int() as ms, str() as job_id] if (
                place >= 0
            ):
                return way, place, (ms, job_id)
            case _:
                raise no_cursor(after)

    async def _way(self) -> Way:
        if self._matcher.ids is not None or (await self._engine.depth()).known <= IN_ORDER:
            return "whole"
        states = self._matcher.states
        return "homes" if states is not None and states <= INCOMPLETE_STATES else "scan"

    def _part_of_page(self) -> int:
        """How large parts are; the same for all pages of a query, or none would go on where one ended."""
        return min(FEW, PAGE) if self.most_are_meant and self._matcher.asks_only_for_states else PAGE

    async def _parts(self, way: Way, place: int, size: int, looks: int | None = None) -> AsyncIterator[_Part]:
        left = LOOKS if looks is None else looks
        while left > 0:
            part = await self._part(way, place, min(size, left))
            yield part
            if part.next is None:
                return
            place, left = part.next, left - max(part.looked, 1)

    async def _part(self, way: Way, place: int, size: int) -> _Part:
        if way == "whole":
            jobs = await self._whole()
            return _Part(0, None, len(jobs), _in_order(jobs))
        if way == "scan":
            following, records = await self._engine.page(place, size)
            return _Part(place, following or None, len(records), _in_order(await self._meant(records)))
        states = self._matcher.states or frozenset[JobState]()
        ids = await self._engine.open_ids(states, place, size)
        following_place = None if len(ids) < size else place + len(ids)
        return _Part(place, following_place, len(ids), _in_order(await self._by_ids(ids)))

    async def _whole(self) -> list[Found]:
        if self._matcher.ids is not None:
            return await self._by_ids(list(self._matcher.ids))
        found: dict[str, Found] = {}
        cursor, looked = 0, 0
        # It may have grown since it was found to be small.
        while looked <= 2 * IN_ORDER:
            cursor, records = await self._engine.page(cursor, PAGE)
            looked += len(records)
            found.update((one.job_id, one) for one in await self._meant(records))
            if cursor == 0:
                break
        return list(found.values())

    async def _meant(self, records: Sequence[tuple[str, bytes]]) -> list[Found]:
        """Those of some records that are meant."""
        now = b"%013d" % timestamp_ms()
        states = self._matcher.states
        may_live = states is None or not states.isdisjoint(INCOMPLETE_STATES)
        over: list[Found] = []
        alive: list[Found] = []
        for job_id, record in records:
            if record[:1] == b"R":
                if record[1:14] > now and self._matcher.may_mean(state := state_of_record(record)):
                    over.append(Found(job_id, state, record, envelope_of(self._codec, record)))
            elif may_live:
                alive.append(Found(job_id, JobState.AVAILABLE, record, envelope_of(self._codec, record)))
        if alive:
            over += await self._standing(alive)
        return await self._held_against(over)

    async def _standing(self, alive: list[Found]) -> list[Found]:
        """Those that have not ended meanwhile, as they stand."""
        standings = await self._engine.standings([one.job_id for one in alive])
        found = [
            dataclasses.replace(one, state=STATES_BY_LETTER[standing.state], standing=standing)
            for one, standing in zip(alive, standings, strict=True)
            if standing.state
        ]
        return [one for one in found if self._matcher.may_mean(one.state)]

    async def _by_ids(self, ids: list[str]) -> list[Found]:
        found = [
            Found(job_id, STATES_BY_LETTER[one.state], one.record, envelope_of(self._codec, one.record), one)
            for job_id, one in zip(ids, await self._engine.standings(ids, with_records=True), strict=True)
            if one.state
        ]
        return await self._held_against([one for one in found if self._matcher.may_mean(one.state)])

    async def _held_against(self, found: list[Found]) -> list[Found]:
        if self._matcher.asks_only_for_states:
            return found
        entries: list[list[bytes]] = [[] for _ in found]
        if self._matcher.needs_errors:
            entries = await self._engine.errors_of([one.job_id for one in found])
        return [
            one
            for one, told in zip(found, entries, strict=True)
            if self._matcher.means(Facts(one, self._codec, told))
        ]

    async def _listed(self, taken: Sequence[tuple[Found, Any]]) -> list[Listed]:
        failed = [found.job_id for found, _ in taken if not found.state.is_final and found.memory.tries]
        told = dict(zip(failed, await self._engine.errors_of(failed) if failed else [], strict=True))
        return [
            Listed(
                line_of_found(
                    found, self._place, self._codec, self._hider, told.get(found.job_id, ())
                ),
                after,
            )
            for found, after in taken
        ]  # fmt: skip


def _in_order(jobs: list[Found]) -> list[Found]:
    return sorted(jobs, key=_key, reverse=True)


def _key(found: Found) -> tuple[int, str]:
    return found.enqueue_ms, found.job_id
