"""Open jobs that have no row yet: a pool without the ledger enqueued them, and no worker has seen them.

Lists, counts and verbs of a queue with a ledger mean them, too. Of up to `IN_ORDER` open jobs each is looked
up in the ledger by its id. Of more that is done only where Redis has more open jobs than the ledger has open
rows, which a `Census` knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from ..engine import RedisEngine
from ..engine.management import PAGE
from ..inspector.found import Found
from ..model.codec import Codec
from ..model.states import INCOMPLETE_STATES, JobState
from .asking import Asking
from .census import Census
from .livelist import IN_ORDER, LiveList, Way
from .matching import Matcher
from .places import Place
from .redaction import Hider
from .sources import BEGINNING, Chunk
from .views import Trouble

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

PATIENCE_S = 0.05
"""For so many seconds a page looks for them: it has the rows, too."""

_OTHERS_S = 0.5


class RowlessList(LiveList):
    """The open jobs of a queue that a query means, and that have no row.

    Args:
        engine: the queue.
        place: the same, as the console knows it.
        codec: how it is written.
        matcher: which jobs.
        hider: what is not shown.
        ledger: where the others have rows.
        others: lead to the other queues that have their rows there.
        asking: asks the ledger.
        census: knows whether there are any at all, where that takes long to find out.
        is_in_haste: whether to go by what is known of that, and not to wait.
    """

    patience = PATIENCE_S
    most_are_meant = False

    def __init__(
        self,
        engine: RedisEngine,
        place: Place,
        codec: Codec,
        matcher: Matcher,
        hider: Hider,
        *,
        ledger: Ledger,
        others: Sequence[Callable[[], Awaitable[RedisEngine]]],
        asking: Asking,
        census: Census,
        is_in_haste: bool = False,
    ) -> None:
        super().__init__(engine, place, codec, matcher, hider)
        self._ledger = ledger
        self._others = others
        self._asking = asking
        self._census = census
        self._is_in_haste = is_in_haste
        self._open_states = (matcher.states or INCOMPLETE_STATES) & INCOMPLETE_STATES

    async def chunk(self, after: Any, limit: int) -> Chunk:
        """Some jobs, from a place in the list on; see `Source`."""
        if after == BEGINNING:
            if not await self._may_have_any():
                return Chunk([], None)
            if await self._way() == "homes":
                self._tell_of_parts()
        return await super().chunk(after, limit)

    async def found(self, looks: int | None = None) -> AsyncGenerator[list[Found], None]:
        """The jobs that are meant, part by part, of so many that are looked at."""
        if not await self._may_have_any(is_urgent=not self._is_in_haste):
            self.saw_all = True
            return
        async for jobs in super().found(looks):
            yield jobs

    async def _may_have_any(self, *, is_urgent: bool = False) -> bool:
        if self._matcher.meaningless or not self._open_states:
            return False
        if self._matcher.ids is not None:
            return True
        opened = await _open(self._engine)
        if opened <= IN_ORDER:
            return opened > 0
        found = await self._asking.ledger(
            self._ledger,
            [self._place],
            lambda: self._census.lacks_rows(self._ledger, self._open_jobs, is_urgent=is_urgent),
        )
        return bool(found)

    async def _open_jobs(self) -> int | None:
        """How many open jobs all queues of the ledger have; None where one of them cannot be asked."""
        others = await asyncio.gather(*map(_open_or_unknown, self._others))
        return None if None in others else await _open(self._engine) + sum(filter(None, others))

    def _tell_of_parts(self) -> None:
        key = self._place.key
        text = f"queue {key} has open jobs without a row: a page finds some of them, in no order"
        fix = "start a worker of the queue, which writes their rows"
        self._asking.tell(Trouble("info", "rows-missing", text, fix, key))

    async def _way(self) -> Way:
        if self._matcher.ids is not None or await _open(self._engine) <= IN_ORDER:
            return "whole"
        return "homes"

    async def _whole(self) -> list[Found]:
        if self._matcher.ids is not None:
            return await self._by_ids(list(self._matcher.ids))
        ids: dict[str, None] = {}
        start = 0
        # It may have grown since it was found to be small.
        while start <= 2 * IN_ORDER:
            page = await self._engine.open_ids(self._open_states, start, PAGE)
            ids.update(dict.fromkeys(page))
            if len(page) < PAGE:
                break
            start += PAGE
        return await self._by_ids(list(ids))

    async def _by_ids(self, ids: list[str]) -> list[Found]:
        return await super()._by_ids(await self._without_rows(ids))

    async def _without_rows(self, ids: list[str]) -> list[str]:
        async def ask() -> set[str]:
            return await self._ledger.ids_with_rows(ids, queue=self._place.queue)

        there = await self._asking.ledger(self._ledger, [self._place], ask)
        # Of a ledger that is away nobody knows what it lacks.
        return [] if there is None else [one for one in ids if one not in there]


async def _open_or_unknown(opening: Callable[[], Awaitable[RedisEngine]]) -> int | None:
    """How many open jobs another queue has; None where it is away, of which its own list tells."""
    try:
        async with asyncio.timeout(_OTHERS_S):
            return await _open(await opening())
    except (RedisError, OSError):
        return None


async def _open(engine: RedisEngine) -> int:
    depth = await engine.depth()
    return depth.available + depth.waiting + depth.suspended + depth.executing


def means_open_jobs(states: frozenset[JobState] | None) -> bool:
    """Whether jobs that have not ended may be meant."""
    return states is None or not states.isdisjoint(INCOMPLETE_STATES)
