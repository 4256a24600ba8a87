"""Redis is away: say so once, wait ever longer, say when it is back."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from redis.exceptions import RedisError, ResponseError

from ..telemetry import RedisFailed, execute, has_handlers, queue_of_spans
from ..utils import timestamp_ms

logger = logging.getLogger("arqlite.worker")

REDIS_TROUBLE = (RedisError, OSError, EOFError)
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0
_REMIND_AFTER_S = 60.0


class Outage:
    """The trouble that one service has with Redis.

    Args:
        who: how log lines name the service.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._since: float | None = None
        self._told_at = 0.0
        self._pause = _FIRST_PAUSE_S

    @property
    def is_on(self) -> bool:
        """Whether the last attempt failed."""
        return self._since is not None

    def begins(self, error: BaseException) -> None:
        """An attempt failed. Only the first is told; a refusal, which passes not by itself, each minute."""
        if has_handlers(RedisFailed):
            execute(RedisFailed(queue_of_spans(), self._who, error, timestamp_ms()))
        now = time.monotonic()
        is_refusal = isinstance(error, ResponseError)
        if self._since is None or (is_refusal and now - self._told_at > _REMIND_AFTER_S):
            self._since = self._since or now
            self._told_at = now
            trouble = "Redis refuses" if is_refusal else "Redis is out of reach"
            logger.warning("%s: %s (%s: %s), trying again", self._who, trouble, type(error).__name__, error)

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
