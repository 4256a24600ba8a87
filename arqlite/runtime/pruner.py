"""Finished jobs whose results have expired are forgotten."""

from __future__ import annotations

from .. import constants
from ..engine import Engine
from ..telemetry import JobsPruned, execute, has_handlers
from .duty import RedisDuty

# There may be as many results a second as jobs: what a run leaves must not wait for a whole interval.
_NEXT_RUN_S = 0.5


class Pruner(RedisDuty):
    """Frees the memory of expired results; readers treat them as gone before that.

    Args:
        engine: whose `prune` to call.
        interval: seconds between two looks.
        limit: how many jobs one run forgets; the next one comes soon if there may be more.
    """

    def __init__(
        self,
        engine: Engine,
        interval: float = constants.default_prune_interval_s,
        limit: int = constants.default_prune_limit,
    ) -> None:
        super().__init__("pruner", interval, jitter=0.2)
        self._engine = engine
        self._limit = limit
        self._left_some = False

    async def duty(self) -> None:
        """Forget what expired."""
        count = self.told["pruned"] = await self._engine.prune(self._limit)
        self._left_some = count >= self._limit
        if count and has_handlers(JobsPruned):
            execute(JobsPruned(self._engine.queue, count))

    def next_pause(self) -> float:
        """See `Ticker.next_pause`."""
        pause = super().next_pause()
        return min(pause, _NEXT_RUN_S) if self._left_some else pause
