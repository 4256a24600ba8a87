"""One reading for all who look at the same: fifty tabs cost Redis and the ledger as much as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from time import monotonic
from typing import Any, Final

from ..console import Console

FRESH_S: Final = 0.9
"""So long is what was read told to others, in seconds: pages are brought up to date once per second."""

ENDS_WITHIN_S: Final = 3.0
"""So long a reading may take when the dashboard ends, in seconds: a bit longer than a console waits."""

_READ: Final = frozenset(
    {"overview", "queues", "queue", "jobs", "counts", "count", "errors", "crons", "workers", "figures",
     "system", "troubles", "audit"}
)  # fmt: skip


class Readings:
    """What a dashboard has just read, or reads now.

    Args:
        now: the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._kept: dict[Hashable, tuple[float, asyncio.Task[Any]]] = {}
        self._under_way: set[asyncio.Task[Any]] = set()

    async def get(self, key: Hashable, read: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """What was read under this key within the last moment, or is read now; else read it."""
        began = self._now()
        self._kept = {one: kept for one, kept in self._kept.items() if began - kept[0] < FRESH_S}
        if key not in self._kept:
            task = asyncio.create_task(read())
            # Whoever waits may have gone when it fails: then nobody wants to hear of it.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            self._kept[key] = began, task
        # Others wait for it, too, so it goes on if one of them goes.
        return await asyncio.shield(self._kept[key][1])

    def forget(self) -> None:
        """Have the next ones read anew: something was done."""
        self._kept = {}

    async def end(self, *, within: float = ENDS_WITHIN_S) -> None:
        """Wait for what is being read, though nobody may want it any more; what takes longer is given up.

        Args:
            within: how many seconds it may take.
        """
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class Shared:
    """A console that shares what it reads with others that see the same; all else is that console's.

    Args:
        console: reads.
        readings: what was read.
        sees: tells apart those who do not see the same.
    """

    def __init__(self, console: Console, readings: Readings, sees: Hashable) -> None:
        self._console = console
        self._readings = readings
        self._sees = sees

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._console, name)
        if name not in _READ:
            return found

        async def read(*args: Any, **options: Any) -> Any:
            # A query is told by its text: its terms may be lists.
            key = (self._sees, name, repr(args), repr(sorted(options.items())))
            return await self._readings.get(key, lambda: found(*args, **options))

        return read
