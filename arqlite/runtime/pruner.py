"""Finished jobs whose results have expired are forgotten."""

from __future__ import annotations

from ..engine import Engine
from ..telemetry import JobsPruned, execute, has_handlers
from .duty import RedisDuty

_INTERVAL_S = 30.0


class Pruner(RedisDuty):
    """Frees the memory of expired results; readers treat them as gone before that.

    Args:
        engine: whose `prune` to call.
        interval: seconds between two looks.
    """

    def __init__(self, engine: Engine, interval: float = _INTERVAL_S) -> None:
        super().__init__("pruner", interval, jitter=0.2)
        self._engine = engine

    async def duty(self) -> None:
        """Forget what expired."""
        count = self.told["pruned"] = await self._engine.prune()
        if count and has_handlers(JobsPruned):
            execute(JobsPruned(self._engine.queue, count))
