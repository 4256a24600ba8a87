"""What all parts of the inspector share: the client, and an engine per queue."""

from __future__ import annotations

from ..connections import ArqRedis, RedisSettings
from ..engine import RedisEngine
from ..errors import ConfigurationError
from ..model.codec import Codec


class Looking:
    """Knows the queues by name.

    Args:
        pool: the client.
        by: who looks and acts, in words for people.

    Raises:
        ConfigurationError: it is something else.
    """

    def __init__(self, pool: ArqRedis, *, by: str = "") -> None:
        if not isinstance(pool, ArqRedis):
            hint = "; make one of these settings with create_pool" if isinstance(pool, RedisSettings) else ""
            raise ConfigurationError(f"the pool must be an ArqRedis, got {pool!r}{hint}")
        self.pool = pool
        self.by = by
        self._codec = Codec(pool.job_serializer, pool.job_deserializer)
        self._engines: dict[str, RedisEngine] = {}

    def _engine(self, queue: str | None) -> RedisEngine:
        name = queue or self.pool.default_queue_name
        if name not in self._engines:
            self._engines[name] = RedisEngine(self.pool, name)
        return self._engines[name]
