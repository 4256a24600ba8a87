"""Redis is away: say so once, wait ever longer, say when it is back."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from redis.exceptions import RedisError

logger = logging.getLogger("arqlite.worker")

REDIS_TROUBLE = (RedisError, OSError, EOFError)
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0


class Outage:
    """The trouble that one service has with Redis.

    Args:
        who: how log lines name the service.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._since: float | None = None
        self._pause = _FIRST_PAUSE_S

    @property
    def is_on(self) -> bool:
        """Whether the last attempt failed."""
        return self._since is not None

    def begins(self, error: BaseException) -> None:
        """An attempt failed; only the first of them is told."""
        if self._since is None:
            self._since = time.monotonic()
            logger.warning(
                "%s: Redis is out of reach (%s: %s), trying again", self._who, type(error).__name__, error
            )

    def is_over(self) -> None:
        """An attempt succeeded."""
        if self._since is None:
            return
        logger.info("%s: Redis is back after %0.1fs", self._who, time.monotonic() - self._since)
        self._since, self._pause = None, _FIRST_PAUSE_S

    async def wait(self) -> None:
        """Pause before the next attempt; each pause is longer, and no two workers pause alike."""
        await asyncio.sleep(self.next_pause())

    def next_pause(self) -> float:
        """Tell how long to pause now, in seconds."""
        pause = self._pause
        self._pause = min(self._pause * 2, _LAST_PAUSE_S)
        return pause * random.uniform(0.5, 1.0)
