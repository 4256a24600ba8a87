"""Who waits until what was told so far is committed. No I/O."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ..errors import LedgerError


class Milestones:
    """Wakes those who wait for events up to some number.

    Args:
        written: tells how many events, from the first on, are committed or given up.
    """

    def __init__(self, written: Callable[[], int]) -> None:
        self._find_written = written
        self._written = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()

    def is_reached(self, mark: int) -> bool:
        """Whether that is known already; it costs nothing."""
        return self._written >= mark

    async def wait(self, mark: int) -> None:
        """Return when all events up to a mark are written.

        Raises:
            LedgerError: nobody writes any more.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((mark, waiter))
        await waiter

    def look(self) -> None:
        """Something was written: wake those who waited for it."""
        if self._waiters:
            self._written = self._find_written()
        while self._waiters and self._waiters[0][0] <= self._written:
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def end(self, words: str) -> None:
        """Nobody writes any more: tell so to those who wait for what is not written."""
        self._written = self._find_written()
        while self._waiters:
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(LedgerError(words))
