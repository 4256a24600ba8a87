"""Where Redis is, and how to connect to it."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl as _ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, NoReturn, cast
from urllib.parse import ParseResult, parse_qs, parse_qsl, unquote, urlparse

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from .client import ArqRedis
from .constants import default_queue_name, expires_extra_ms, job_key_prefix, result_key_prefix
from .errors import ConfigurationError
from .jobs import Deserializer, Job, JobDef, JobResult, Serializer
from .model import checks
from .surroundings import REDIS_VARIABLE, missing_dev, redis_url

__all__ = (
    "ArqRedis",
    "Deserializer",
    "Job",
    "JobDef",
    "JobResult",
    "RedisSettings",
    "Serializer",
    "create_pool",
    "default_queue_name",
    "expires_extra_ms",
    "job_key_prefix",
    "log_redis_info",
    "result_key_prefix",
)

logger = logging.getLogger("arqlite.connections")

_SCHEMES = {"redis": False, "rediss": True, "valkey": False, "valkeys": True, "unix": False}
_SENTINEL, _CLUSTER = "+sentinel", "+cluster"
_SENTINEL_PORT = 26_379
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\s\[\]:,]+))(?::(\d{1,5}))?")
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_SWITCHES = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)
_ENCODE = "percent-encode / ? # [ ] and @ in the password, / as %2F and so on"
_NO_CLUSTER = (
    "arqlite does not speak to a Redis Cluster: give it one server, redis://host:6379/0, or sentinels, "
    "redis+sentinel://host1:26379,host2:26379/mymaster/0"
)
_LAST_PORT = 65_535
# Fields that hold objects, for which a URL has no words.
_OBJECTS = ("retry", "retry_on_error")
_UNLIMITED_CONNECTIONS = 2**31
# A server that accepts a connection and then says nothing is as good as none.
_GREETING_S = 4.0


@dataclass
class RedisSettings:
    """Where Redis is and how to reach it.

    Attributes:
        host: a name, or for sentinels a list of (host, port).
        port, unix_socket_path, database, username, password: as in redis-py.
        ssl and ssl_*: as in redis-py.
        conn_timeout: seconds that connecting may take.
        conn_retries, conn_retry_delay: how often, and after how many seconds, `create_pool` tries again.
        max_connections: of the pool; None is no limit.
        sentinel, sentinel_master: whether `host` lists sentinels, and the name of the master they watch.
        retry_on_timeout, retry_on_error, retry: as in redis-py.
    """

    host: str | list[tuple[str, int]] = "localhost"
    port: int = 6379
    unix_socket_path: str | None = None
    database: int = 0
    username: str | None = None
    password: str | None = None
    ssl: bool = False
    ssl_keyfile: str | None = None
    ssl_certfile: str | None = None
    ssl_cert_reqs: str = "required"
    ssl_ca_certs: str | None = None
    ssl_ca_data: str | None = None
    ssl_check_hostname: bool = False
    conn_timeout: int = 1
    conn_retries: int = 5
    conn_retry_delay: int = 1
    max_connections: int | None = None
    sentinel: bool = False
    sentinel_master: str = "mymaster"
    retry_on_timeout: bool = False
    retry_on_error: list[Exception] | None = None
    retry: Retry | None = None

    @classmethod
    def from_dsn(cls, dsn: str) -> RedisSettings:
        """Read a URL: `redis://user:password@host:6379/1`, `rediss://…` or `unix:///path?db=1`; of sentinels
        `redis+sentinel://user:password@host1:26379,host2:26379/mymaster/1`, or `rediss+sentinel://…`.

        User and password are percent-decoded; query parameters with the name of a field set it. Of sentinels
        these are `SentinelSettings`.

        Raises:
            RuntimeError: another scheme.
            ConfigurationError: it is no text, a query parameter has no such value, the URL cannot be read, or
                it is one of a Redis Cluster; of such a one the message has no part, which may be one of the
                password.
        """
        if not isinstance(dsn, str):
            _refuse_url(dsn)
        if _kind_of(dsn) == _CLUSTER:
            raise ConfigurationError(_NO_CLUSTER)
        if _kind_of(dsn) == _SENTINEL:
            return SentinelSettings.from_url(dsn)
        url, port = _parsed(dsn)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        is_local = url.scheme == "unix"
        database = query.pop("db", None) or (None if is_local else url.path.strip("/")) or "0"
        if not database.isdecimal():
            raise ConfigurationError(f"the database in a Redis URL must be a number; {_ENCODE}")
        settings = cls(
            host="localhost" if is_local else url.hostname or "localhost",
            port=6379 if is_local else port or 6379,
            unix_socket_path=unquote(url.path) if is_local else None,
            ssl=_SCHEMES[url.scheme],
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
            database=int(database),
        )
        for name, text in query.items():
            settings._set_from_text(name, text)
        return settings

    def __repr__(self) -> str:
        shown = ((field.name, getattr(self, field.name)) for field in fields(self))
        return f"{type(self).__name__}({', '.join(f'{k}={_masked(k, v)!r}' for k, v in shown)})"

    def _set_from_text(self, name: str, text: str) -> None:
        current = getattr(self, name, None)
        if name not in {field.name for field in fields(self)}:
            logger.warning("Redis URL: unknown parameter %r is ignored", name)
        elif name in _OBJECTS:
            raise ConfigurationError(f"{name} cannot be set in a Redis URL, got {text!r}; set it in code")
        elif isinstance(current, bool):
            if text.lower() not in _SWITCHES:
                raise ConfigurationError(f"{name} in a Redis URL must be true or false, got {text!r}")
            setattr(self, name, _SWITCHES[text.lower()])
        elif isinstance(current, int) or name == "max_connections":
            if not text.isdecimal():
                raise ConfigurationError(f"{name} in a Redis URL must be a number, got {text!r}")
            setattr(self, name, int(text))
        else:
            setattr(self, name, text)


@dataclass(repr=False)
class SentinelSettings(RedisSettings):
    """Where sentinels are that want another user, or another password, than Redis itself.

    Attributes:
        sentinel_username, sentinel_password: for the sentinels; None is what Redis is told, an empty text is
            nothing.
    """

    sentinel_username: str | None = None
    sentinel_password: str | None = None

    @classmethod
    def from_url(cls, dsn: str) -> SentinelSettings:
        """Read a URL of sentinels; see `RedisSettings.from_dsn`."""
        scheme, _, rest = dsn.partition("://")
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        login, has_login, listed = authority.rpartition("@")
        url = urlparse(f"//x{rest.removeprefix(authority)}")
        if "@" in url.path or "@" in url.fragment:
            raise ConfigurationError(f"a Redis URL has an @ where none can be; {_ENCODE}")
        service, _, database = url.path.strip("/").partition("/")
        # All but the hosts is read as in the URL of one server.
        plain = f"{scheme.removesuffix(_SENTINEL)}://{login}{has_login}sentinel/{database}"
        settings = cast("SentinelSettings", cls.from_dsn(f"{plain}?{url.query}" if url.query else plain))
        settings.host, settings.port = list(_sentinels(listed)), cls.port
        settings.sentinel = True
        if service:
            settings.sentinel_master = unquote(service)
        for name in ("sentinel_username", "sentinel_password"):
            if f"{name}=" in url.query.split("&"):  # empty: the sentinels want none
                setattr(settings, name, "")
        return settings


def default_redis_settings() -> RedisSettings:
    """Where Redis is for those who name none: as `ARQLITE_REDIS_URL` says, or where the `arqlite dev` of this
    project has it, else on localhost.

    Raises:
        ConfigurationError: the variable is no URL of a Redis.
    """
    url = redis_url()
    try:
        return RedisSettings() if url is None else RedisSettings.from_dsn(url)
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"{REDIS_VARIABLE} must be a URL such as redis://localhost:6379/0 ({error})"
        ) from None


def _refuse_url(given: Any) -> NoReturn:
    """Say what came instead of a URL; of anything but None only the class, for it may have a password."""
    told = "None (is the variable set?)" if given is None else f"a {type(given).__name__}"
    raise ConfigurationError(f"a Redis URL is a text such as redis://localhost:6379/0, got {told}")


def _parsed(dsn: str) -> tuple[ParseResult, int | None]:
    """The parts of a URL, and its port. What urllib says of a bad one has parts of it: nothing is chained."""
    try:
        url = urlparse(dsn)
        port = url.port
    except ValueError:
        raise ConfigurationError(f"the host or the port in a Redis URL cannot be read; {_ENCODE}") from None
    if url.scheme not in _SCHEMES:
        raise RuntimeError("invalid DSN scheme")
    if _is_cut_short(url):
        raise ConfigurationError(f"a Redis URL has an @ where none can be; {_ENCODE}")
    return url, port


def _kind_of(dsn: str) -> str:
    """`+sentinel` or `+cluster` of a URL's scheme; empty for one server."""
    scheme, _, kind = dsn.partition("://")[0].rpartition("+")
    return f"+{kind}" if f"+{kind}" in (_SENTINEL, _CLUSTER) and scheme in _SCHEMES.keys() - {"unix"} else ""


