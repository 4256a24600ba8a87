"""Redis Cluster: connections to the node that has the slot of a queue, wherever that is by now.

All keys of a queue are in one slot, so that to its engine a cluster is one server that may move. A connection
asks the nodes who has the slot whenever it is made (CLUSTER SLOTS), as one of sentinels asks for the master,
and a redirection means what a lost connection means: make another one. How the nodes answer is told at
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import redis
from redis.asyncio import Redis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.cluster import parse_cluster_slots
from redis.crc import key_slot
from redis.exceptions import AskError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry as BlockingRetry

from ..errors import ConfigurationError
from .keys import Keys

Address = tuple[str, int]

# What a connection to any node needs, and not only one to the queue's.
_COMMON = ("username", "password", "credential_provider", "socket_connect_timeout", "socket_timeout")
_ASK_S = 5.0
_ASK = "CLUSTER SLOTS"


def slot_of(queue: str) -> int:
    """The hash slot that has all keys of a queue."""
    return int(key_slot(Keys(queue).base.encode()))


class ClusterMap:
    """Which node has which slot, as the nodes tell; it is read when somebody asks and nothing is known.

    Args:
        seeds: the nodes to ask first.
        settings: of the connection that asks, as for `redis.asyncio.Redis`.
    """

    def __init__(self, seeds: Sequence[Address], settings: Mapping[str, Any]) -> None:
        self.seeds = list(seeds)
        self.settings = dict(settings)
        self._owners: list[tuple[int, int, Address]] = []
        self._heard_of: list[Address] = []

    def forget(self) -> None:
        """Have it read anew: what it says is not so any more."""
        self._owners = []

    async def owner(self, slot: int) -> Address:
        """The master that has a slot.

        Raises:
            redis.exceptions.ConnectionError: no node answers, or none has the slot.
            redis.exceptions.ResponseError: who asks may not.
            ConfigurationError: this is no cluster.
        """
        if not self._owners:
            await self._read()
        return self._owner(slot)

    def owner_blocking(self, slot: int) -> Address:
        """See `owner`; for a thread without an event loop."""
        if not self._owners:
            self._read_blocking()
        return self._owner(slot)

    async def slots_of_masters(self) -> list[int]:
        """One slot of each master that has any."""
        await self._read()
        return list({address: first for first, _, address in self._owners}.values())

    async def _read(self) -> None:
        for host, port in self._asked():
            client: Any = Redis(host=host, port=port, retry=Retry(NoBackoff(), 0), **self.settings)
            with self._tried():
                try:
                    return self._learn(await client.execute_command(_ASK), host)
                finally:
                    await client.aclose()
        raise self._nobody()

    def _read_blocking(self) -> None:
        for host, port in self._asked():
            client: Any = redis.Redis(
                host=host, port=port, retry=BlockingRetry(NoBackoff(), 0), **self.settings
            )
            with self._tried():
                try:
                    return self._learn(client.execute_command(_ASK), host)
                finally:
                    client.close()
        raise self._nobody()

    def _asked(self) -> Iterator[Address]:
        yield from dict.fromkeys([*self._heard_of, *self.seeds])

    @contextlib.contextmanager
    def _tried(self) -> Iterator[None]:
        """One node that is away, or is just loading, is no reason not to ask the next."""
        try:
            yield
        except ResponseError as error:
            if "cluster support disabled" in str(error):
                raise ConfigurationError(
                    "this server is no node of a cluster: its URL begins with redis:// or rediss://"
                ) from None
            raise
        except (RedisError, OSError):
            return

    def _learn(self, reply: Any, asked_host: str) -> None:
        ranges = parse_cluster_slots(reply, current_host=asked_host)
        self._owners = [(first, last, nodes["primary"]) for (first, last), nodes in ranges.items()]
        self._heard_of = [
            node for nodes in ranges.values() for node in (nodes["primary"], *nodes["replicas"])
        ]

    def _owner(self, slot: int) -> Address:
        for first, last, address in self._owners:
            if first <= slot <= last:
                return address
        self.forget()
        raise RedisConnectionError(
            f"no node of the cluster has slot {slot}; `CLUSTER INFO` tells what is missing"
        )

    def _nobody(self) -> RedisConnectionError:
        asked = ", ".join(f"{host}:{port}" for host, port in self._asked())
        return RedisConnectionError(f"no node of the cluster answers ({asked})")


class Shard:
    """Where one slot is.

    Args:
        cluster: who tells.
        slot: the slot.
    """

    def __init__(self, cluster: ClusterMap, slot: int) -> None:
        self.cluster = cluster
        self.slot = slot

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Whatever says that the slot may be elsewhere: the next connection asks for it.

        Raises:
            redis.exceptions.ConnectionError: in the place of a redirection of this slot.
        """
        try:
            yield
        except AskError as error:  # and MOVED, which is one
            if error.slot_id != self.slot:
                raise
            self.cluster.forget()
            raise RedisConnectionError(f"slot {self.slot} is at another node: {error}") from error
        except (ReadOnlyError, redis.ConnectionError, redis.TimeoutError, OSError):
            self.cluster.forget()
            raise


