"""Rescues the jobs of workers that died: as soon as a lease ends, not at some interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..engine import Engine
from ..service import Service
from ..telemetry import JobsRescued, execute, has_handlers, span
from .outage import REDIS_TROUBLE, Outage

logger = logging.getLogger("arqlite.worker")

# After the deadline of a lease: one ms for its rounding, the rest so that a late beat still wins.
_AFTER_DEADLINE_S = 0.05
# Alone, a worker has nobody to rescue; its heartbeats tell when another session appears.
_FALLBACK_S = 60.0


class Lifeline(Service):
    """Puts the jobs of dead sessions back.

    Args:
        engine: whose `rescue` to call.
        session: tells the session of now.
        doubt_s: tells for how many more seconds nobody may be taken for dead.
    """

    def __init__(
        self, engine: Engine, session: Callable[[], str | None], doubt_s: Callable[[], float]
    ) -> None:
        super().__init__()
        self._engine = engine
        self._session = session
        self._doubt_s = doubt_s
        self._outage = Outage("lifeline")
        self._looked = asyncio.Event()
        self._next_look = 0.0

    def expect(self, next_deadline_ms: int) -> None:
        """Somebody's lease ends in so many ms (-1: nobody's); look then, if that is earlier than planned."""
        if next_deadline_ms < 0:
            return
        at = asyncio.get_running_loop().time() + next_deadline_ms / 1000 + _AFTER_DEADLINE_S
        if at < self._next_look:
            self._next_look = at
            self._looked.set()

    async def run(self) -> None:
        """Look whenever a lease may have ended, until cancelled."""
        while True:
            await self._until_next_look()
            await self._until_certain()
            try:
                with span(self.name) as told:
                    told["rescued"] = await self._look()
            except REDIS_TROUBLE as error:
                self._outage.begins(error)
                await self._outage.wait()
                self._next_look = 0.0
            except Exception:  # a failed rescue must be tried again, whatever it was
                logger.exception("rescue failed, trying again")
                self._plan(1.0)

    async def _look(self) -> int:
        """Rescue once; returns how many jobs were put back."""
        rescued = await self._engine.rescue(self._session() or "")
        self._outage.is_over()
        for session, jobs in rescued.moved.items():
            logger.warning("worker %s died; %d of its jobs were put back", session, jobs)
        if rescued.moved and has_handlers(JobsRescued):
            execute(JobsRescued(self._engine.queue, dict(rescued.moved)))
        if rescued.next_deadline_ms < 0:
            self._plan(_FALLBACK_S)
        else:
            self._plan(rescued.next_deadline_ms / 1000 + _AFTER_DEADLINE_S * bool(rescued.next_deadline_ms))
        return sum(rescued.moved.values())

    async def _until_next_look(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._next_look - loop.time()) > 0:
            self._looked.clear()
            try:
                async with asyncio.timeout(left):
                    await self._looked.wait()
            except TimeoutError:
                return

    async def _until_certain(self) -> None:
        while (doubt_s := self._doubt_s()) > 0:  # noqa: ASYNC110 (a thread tells)
            await asyncio.sleep(doubt_s)

    def _plan(self, seconds: float) -> None:
        self._next_look = asyncio.get_running_loop().time() + seconds
