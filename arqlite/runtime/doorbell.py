"""An idle worker waits for the wake token; whoever gets it goes and claims."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..engine import Waker
from ..service import end_task
from .outage import REDIS_TROUBLE, Outage


class Doorbell:
    """Waits for the token in the background, and rings.

    Args:
        waker: waits for the token.
        has_room: tells whether a job could be started now.
        hand_on: gives the token to another worker.
        ring: called when there may be something to claim.
    """

    def __init__(
        self,
        waker: Waker,
        has_room: Callable[[], bool],
        hand_on: Callable[[], Awaitable[None]],
        ring: Callable[[], None],
    ) -> None:
        self._waker = waker
        self._has_room = has_room
        self._hand_on = hand_on
        self._ring = ring
        self._outage = Outage("wake-up")
        self._waiting: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Wait for the token, unless that is being done."""
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.get_running_loop().create_task(self._wait(), name="arqlite:doorbell")

    def mute(self) -> None:
        """Take no token any more: it must reach somebody who will claim."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def close(self) -> None:
        """Stop waiting and drop the connection."""
        if self._waiting is not None:
            await end_task(self._waiting)
        await self._waker.close()

    async def _wait(self) -> None:
        try:
            got_token = await self._waker.wait()
            if got_token and not self._has_room():
                # The slots filled up meanwhile: the token is for somebody who has room.
                await self._hand_on()
                return
        except REDIS_TROUBLE as error:
            self._outage.begins(error)
            await self._outage.wait()
        else:
            self._outage.is_over()
        self._ring()
