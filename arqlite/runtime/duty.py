"""A small duty on Redis, done again and again; trouble with Redis is told once and tried again soon."""

from __future__ import annotations

import asyncio

from ..service import Ticker
from ..telemetry import span
from .outage import REDIS_TROUBLE, Outage


class RedisDuty(Ticker):
    """A `Ticker` whose duty talks to Redis. Override `duty`.

    Args:
        who: how log lines name it.
        interval: seconds between two times.
        jitter: see `Ticker`.
        at_once: see `Ticker`.
    """

    def __init__(self, who: str, interval: float, jitter: float = 0.0, *, at_once: bool = False) -> None:
        super().__init__(interval, jitter, at_once=at_once)
        self._outage = Outage(who)
        self._soon = asyncio.Event()

    async def duty(self) -> bool | None:
        """Do it once; False says that Redis was not asked, so that nobody knows whether it is there."""
        raise NotImplementedError

    def hurry(self) -> None:
        """Do it now instead of after the interval."""
        self._soon.set()

    async def tick(self) -> None:
        """Do the duty, or note that Redis is in trouble."""
        self._soon.clear()
        try:
            with span(self.name) as self.told:
                asked = await self.duty()
        except REDIS_TROUBLE as error:
            self._outage.begins(error)
        else:
            if asked is not False:
                self._outage.is_over()

    async def tick_told(self) -> None:
        """Tick; what is told is the duty itself, so that trouble with Redis is a failure of it."""
        await self.tick()

    async def pause(self) -> None:
        """Wait for the interval, or for a short while as long as Redis is in trouble."""
        if self._outage.is_on:
            await self._outage.wait()
            return
        try:
            async with asyncio.timeout(self.next_pause()):
                await self._soon.wait()
        except TimeoutError:
            return