class _ShardConnection(Connection):
    """A connection to whoever has a slot when it is made."""

    def __init__(self, *, shard: Shard, **settings: Any) -> None:
        self._shard = shard
        super().__init__(**settings)

    async def _connect(self) -> None:
        with self._shard.followed():
            self.host, self.port = await self._shard.cluster.owner(self._shard.slot)
            await super()._connect()  # type: ignore[no-untyped-call]  # redis-py leaves it unannotated

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply; a redirection of the slot ends the connection."""
        try:
            with self._shard.followed():
                return await super().read_response(*args, **options)
        except RedisConnectionError:
            await self.disconnect(nowait=True)
            raise


class _ShardSSLConnection(_ShardConnection, SSLConnection):
    """The same, encrypted."""


class ShardPool(ConnectionPool):
    """Connections to whichever node has a slot.

    Args:
        shard: the slot.
        settings: as for `redis.asyncio.ConnectionPool`, and `ssl`.
    """

    def __init__(self, shard: Shard, **settings: Any) -> None:
        kind = _ShardSSLConnection if settings.pop("ssl", False) else _ShardConnection
        host, port = shard.cluster.seeds[0]  # a name for all of it
        super().__init__(connection_class=kind, host=host, port=port, shard=shard, **settings)
        self.shard = shard

    def sibling(self, slot: int) -> ShardPool:
        """The same for another slot."""
        settings = {
            name: value
            for name, value in self.connection_kwargs.items()
            if name not in ("host", "port", "shard")
        }
        is_encrypted = issubclass(self.connection_class, SSLConnection)
        return ShardPool(
            Shard(self.shard.cluster, slot),
            ssl=is_encrypted,
            max_connections=self.max_connections,
            **settings,
        )


def cluster_map(seeds: Sequence[Address], settings: Mapping[str, Any]) -> ClusterMap:
    """The map of a cluster for connections with these settings.

    Args:
        seeds: the nodes to ask first.
        settings: of the connections to a queue; of them is taken what one to any node needs.
    """
    own = {name: settings[name] for name in settings if name in _COMMON or name.startswith("ssl")}
    return ClusterMap(seeds, {**own, "socket_timeout": own.get("socket_timeout") or _ASK_S})


class _BlockingShardConnection(redis.Connection):
    """A blocking connection to whoever has a slot when it is made."""

    def __init__(self, *, shard: Shard, **settings: Any) -> None:
        self._shard = shard
        super().__init__(**settings)  # type: ignore[no-untyped-call]  # redis-py leaves it unannotated

    def _connect(self) -> Any:
        with self._shard.followed():
            self.host, self.port = self._shard.cluster.owner_blocking(self._shard.slot)
            return super()._connect()  # type: ignore[no-untyped-call]  # redis-py leaves it unannotated

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply; a redirection of the slot ends the connection."""
        try:
            with self._shard.followed():
                return super().read_response(*args, **options)
        except RedisConnectionError:
            self.disconnect()  # type: ignore[no-untyped-call]  # redis-py leaves it unannotated
            raise


class _BlockingShardSSLConnection(_BlockingShardConnection, redis.SSLConnection):
    """The same, encrypted."""


def blocking_shard(pool: ShardPool, settings: Mapping[str, Any], timeout: float) -> redis.Redis:
    """A blocking client of the same slot, for a thread of its own.

    Args:
        pool: whose slot.
        settings: of its connections.
        timeout: seconds for connecting and for each answer.
    """
    told = {**pool.shard.cluster.settings, "socket_timeout": timeout, "socket_connect_timeout": timeout}
    # A map of its own: two threads would read one into each other's hands.
    shard = Shard(ClusterMap(pool.shard.cluster.seeds, told), pool.shard.slot)
    is_encrypted = issubclass(pool.connection_class, SSLConnection)
    kind = _BlockingShardSSLConnection if is_encrypted else _BlockingShardConnection
    make_pool = cast("Any", redis.ConnectionPool)  # redis-py leaves it unannotated
    return redis.Redis(connection_pool=make_pool(connection_class=kind, shard=shard, **settings))
