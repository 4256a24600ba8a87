"""An idle worker waits for a wake token; whoever gets it goes and claims."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection

from ..engine import Token, Waker
from ..service import end_task
from .outage import REDIS_TROUBLE, Outage


class Doorbell:
    """Waits for tokens in the background, and rings.

    Args:
        waker: waits for a token.
        has_room: tells whether a job could be started now.
        hand_on: gives the token to another worker.
        ring: called when there may be something to claim.
        holds: tells for which holds there is room, None if no token of a hold is of interest.
    """

    def __init__(
        self,
        waker: Waker,
        has_room: Callable[[], bool],
        hand_on: Callable[[], Awaitable[None]],
        ring: Callable[[], None],
        holds: Callable[[], Collection[str] | None] = lambda: None,
    ) -> None:
        self._waker = waker
        self._has_room = has_room
        self._hand_on = hand_on
        self._ring = ring
        self._holds = holds
        self._heard: Collection[str] | None = None
        self._calling: asyncio.Task[None] | None = None
        self._outage = Outage("wake-up")
        self._waiting: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Wait for a token, unless that is being done. There may be room for more holds by now."""
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.get_running_loop().create_task(self._wait(), name="arqlite:doorbell")
        elif (
            self._heard is not None and self._calling is None and set(self._holds() or ()) - set(self._heard)
        ):
            self._calling = asyncio.get_running_loop().create_task(self._call(), name="arqlite:doorbell-call")

    def mute(self) -> None:
        """Take no token any more: it must reach somebody who will claim."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def close(self) -> None:
        """Stop waiting and drop the connection."""
        for task in (self._waiting, self._calling):
            if task is not None:
                await end_task(task)
        await self._waker.close()

    async def _wait(self) -> None:
        try:
            while not self._is_for_us(await self._next_token()):
                # The slots filled up meanwhile: the token is for somebody who has room.
                await self._hand_on()
                if not self._has_room():
                    return
        except REDIS_TROUBLE as error:
            self._outage.begins(error)
            await self._outage.wait()
        else:
            self._outage.is_over()
        self._ring()

    async def _next_token(self) -> Token | None:
        while True:
            self._heard, self._calling = self._holds(), None
            token = await self._waker.wait(self._heard)
            if token is None or not token.is_ring:
                return token

    def _is_for_us(self, token: Token | None) -> bool:
        if token is None:
            return True
        return self._has_room() and (not token.hold or token.hold in (self._holds() or ()))

    async def _call(self) -> None:
        with contextlib.suppress(*REDIS_TROUBLE):  # the wait ends by itself, only later
            await self._waker.ring()
