"""Redis Cluster: connections to the node that has the slot of a queue, wherever that is by now.

All keys of a queue are in one slot, so that to its engine a cluster is one server that may move. A connection
asks the nodes who has the slot whenever it is made (CLUSTER SLOTS), as one of sentinels asks for the master,
and a redirection means what a lost connection means: make another one. How the nodes answer is told at
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
"""

from __future__ import annotations

import asyncio
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
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry as BlockingRetry

from ..errors import ConfigurationError
from .keys import Keys
from .link import Elsewhere

Address = tuple[str, int]

# What a connection to any node needs, and not only one to the queue's.
_COMMON = ("username", "password", "credential_provider")
# A node that is frozen still accepts connections. Whoever waits has 5 s, and there should be time for others.
_ASK_S = 1.0
_ASK = "CLUSTER SLOTS"
# What a connection has of its pool, and not of the settings.
_ITS_OWN = ("host", "port", "shard")
_UNSETTLED = (ClusterDownError, TryAgainError, MasterDownError)


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
        self._asked = list(dict.fromkeys(self.seeds))

    def forget(self) -> None:
        """Have it read anew: what it says is not so any more."""
        self._owners = []

    def moved(self, slot: int, address: Address) -> None:
        """Believe a redirection, for it is newer than what a node tells that has not heard of it."""
        self._owners = [(slot, slot, address)]

    async def owner(self, slot: int) -> Address:
        """The master that has a slot.

        Raises:
            redis.exceptions.ConnectionError: no node answers, or none has the slot.
            ConfigurationError: this is no cluster, or who asks may not.
        """
        return self._found(slot) or await self._read(slot)

    def owner_blocking(self, slot: int) -> Address:
        """See `owner`; for a thread without an event loop."""
        return self._found(slot) or self._read_blocking(slot)

    async def masters(self) -> list[Address]:
        """All masters that have slots, by one node that has heard of the first of them."""
        self.forget()
        await self._read(0)
        return list(dict.fromkeys(address for _, _, address in self._owners))

    async def _read(self, slot: int) -> Address:
        asking = _Asking(self._asked)
        for host, port in asking:
            client: Any = Redis(host=host, port=port, retry=Retry(NoBackoff(), 0), **self.settings)
            with asking.tried():
                try:
                    self._learn(await client.execute_command(_ASK), host)
                finally:
                    await client.aclose()
                if (found := self._found(slot)) is not None:
                    asking.has_answered(host, port)
                    return found
        raise asking.failure(slot)

    def _read_blocking(self, slot: int) -> Address:
        asking = _Asking(self._asked)
        for host, port in asking:
            retry = BlockingRetry(NoBackoff(), 0)
            client: Any = redis.Redis(host=host, port=port, retry=retry, **self.settings)
            with asking.tried():
                try:
                    self._learn(client.execute_command(_ASK), host)
                finally:
                    client.close()
                if (found := self._found(slot)) is not None:
                    asking.has_answered(host, port)
                    return found
        raise asking.failure(slot)

    def _learn(self, reply: Any, asked_host: str) -> None:
        ranges = parse_cluster_slots(reply, current_host=asked_host)
        self._owners = [(first, last, nodes["primary"]) for (first, last), nodes in ranges.items()]
        heard_of = [node for nodes in ranges.values() for node in (nodes["primary"], *nodes["replicas"])]
        self._asked += [node for node in dict.fromkeys(heard_of) if node not in self._asked]
        # Those that are gone need not be asked for ever; who was told of at first may come back.
        self._asked[:] = [node for node in self._asked if node in heard_of or node in self.seeds]

    def _found(self, slot: int) -> Address | None:
        return next((address for first, last, address in self._owners if first <= slot <= last), None)


