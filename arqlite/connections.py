"""How to connect to Redis: to one server, to the master of sentinels, to a cluster."""

from __future__ import annotations

import asyncio
import logging
import ssl as _ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from .client import ArqRedis
from .clusters import cluster_client
from .constants import default_queue_name, expires_extra_ms, job_key_prefix, result_key_prefix
from .errors import ConfigurationError
from .jobs import Deserializer, Job, JobDef, JobResult, Serializer
from .model import checks
from .redis_settings import ClusterSettings, RedisSettings, SentinelSettings, default_redis_settings
from .surroundings import missing_dev

__all__ = (
    "ArqRedis",
    "ClusterSettings",
    "Deserializer",
    "Job",
    "JobDef",
    "JobResult",
    "RedisSettings",
    "SentinelSettings",
    "Serializer",
    "create_pool",
    "default_queue_name",
    "expires_extra_ms",
    "job_key_prefix",
    "log_redis_info",
    "result_key_prefix",
)

logger = logging.getLogger("arqlite.connections")

_UNLIMITED_CONNECTIONS = 2**31
# What a server says that has fewer databases, and what one of a cluster does.
_NO_DATABASE = ("DB index is out of range", "SELECT is not allowed")
# A server that accepts a connection and then says nothing is as good as none.
_GREETING_S = 4.0


async def create_pool(
    settings_: RedisSettings | None = None,
    *,
    retry: int = 0,
    job_serializer: Serializer | None = None,
    job_deserializer: Deserializer | None = None,
    default_queue_name: str = default_queue_name,
    expires_extra_ms: int = expires_extra_ms,
    ledger: Any = None,
) -> ArqRedis:
    """Connect to Redis, trying again for a while.

    Args:
        settings_: where Redis is; by default as `ARQLITE_REDIS_URL` says, else on localhost.
        retry: how many of the retries are used up already.
        job_serializer: see `ArqRedis`.
        job_deserializer: see `ArqRedis`.
        default_queue_name: see `ArqRedis`.
        expires_extra_ms: see `ArqRedis`.
        ledger: the `Ledger` that has a row for every job enqueued here; None is none.

    Raises:
        redis.exceptions.ConnectionError: it could not be reached, after `conn_retries` more attempts. Where
            nobody names a Redis and the project's `arqlite dev` has ended, a note says so.
        RuntimeError: `sentinel` is set and `host` is no list.
        ConfigurationError: these are no settings, this is no ledger, the queue has an empty name, or hosts
            are listed without `sentinel` and are no `ClusterSettings`.
    """
    settings = default_redis_settings() if settings_ is None else settings_
    if not isinstance(settings, RedisSettings):
        raise ConfigurationError(
            f"create_pool takes RedisSettings (see RedisSettings.from_dsn), got {settings!r}"
        )
    _check_hosts(settings)
    if ledger is not None:
        # Here, since without a ledger there need not be an SQLAlchemy.
        from .ledger.given import must_be_a_ledger

        must_be_a_ledger(ledger)
    checks.queue("default_queue_name", default_queue_name)
    while True:
        try:
            await _greet(settings, default_queue_name)
        except (OSError, RedisError, TimeoutError) as error:
            if retry >= settings.conn_retries:
                if settings_ is None and (hint := missing_dev()):
                    error.add_note(hint)
                raise
            logger.warning(
                "redis connection error %s %s %s, %s retries remaining...",
                _address(settings), type(error).__name__, error, settings.conn_retries - retry,
            )  # fmt: skip
            await asyncio.sleep(settings.conn_retry_delay)
            retry += 1
        else:
            if retry > 0:
                logger.info("redis connection successful")
            break
    pool = _connect(settings, default_queue_name)
    pool.job_serializer = job_serializer
    pool.job_deserializer = job_deserializer
    pool.default_queue_name = default_queue_name
    pool.expires_extra_ms = expires_extra_ms
    pool.ledger = ledger
    return pool


def _check_hosts(settings: RedisSettings) -> None:
    is_listed = not isinstance(settings.host, str)
    if isinstance(settings, ClusterSettings):
        if not is_listed or not settings.host:
            raise ConfigurationError(
                f"the host of ClusterSettings is a list of (host, port), got {settings.host!r}"
            )
        if settings.sentinel:
            raise ConfigurationError("a cluster has no sentinels: its nodes watch each other")
    elif settings.sentinel and not is_listed:
        raise RuntimeError("str provided for 'host' but 'sentinel' is true; list of sentinels expected")
    elif is_listed and not settings.sentinel:
        raise ConfigurationError(
            "a list of hosts is for sentinels, and sentinel is not set; for a cluster there are"
            f" ClusterSettings: {settings.host!r}"
        )


