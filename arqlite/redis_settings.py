"""Where Redis is: the settings, and the URLs that they are read from."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NoReturn, cast
from urllib.parse import ParseResult, parse_qs, parse_qsl, unquote, urlparse

from redis.asyncio.retry import Retry

from .errors import ConfigurationError
from .surroundings import REDIS_VARIABLE, redis_url

logger = logging.getLogger("arqlite.connections")

_SCHEMES = {"redis": False, "rediss": True, "valkey": False, "valkeys": True, "unix": False}
_SENTINEL, _CLUSTER = "+sentinel", "+cluster"
_SENTINEL_PORT, _NODE_PORT = 26_379, 6379
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\s\[\]:,]+))(?::(\d{1,5}))?")
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_SWITCHES = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)
_ENCODE = "percent-encode / ? # [ ] and @ in the password, / as %2F and so on"
_LAST_PORT = 65_535
# Fields that hold objects, for which a URL has no words.
_OBJECTS = ("retry", "retry_on_error")


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
        `redis+sentinel://user:password@host1:26379,host2:26379/mymaster/1`, or `rediss+sentinel://…`; of a
        Redis Cluster `redis+cluster://user:password@host1:6379,host2:6379`, or `rediss+cluster://…`.

        User and password are percent-decoded; query parameters with the name of a field set it. Of sentinels
        these are `SentinelSettings`, of a cluster `ClusterSettings`.

        Raises:
            RuntimeError: another scheme.
            ConfigurationError: it is no text, a query parameter has no such value, or the URL cannot be read;
                of such a one the message has no part, which may be one of the password.
        """
        if not isinstance(dsn, str):
            _refuse_url(dsn)
        if _kind_of(dsn) == _CLUSTER:
            return ClusterSettings.from_url(dsn)
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
        login, listed, url = _with_list(dsn)
        service, _, database = url.path.strip("/").partition("/")
        plain = f"{dsn.partition(_SENTINEL)[0]}://{login}sentinel/{database}"
        settings = cast("SentinelSettings", cls.from_dsn(f"{plain}?{url.query}" if url.query else plain))
        settings.host, settings.port = list(_sentinels(listed)), cls.port
        settings.sentinel = True
        if service:
            settings.sentinel_master = unquote(service)
        for name in ("sentinel_username", "sentinel_password"):
            if f"{name}=" in url.query.split("&"):  # empty: the sentinels want none
                setattr(settings, name, "")
        return settings


@dataclass(repr=False)
class ClusterSettings(RedisSettings):
    """Where some nodes of a Redis Cluster are; `host` lists them, and they tell of the others.

    A queue is on one node, whichever has its slot; several queues are spread. A cluster of Redis has only
    database 0, so that queues are told apart by their names.
    """

    @classmethod
    def from_url(cls, dsn: str) -> ClusterSettings:
        """Read a URL of a cluster; see `RedisSettings.from_dsn`."""
        login, listed, url = _with_list(dsn)
        plain = f"{dsn.partition(_CLUSTER)[0]}://{login}cluster{url.path}"
        settings = cast("ClusterSettings", cls.from_dsn(f"{plain}?{url.query}" if url.query else plain))
        settings.host, settings.port = list(_nodes(listed)), cls.port
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


def _with_list(dsn: str) -> tuple[str, str, ParseResult]:
    """Take a URL with several hosts apart: who logs in (with the @), the list, and a URL with the rest of it,
    for all but the hosts is read as in the URL of one server.
    """
    rest = dsn.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    login, has_login, listed = authority.rpartition("@")
    url = urlparse(f"//x{rest.removeprefix(authority)}")
    if "@" in url.path or "@" in url.fragment:
        raise ConfigurationError(f"a Redis URL has an @ where none can be; {_ENCODE}")
    return login + has_login, listed, url


def _sentinels(listed: str) -> Iterator[tuple[str, int]]:
    """Read `host1:26379,host2`."""
    how = "sentinels are listed in a URL as host:port,host:port, as in redis+sentinel://s1:26379,s2:26379/mymaster/0"
    return _listed(listed, _SENTINEL_PORT, how)


def _nodes(listed: str) -> Iterator[tuple[str, int]]:
    """Read `host1:6379,host2`."""
    how = "the nodes of a cluster are listed in a URL as host:port,host:port, as in redis+cluster://n1:6379,n2:6379"
    return _listed(listed, _NODE_PORT, how)


def _listed(listed: str, usual_port: int, how: str) -> Iterator[tuple[str, int]]:
    for told in listed.split(","):
        found = _HOST.fullmatch(told)
        if found is None or not 0 < int(found[3] or usual_port) <= _LAST_PORT:
            raise ConfigurationError(f"{how}; {_ENCODE}")
        yield found[1] or found[2], int(found[3] or usual_port)


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
