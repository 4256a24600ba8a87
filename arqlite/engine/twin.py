"""A blocking client with the settings of an asyncio one, for the heartbeat's own thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import redis
from redis.asyncio import sentinel as asyncio_sentinel
from redis.asyncio.connection import SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import Sentinel

from .shards import ShardPool, blocking_shard

# What a connection is, as opposed to what a pool or an event loop keeps beside it.
_IDENTITY = (
    "host",
    "port",
    "path",
    "db",
    "username",
    "password",
    "credential_provider",
    "client_name",
    "socket_keepalive",
    "socket_keepalive_options",
)


def blocking_twin(client: Any, timeout: float) -> redis.Redis:
    """Make a `redis.Redis` that talks to the same server and database as this `redis.asyncio.Redis`.

    Args:
        client: the asyncio client; a sentinel-managed one gets a twin that asks the sentinels, too, and one
            of a cluster a twin that asks its nodes.
        timeout: seconds for connecting and for each answer.
    """
    pool = client.connection_pool
    settings = pool.connection_kwargs
    if "server" in settings:  # fakeredis keeps its data in an object, not behind an address
        import fakeredis

        return fakeredis.FakeRedis(server=settings["server"], db=settings.get("db", 0))
    limits: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    own = {name: settings[name] for name in settings if name in _IDENTITY or name.startswith("ssl_")}
    if isinstance(pool, ShardPool):
        return blocking_shard(pool, own | limits)
    if isinstance(pool, asyncio_sentinel.SentinelConnectionPool):
        return _sentinel_twin(pool, own | limits)
    twin_class = _blocking_class(pool.connection_class)
    own = {name: value for name, value in own.items() if _fits(twin_class, name)}
    return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=twin_class, **own, **limits))


def _sentinel_twin(pool: Any, settings: dict[str, Any]) -> redis.Redis:
    manager = pool.sentinel_manager
    hosts = []
    sentinel_settings: dict[str, Any] = {}
    for sentinel in manager.sentinels:
        kwargs = sentinel.connection_pool.connection_kwargs
        hosts.append((kwargs["host"], kwargs["port"]))
        sentinel_settings = {
            name: kwargs[name]
            for name in kwargs
            if name in ("username", "password") or name.startswith("ssl_")
        }
        if _is_encrypted(sentinel.connection_pool):
            sentinel_settings["ssl"] = True
    for name in ("host", "port"):
        settings.pop(name, None)
    if _is_encrypted(pool):
        settings["ssl"] = True
    make_sentinel = cast("Callable[..., Any]", Sentinel)  # redis-py leaves it unannotated
    twin = make_sentinel(hosts, sentinel_kwargs=sentinel_settings, **settings)
    return cast("redis.Redis", twin.master_for(pool.service_name))


def _is_encrypted(pool: Any) -> bool:
    return issubclass(pool.connection_class, SSLConnection)


def _blocking_class(asyncio_class: type) -> type[redis.Connection]:
    for base in asyncio_class.__mro__:
        twin = getattr(redis.connection, base.__name__, None)
        if base.__module__.startswith("redis.asyncio") and isinstance(twin, type):
            return twin
    raise RedisConnectionError(f"no blocking counterpart of {asyncio_class.__name__} is known")


def _fits(connection_class: type, setting: str) -> bool:
    local = issubclass(connection_class, redis.UnixDomainSocketConnection)
    if setting in ("host", "port", "socket_keepalive", "socket_keepalive_options"):
        return not local
    return setting != "path" or local
