"""The heartbeat's blocking client talks to the same server as the asyncio one."""

from __future__ import annotations

from typing import Any

import fakeredis
import pytest
import redis
from redis.asyncio.connection import Connection
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import SentinelConnectionPool, SentinelManagedConnection, SentinelManagedSSLConnection

from arqlite import ArqRedis
from arqlite.engine.twin import blocking_twin

TLS: dict[str, Any] = {
    "ssl_keyfile": "key.pem",
    "ssl_certfile": "cert.pem",
    "ssl_cert_reqs": "required",
    "ssl_ca_certs": "ca.pem",
    "ssl_check_hostname": True,
}


def settings_of(client: Any, timeout: float = 2.0) -> tuple[type, dict[str, Any]]:
    twin = blocking_twin(client, timeout)
    pool = twin.connection_pool
    assert isinstance(twin, redis.Redis)
    assert (
        pool.connection_kwargs["socket_timeout"]
        == pool.connection_kwargs["socket_connect_timeout"]
        == timeout
    )
    return pool.connection_class, pool.connection_kwargs


def made(connection_class: Any, settings: dict[str, Any]) -> Any:
    """The settings are such that a connection can be made of them."""
    return connection_class(**settings)


def test_tcp() -> None:
    """Address, database and credentials are the same; the asyncio client's own time limits are not taken."""
    client = ArqRedis(
        host="redis.example",
        port=6400,
        db=3,
        username="u",
        password="p",
        socket_timeout=99,
        socket_keepalive=True,
    )

    twin_class, settings = settings_of(client)

    assert twin_class is redis.Connection
    wanted = {
        "host": "redis.example",
        "port": 6400,
        "db": 3,
        "username": "u",
        "password": "p",
        "socket_keepalive": True,
    }
    assert {name: settings.get(name) for name in wanted} == wanted
    assert made(twin_class, settings)


def test_unix_socket() -> None:
    """A Unix socket stays one."""
    twin_class, settings = settings_of(ArqRedis(unix_socket_path="/run/redis.sock", db=2, password="p"))

    assert twin_class is redis.UnixDomainSocketConnection
    assert (settings["path"], settings["db"], settings["password"]) == ("/run/redis.sock", 2, "p")
    assert made(twin_class, settings)


def test_tls() -> None:
    """An encrypted connection stays encrypted, with the same certificates and the same checks."""
    twin_class, settings = settings_of(ArqRedis(host="redis.example", ssl=True, **TLS))

    assert twin_class is redis.SSLConnection
    assert {name: settings[name] for name in TLS} == TLS
    assert made(twin_class, settings)


def test_subclass_of_a_connection() -> None:
    """A connection class of the user's own has the twin of the class it comes from."""

    class Own(Connection):
        pass

    client = ArqRedis(redis.asyncio.ConnectionPool(connection_class=Own, host="redis.example"))

    assert settings_of(client)[0] is redis.Connection


def test_class_without_a_counterpart() -> None:
    """A connection class that nobody knows is told by name."""

    class Strange:
        def __init__(self, **kwargs: Any) -> None: ...

    strange: Any = Strange
    client = ArqRedis(redis.asyncio.ConnectionPool(connection_class=strange))

    with pytest.raises(RedisConnectionError, match="no blocking counterpart of Strange"):
        blocking_twin(client, 1)


def test_fakeredis() -> None:
    """A fake client's twin sees the same fake server and database."""
    server = fakeredis.FakeServer()
    client = ArqRedis(fakeredis.FakeAsyncRedis(server=server, db=4).connection_pool)
    fakeredis.FakeRedis(server=server, db=4).set("key", "here")

    assert blocking_twin(client, 1).get("key") == b"here"


def sentinel_client(**settings: Any) -> ArqRedis:
    sentinel_settings = settings.pop("sentinel_kwargs", {})
    sentinel = Sentinel([("one", 26379), ("two", 26380)], sentinel_kwargs=sentinel_settings, **settings)  # type: ignore[no-untyped-call]
    return sentinel.master_for("mymaster", redis_class=ArqRedis)  # type: ignore[no-any-return]


def test_sentinel() -> None:
    """A sentinel-managed client's twin asks the same sentinels for the same master by the same secrets."""
    client = sentinel_client(db=3, password="p", sentinel_kwargs={"username": "su", "password": "sp"})

    pool = blocking_twin(client, 2.0).connection_pool

    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "mymaster"
    assert pool.connection_class is SentinelManagedConnection
    assert (pool.connection_kwargs["db"], pool.connection_kwargs["password"]) == (3, "p")
    found = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in found] == [("one", 26379), ("two", 26380)]
    assert {(one["username"], one["password"]) for one in found} == {("su", "sp")}


def test_sentinel_with_tls() -> None:
    """With TLS the twin talks TLS to the sentinels and to the master, with the same certificates."""
    client = sentinel_client(ssl=True, **TLS, sentinel_kwargs={"ssl": True, **TLS})

    pool: Any = blocking_twin(client, 2.0).connection_pool

    assert pool.connection_class is SentinelManagedSSLConnection
    assert {name: pool.connection_kwargs[name] for name in TLS} == TLS
    for sentinel in pool.sentinel_manager.sentinels:
        assert sentinel.connection_pool.connection_class is redis.SSLConnection
        assert {name: sentinel.connection_pool.connection_kwargs[name] for name in TLS} == TLS
