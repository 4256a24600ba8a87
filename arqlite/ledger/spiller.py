"""`Spiller`: puts the oldest of what a recorder has no room for into its overflow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..service import Service
from .backlog import Backlog
from .leaving import packets_of, report_overflow
from .overflow import Overflow

_PUT_TIMEOUT_S = 5.0


class Spiller(Service):
    """Watches over the room that a backlog takes.

    Args:
        backlog: what waits to be written.
        overflow: where its oldest entries go.
        capacity: how many entries may wait.
        settled: called when entries have left the backlog, or are back in it.
    """

    def __init__(
        self, backlog: Backlog, overflow: Overflow, capacity: int, settled: Callable[[], None]
    ) -> None:
        super().__init__()
        self._backlog = backlog
        self._overflow = overflow
        self._capacity = capacity
        self._settled = settled
        self._crowded = asyncio.Event()

    async def start(self) -> None:
        """Begin to watch; anew at each start: one recorder may serve several loops, one after the other."""
        self._crowded = asyncio.Event()
        await super().start()

    def crowded(self) -> None:
        """More waits than may."""
        self._crowded.set()

    async def run(self) -> None:
        """Whenever more waits than may, make room."""
        while True:
            await self._crowded.wait()
            self._crowded.clear()
            while len(self._backlog) > self._capacity and await self._spill():
                pass

    async def spill_all(self) -> None:
        """Put everything into the overflow, as far as it takes it: nobody writes any more."""
        while len(self._backlog) and await self._spill():
            pass

    async def _spill(self) -> bool:
        """Put some of what waits into the overflow; False if it did not take it, or there is nothing."""
        limit = max(self._capacity // 4, 1)
        accepted = self._backlog.take_accepted(limit)
        runs = self._backlog.take_runs(limit)
        is_put = False
        try:
            if packets := packets_of(accepted, runs):
                async with asyncio.timeout(_PUT_TIMEOUT_S):
                    await self._overflow.put(packets)
                is_put = True
        except Exception as error:  # noqa: BLE001 (then it waits here, as long as there is room)
            report_overflow(error)
        finally:
            self._backlog.settle_accepted(accepted, () if is_put else accepted)
            self._backlog.settle_runs(runs, () if is_put else runs)
            self._settled()
        return is_put