class _Asking:
    """One walk through the nodes, which ends with the first that can tell.

    Args:
        order: the nodes, those that should be asked first in front; a walk that is cut short has put those
            that kept it waiting behind the others.
    """

    def __init__(self, order: list[Address]) -> None:
        self._order = order
        self._said: list[str] = []
        self._last: Exception | None = None

    def __iter__(self) -> Iterator[Address]:
        for node in list(self._order):
            if node in self._order:
                self._order.remove(node)
                self._order.append(node)
                self._said.append(f"{node[0]}:{node[1]}")
                yield node

    def has_answered(self, host: str, port: int) -> None:
        """Ask this one first the next time."""
        if (host, port) in self._order:
            self._order.remove((host, port))
            self._order.insert(0, (host, port))

    @contextlib.contextmanager
    def tried(self) -> Iterator[None]:
        """One node that is away, or is just loading, is no reason not to ask the next."""
        try:
            yield
        except NoPermissionError:
            raise ConfigurationError(
                "the user may not ask where its queue is in the cluster: grant +cluster|slots"
            ) from None
        except AuthenticationError:
            raise
        except ResponseError as error:
            if "cluster support disabled" in str(error):
                raise ConfigurationError(
                    "this server is no node of a cluster: its URL begins with redis:// or rediss://"
                ) from None
            self._last = error
        except (RedisError, OSError) as error:
            self._last = error

    def failure(self, slot: int) -> RedisConnectionError:
        """Nobody could tell."""
        asked = ", ".join(self._said)
        if self._last is None:
            return RedisConnectionError(
                f"no node of the cluster ({asked}) knows who has slot {slot}; `CLUSTER INFO` tells more"
            )
        return RedisConnectionError(f"no node of the cluster answers ({asked}); the last error: {self._last}")


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
        """Whatever says that the slot may be elsewhere, a silence among it: the next connection asks for it.

        Raises:
            Elsewhere: in the place of a redirection of this slot, and of what a cluster answers that is
                about to settle.
        """
        try:
            yield
        except AskError as error:  # and MOVED, which is one
            if error.slot_id != self.slot:
                raise
            if isinstance(error, MovedError):
                self.cluster.moved(self.slot, error.node_addr)
            raise Elsewhere(f"slot {self.slot} is at another node: {error}") from error
        except _UNSETTLED as error:
            self.cluster.forget()
            raise Elsewhere(f"the cluster is about to settle: {error}") from error
        except (ReadOnlyError, redis.ConnectionError, redis.TimeoutError, OSError, asyncio.CancelledError):
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
        first: the pool that this one was made by, which closes it; None if nobody did.
        settings: as for `redis.asyncio.ConnectionPool`, and `ssl`.
    """

    def __init__(self, shard: Shard, first: ShardPool | None = None, **settings: Any) -> None:
        self.is_encrypted = bool(settings.pop("ssl", False))
        host, port = shard.cluster.seeds[0]  # a name for all of it
        kind = _ShardSSLConnection if self.is_encrypted else _ShardConnection
        super().__init__(connection_class=kind, host=host, port=port, shard=shard, **settings)
        self.shard = shard
        self._first = first or self
        self._others: dict[int, ShardPool] = {}
        self._nodes: dict[Address, Redis] = {}

    def of_queue(self, queue: str) -> ShardPool:
        """The pool of the node that has a queue; this one if it has."""
        slot, first = slot_of(queue), self._first
        if slot == first.shard.slot:
            return first
        if slot not in first._others:
            shard = Shard(self.shard.cluster, slot)
            first._others[slot] = ShardPool(shard, first, **first._settings())
        return first._others[slot]

    async def address(self) -> str:
        """Where the node is, as `host:port`."""
        host, port = await self.shard.cluster.owner(self.shard.slot)
        return f"{host}:{port}"

    def node(self, address: Address) -> Redis:
        """A client of one node, for what is about no queue."""
        nodes = self._first._nodes
        if address not in nodes:
            host, port = address
            settings = self._settings()
            kind = SSLConnection if settings.pop("ssl") else Connection
            made = ConnectionPool(connection_class=kind, host=host, port=port, **settings)
            nodes[address] = Redis(connection_pool=made)
        return nodes[address]

    async def aclose(self) -> None:
        """Close these connections; of the first pool all that were made for the same client."""
        try:
            await super().aclose()
        finally:
            others = [*self._others.values(), *(node.connection_pool for node in self._nodes.values())]
            self._others, self._nodes = {}, {}
            ended = await asyncio.gather(*(pool.aclose() for pool in others), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    def _settings(self) -> dict[str, Any]:
        own = {name: self.connection_kwargs[name] for name in self.connection_kwargs if name not in _ITS_OWN}
        return {**own, "ssl": self.is_encrypted, "max_connections": self.max_connections}


def client_of(client: Any, queue: str) -> Any:
    """The client that reaches a queue's keys: this one, but for a cluster."""
    pool = client.connection_pool
    if not isinstance(pool, ShardPool):
        return client
    own = pool.of_queue(queue)
    return client if own is pool else Redis(connection_pool=own)


def cluster_map(seeds: Sequence[Address], settings: Mapping[str, Any]) -> ClusterMap:
    """The map of a cluster for connections with these settings.

    Args:
        seeds: the nodes to ask first.
        settings: of the connections to a queue; of them is taken what one to any node needs.
    """
    own = {name: settings[name] for name in settings if name in _COMMON or name.startswith("ssl")}
    return ClusterMap(seeds, {**own, "socket_timeout": _ASK_S, "socket_connect_timeout": _ASK_S})


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


def blocking_shard(pool: ShardPool, settings: Mapping[str, Any]) -> redis.Redis:
    """A blocking client of the same slot, for a thread of its own.

    Args:
        pool: whose slot.
        settings: of its connections.
    """
    cluster = pool.shard.cluster
    # A map of its own: two threads would read one into each other's hands.
    shard = Shard(ClusterMap(cluster.seeds, cluster.settings), pool.shard.slot)
    kind = _BlockingShardSSLConnection if pool.is_encrypted else _BlockingShardConnection
    make_pool = cast("Any", redis.ConnectionPool)  # redis-py leaves it unannotated
    return redis.Redis(connection_pool=make_pool(connection_class=kind, shard=shard, **settings))
