"""One worker of a queue leads: elected among those that hold a lease, replaced when it leaves or dies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..engine import Engine
from ..telemetry import LeaderChanged, execute, has_handlers
from .duty import RedisDuty
from .outage import REDIS_TROUBLE


class Leadership(RedisDuty):
    """Runs for the lead, and knows whether this worker has it.

    Args:
        engine: whose `lead` to call.
        session: tells the session of now, None while none is open.
        lease_is_safe: tells whether the lease is known to hold: who may have lost it does not lead.
        changed: called when this worker has begun to lead, or leads no more.
        interval: seconds between two looks; a leader that resigns is replaced at once.
    """

    def __init__(
        self,
        engine: Engine,
        session: Callable[[], str | None],
        lease_is_safe: Callable[[], bool],
        changed: Callable[[], None],
        interval: float,
    ) -> None:
        super().__init__("leadership", interval, jitter=0.2)
        self._engine = engine
        self._session = session
        self._lease_is_safe = lease_is_safe
        self._changed = changed
        self._elected: str | None = None

    @property
    def is_leader(self) -> bool:
        """Whether this worker leads; no question to Redis, and no when in doubt."""
        return self._elected is not None and self._elected == self._session() and self._lease_is_safe()

    async def start(self) -> None:
        """Begin; the first election is over when this returns, unless Redis is in trouble."""
        await self.tick()
        await super().start()

    async def stop(self) -> None:
        """Resign, so that another worker leads at once."""
        await super().stop()
        resigning = self._elected
        self._take(None)
        if resigning is not None and resigning == self._session():
            with contextlib.suppress(*REDIS_TROUBLE):  # the lead is free when the lease has ended
                await self._engine.lead(resigning, runs=False)

    async def duty(self) -> bool:
        """Run for the lead, or see that it is still here; without a safe lease nobody is asked."""
        session = self._session()
        if session is None or not self._lease_is_safe():
            self._take(None)
            return False
        self._take(session if await self._engine.lead(session) else None)
        return True

    def doubt(self) -> None:
        """The lease may be over, and somebody else may lead."""
        self._take(None)

    def _take(self, elected: str | None) -> None:
        before, self._elected = self._elected, elected
        if before == elected:
            return
        if has_handlers(LeaderChanged):
            for session, is_leader in ((before, False), (elected, True)):
                if session is not None:
                    execute(LeaderChanged(self._engine.queue, session, is_leader))
        self._changed()
