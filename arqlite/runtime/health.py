"""The health record of a queue: a line of text that lives a little longer than its interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..engine import Engine
from ..utils import get_tz
from .duty import RedisDuty

logger = logging.getLogger("arqlite.worker")

# The client itself waits for ever, and a connection may have died without a word.
_PATIENCE_S = 5.0


class HealthRecorder(RedisDuty):
    """Writes arq's health line.

    Args:
        client: the Redis client to write with.
        engine: counts the queue.
        key: where the line goes.
        interval: seconds between two lines; each lives one second longer.
        counters: tells complete, failed, retried and ongoing jobs.
    """

    def __init__(
        self,
        client: Any,
        engine: Engine,
        key: str,
        interval: float,
        counters: Callable[[], tuple[int, int, int, int]],
    ) -> None:
        super().__init__("health record", interval, at_once=True)
        self._client = client
        self._engine = engine
        self._key = key
        self._counters = counters
        self._told: str | None = None
        self._writing = asyncio.Lock()

    async def duty(self) -> None:
        """Write the line, and log it when the counts have changed since the last one."""
        complete, failed, retried, ongoing = self._counters()
        queued = (await self._engine.size()).jobs
        counts = (
            f"j_complete={complete} j_failed={failed} j_retried={retried} j_ongoing={ongoing} queued={queued}"
        )
        line = f"{datetime.now(get_tz()):%b-%d %H:%M:%S} {counts}"
        async with self._writing, asyncio.timeout(_PATIENCE_S):
            await self._client.psetex(self._key, int((self.interval + 1) * 1000), line.encode())
        if self._told is not None and counts != self._told:
            logger.info("recording health: %s", line)
        self._told = counts

    async def stop(self) -> None:
        """End; a line that is on its way arrives first, or it would outlive the worker that deletes it."""
        async with self._writing:
            await super().stop()
