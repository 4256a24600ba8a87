"""A client of a Redis Cluster: each queue's calls go to the node that has the queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from redis.exceptions import MovedError

from .client import ArqRedis
from .engine.shards import Address, Shard, ShardPool, cluster_map, slot_of


class ClusterRedis(ArqRedis):
    """An `ArqRedis` of a cluster.

    Queues may be on different nodes; whatever is done to one goes to its own, and so does a command of one
    key. A command of several keys is the server's matter, as with any client.
    """

    def __init__(self, pool: ShardPool, clients: dict[int, ClusterRedis] | None = None) -> None:
        super().__init__(pool)
        self.auto_close_connection_pool = True
        self._shard_pool = pool
        self._clients = {} if clients is None else clients
        self._clients.setdefault(pool.shard.slot, self)
        self._is_first = clients is None

    def for_queue(self, queue: str) -> ClusterRedis:
        """The client of the node that has a queue."""
        return self._of_slot(slot_of(queue))

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; to the node that has its key."""
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # as redis-py's
        except MovedError as moved:  # one of this client's own slot is not told
            return await self._of_slot(moved.slot_id).execute_command(*args, **options)

    async def scan_iter(  # type: ignore[override]  # redis-py annotates the blocking one's
        self, *args: Any, **options: Any
    ) -> AsyncIterator[Any]:
        """Walk through the keys of all nodes."""
        for slot in await self._shard_pool.shard.cluster.slots_of_masters():
            # Not this method of that client, which would walk through all of them again.
            async for key in super(ClusterRedis, self._of_slot(slot)).scan_iter(*args, **options):
                yield key

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the pools of all nodes; may be called twice."""
        if self._is_first:
            for client in [client for client in self._clients.values() if client is not self]:
                await client.aclose(close_connection_pool)
        await super().aclose(close_connection_pool)

    def _of_slot(self, slot: int) -> ClusterRedis:
        client = self._clients.get(slot)
        if client is None:
            client = ClusterRedis(self._shard_pool.sibling(slot), self._clients)
        return client


def cluster_client(seeds: Sequence[Address], queue: str, settings: Mapping[str, Any]) -> ClusterRedis:
    """Make the client of a cluster.

    Args:
        seeds: nodes to ask where the others are.
        queue: whose node gets what is about no queue and no key.
        settings: of its connections, as for `redis.asyncio.Redis`.
    """
    shard = Shard(cluster_map(seeds, settings), slot_of(queue))
    return ClusterRedis(ShardPool(shard, **settings))