def _sentinels(listed: str) -> Iterator[tuple[str, int]]:
    """Read `host1:26379,host2`."""
    for told in listed.split(","):
        found = _HOST.fullmatch(told)
        if found is None or not 0 < int(found[3] or _SENTINEL_PORT) <= _LAST_PORT:
            raise ConfigurationError(
                "sentinels are listed in a URL as host:port,host:port, as in "
                f"redis+sentinel://s1:26379,s2:26379/mymaster/0; {_ENCODE}"
            )
        yield found[1] or found[2], int(found[3] or _SENTINEL_PORT)


def _is_cut_short(url: ParseResult) -> bool:
    """Whether an @ stands behind the host, as it does if the password has a character that ends the host."""
    known = {field.name for field in fields(SentinelSettings)}
    path_may = url.scheme == "unix" and (not url.netloc or "@" in url.netloc)
    return (
        "@" in url.fragment
        or ("@" in url.path and not path_may)
        or any(
            "@" in name or ("@" in value and name not in known)
            for name, value in parse_qsl(url.query, keep_blank_values=True)
        )
    )


def _masked(name: str, value: object) -> object:
    return "***" if name in ("password", "sentinel_password") and value else value


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
            are listed without `sentinel`.
    """
    settings = default_redis_settings() if settings_ is None else settings_
    if not isinstance(settings, RedisSettings):
        raise ConfigurationError(
            f"create_pool takes RedisSettings (see RedisSettings.from_dsn), got {settings!r}"
        )
    if not settings.sentinel and not isinstance(settings.host, str):
        raise ConfigurationError(
            f"a list of hosts is for sentinels, and sentinel is not set: {settings.host!r}"
        )
    if settings.sentinel and isinstance(settings.host, str):
        raise RuntimeError("str provided for 'host' but 'sentinel' is true; list of sentinels expected")
    if ledger is not None:
        # Here, since without a ledger there need not be an SQLAlchemy.
        from .ledger.given import must_be_a_ledger

        must_be_a_ledger(ledger)
    checks.queue("default_queue_name", default_queue_name)
    while True:
        try:
            await _greet(settings)
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
    pool = _connect(settings)
    pool.job_serializer = job_serializer
    pool.job_deserializer = job_deserializer
    pool.default_queue_name = default_queue_name
    pool.expires_extra_ms = expires_extra_ms
    pool.ledger = ledger
    return pool


async def _greet(settings: RedisSettings) -> None:
    """Try once to reach Redis; the client would try ten times and more by itself, each time it is asked."""
    client = _connect(replace(settings, retry=Retry(NoBackoff(), 0)))
    try:
        async with asyncio.timeout(settings.conn_timeout + _GREETING_S):
            await client.ping()
    finally:
        await client.aclose(close_connection_pool=True)


def _connect(settings: RedisSettings) -> ArqRedis:
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
    return f"{settings.host}:{settings.port}"


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
