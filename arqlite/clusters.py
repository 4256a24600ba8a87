"""A client of a Redis Cluster, for what is about no queue; to queues leads `engine/shards.py`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError

from .client import ArqRedis
from .engine.shards import Address, Shard, ShardPool, cluster_map, slot_of

logger = logging.getLogger("arqlite.connections")

# A key may move on while it is followed, and not for ever.
_HOPS = 4


class ClusterRedis(ArqRedis):
    """An `ArqRedis` of a cluster: a command of one key goes to the node that has it.

    A command of several keys, and a pipeline, is the server's matter: its keys have to share a slot.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; to the node that has its key."""
        send: Any = super().execute_command
        for _ in range(_HOPS):
            try:
                return await send(*args, **options)
            except MovedError as moved:  # one of this client's own slot is not told
                send = self._pool.node(moved.node_addr).execute_command
        return await send(*args, **options)

    async def scan_iter(  # type: ignore[override]  # redis-py annotates the blocking one's
        self, *args: Any, **options: Any
    ) -> AsyncIterator[Any]:
        """Walk through the keys of all masters; those that are away are told in the log and left out.

        Raises:
            redis.exceptions.ConnectionError: none of them is there.
        """
        masters = await self._pool.shard.cluster.masters()
        away = 0
        for host, port in masters:
            try:
                async for key in self._pool.node((host, port)).scan_iter(*args, **options):
                    yield key
            except (RedisConnectionError, OSError) as error:
                away += 1
                if away == len(masters):
                    raise
                logger.warning("keys of %s:%s are left out: %s", host, port, error)

    @property
    def _pool(self) -> ShardPool:
        return cast("ShardPool", self.connection_pool)


def cluster_client(seeds: Sequence[Address], queue: str, settings: Mapping[str, Any]) -> ClusterRedis:
    """Make the client of a cluster.

    Args:
        seeds: nodes to ask where the others are.
        queue: whose node gets what is about no queue and no key.
        settings: of its connections, as for `redis.asyncio.Redis`.
    """
    shard = Shard(cluster_map(seeds, settings), slot_of(queue))
    client = ClusterRedis(ShardPool(shard, **settings))
    client.auto_close_connection_pool = True
    return client