async def _greet(settings: RedisSettings, queue: str) -> None:
    """Try once to reach Redis; the client would try ten times and more by itself, each time it is asked."""
    client = _connect(replace(settings, retry=Retry(NoBackoff(), 0)), queue)
    try:
        async with asyncio.timeout(settings.conn_timeout + _GREETING_S):
            await client.ping()
    except RedisConnectionError as error:
        # A connection wraps whatever went wrong while it was made; this will not be better the next time.
        if isinstance(error.__cause__, ConfigurationError | AuthenticationError):
            raise error.__cause__ from None
        raise
    except ResponseError as error:
        if settings.database and any(words in str(error) for words in _NO_DATABASE):
            raise ConfigurationError(f"this Redis has no database {settings.database}: {error}") from None
        raise
    finally:
        await client.aclose(close_connection_pool=True)


def _connect(settings: RedisSettings, queue: str) -> ArqRedis:
    if isinstance(settings, ClusterSettings):
        hosts = cast("list[tuple[str, int]]", settings.host)
        how = {"db": settings.database, "socket_keepalive": True, **_common(settings), **_tls(settings)}
        return cluster_client(hosts, queue, how)
    return _sentinel_client(settings) if settings.sentinel else _client(settings)


def _client(settings: RedisSettings) -> ArqRedis:
    where: dict[str, Any] = {"db": settings.database, **_common(settings)}
    if settings.unix_socket_path:
        where["unix_socket_path"] = settings.unix_socket_path
    else:
        # Keep-alive finds a peer that vanished without a word; else the connection would stay deaf for ever.
        where |= {"host": settings.host, "port": settings.port, "socket_keepalive": True, **_tls(settings)}
    return ArqRedis(**where)


def _sentinel_client(settings: RedisSettings) -> ArqRedis:
    hosts = cast("list[tuple[str, int]]", settings.host)
    secrets = {
        "username": _first_given(getattr(settings, "sentinel_username", None), settings.username),
        "password": _first_given(getattr(settings, "sentinel_password", None), settings.password),
    }
    make_sentinel = cast("Callable[..., Any]", Sentinel)
    sentinel = make_sentinel(
        hosts,
        sentinel_kwargs={**secrets, **_tls(settings), **_retry(settings)},
        db=settings.database,
        **_common(settings),
        **_tls(settings),
    )
    made = sentinel.master_for(
        settings.sentinel_master, redis_class=ArqRedis, connection_pool_class=_WatchedPool
    )
    return cast("ArqRedis", made)


class _WatchedPool(SentinelConnectionPool):
    """Connections to the master that sentinels name, closed together with those to the sentinels."""

    async def aclose(self) -> None:
        """Close all of them; the library would leave those to the sentinels open."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose(close_connection_pool=True)


def _first_given(own: str | None, common: str | None) -> str | None:
    return (common if own is None else own) or None


def _common(settings: RedisSettings) -> dict[str, Any]:
    common: dict[str, Any] = {
        "username": settings.username,
        "password": settings.password,
        "socket_connect_timeout": settings.conn_timeout,
        "socket_timeout": None,
        "max_connections": settings.max_connections or _UNLIMITED_CONNECTIONS,
    }
    if settings.retry_on_error is not None:  # None is nothing to a client, and an error to one of sentinels
        common["retry_on_error"] = settings.retry_on_error
    if settings.retry_on_timeout:  # redis-py 6 deprecated it, for it always does so
        common["retry_on_timeout"] = True
    return common | _retry(settings)


def _retry(settings: RedisSettings) -> dict[str, Any]:
    return {} if settings.retry is None else {"retry": settings.retry}


def _tls(settings: RedisSettings) -> dict[str, Any]:
    if not settings.ssl:
        return {}
    # A verified certificate of another host is no protection; only who turned the check of the
    # certificate itself off has nothing to compare.
    check_hostname = settings.ssl_check_hostname or settings.ssl_cert_reqs == "required"
    return {
        "ssl": True,
        "ssl_keyfile": settings.ssl_keyfile,
        "ssl_certfile": settings.ssl_certfile,
        "ssl_cert_reqs": settings.ssl_cert_reqs,
        "ssl_ca_certs": settings.ssl_ca_certs,
        "ssl_ca_data": settings.ssl_ca_data,
        "ssl_check_hostname": check_hostname,
        "ssl_min_version": _ssl.TLSVersion.TLSv1_2,
    }


def _address(settings: RedisSettings) -> str:
    if settings.unix_socket_path:
        return settings.unix_socket_path
    if isinstance(settings.host, str):
        return f"{settings.host}:{settings.port}"
    return ", ".join(f"{host}:{port}" for host, port in settings.host)


async def log_redis_info(redis: Redis, log_func: Callable[[str], Any]) -> None:
    """Log version, memory, clients and keys of the server, in one line."""
    async with redis.pipeline(transaction=False) as pipe:
        pipe.info("server")
        pipe.info("memory")
        pipe.info("clients")
        pipe.dbsize()
        # A managed server may refuse INFO; that is no reason not to work.
        answers = await pipe.execute(raise_on_error=False)
    server, memory, clients, keys = ({} if isinstance(answer, Exception) else answer for answer in answers)
    log_func(
        f"redis_version={server.get('redis_version', '?')} "
        f"mem_usage={memory.get('used_memory_human', '?')} "
        f"clients_connected={clients.get('connected_clients', '?')} "
        f"db_keys={keys}"
    )
