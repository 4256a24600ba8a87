"""What all parts of the inspector share: the client, and an engine per queue."""

from __future__ import annotations

from ..connections import ArqRedis
from ..engine import RedisEngine
from ..model.codec import Codec


class Looking:
    """Knows the queues by name.

    Args:
        pool: the client.
    """

    def __init__(self, pool: ArqRedis) -> None:
        self.pool = pool
        self._codec = Codec(pool.job_serializer, pool.job_deserializer)
        self._engines: dict[str, RedisEngine] = {}

    def _engine(self, queue: str | None) -> RedisEngine:
        name = queue or self.pool.default_queue_name
        if name not in self._engines:
            self._engines[name] = RedisEngine(self.pool, name)
        return self._engines[name]
