"""The client's face: settings, pools, and enqueueing."""

from __future__ import annotations

import asyncio
import logging
import ssl as _ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlparse

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError

from .constants import default_queue_name as _default_queue_name
from .constants import expires_extra_ms as _default_expires_extra_ms
from .engine import EndWatch, EnqueueBatch, Keys, NewJob, RedisEngine
from .errors import ConfigurationError
from .jobs import Deserializer, Job, JobDef, JobResult, Serializer
from .model.codec import Codec, queued_record
from .telemetry import JobEnqueued, execute, has_handlers
from .typing import SecondsTimedelta
from .utils import new_job_id, timestamp_ms, to_ms, to_unix_ms

logger = logging.getLogger("arqlite.connections")

_SCHEMES = {"redis": False, "rediss": True, "valkey": False, "valkeys": True, "unix": False}
# TCP keep-alive finds a peer that vanished without a word, so that no connection stays deaf for ever.
_UNLIMITED_CONNECTIONS = 2**31


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
        """Read a URL: `redis://user:password@host:6379/1`, `rediss://…` or `unix:///path?db=1`.

        User and password are percent-decoded; query parameters with the name of a field set it.

        Raises:
            RuntimeError: another scheme.
            ConfigurationError: a query parameter has no such value.
        """
        url = urlparse(dsn)
        if url.scheme not in _SCHEMES:
            raise RuntimeError("invalid DSN scheme")
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        is_local = url.scheme == "unix"
        database = query.pop("db", None) or (None if is_local else url.path.strip("/")) or "0"
        if not database.isdecimal():
            raise ConfigurationError(f"the database in a Redis URL must be a number, got {database!r}")
        settings = cls(
            host="localhost" if is_local else url.hostname or "localhost",
            port=6379 if is_local else url.port or 6379,
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
        return f"RedisSettings({', '.join(f'{k}={_masked(k, v)!r}' for k, v in shown)})"

    def _set_from_text(self, name: str, text: str) -> None:
        current = getattr(self, name, None)
        if name not in {field.name for field in fields(self)}:
            logger.warning("Redis URL: unknown parameter %r is ignored", name)
        elif isinstance(current, bool):
            setattr(self, name, text.lower() in ("1", "true", "yes", "on"))
        elif isinstance(current, int) or name == "max_connections":
            if not text.isdecimal():
                raise ConfigurationError(f"{name} in a Redis URL must be a number, got {text!r}")
            setattr(self, name, int(text))
        else:
            setattr(self, name, text)


def _masked(name: str, value: object) -> object:
    return "***" if name == "password" and value else value


class ArqRedis(Redis):
    """A `redis.asyncio.Redis` that can also enqueue jobs.

    Args:
        pool_or_conn: an existing `ConnectionPool`; None builds one from the other arguments.
        job_serializer: turns envelopes into bytes, the same on pool and worker; None is JSON.
        job_deserializer: turns those bytes back.
        default_queue_name: where jobs go unless told otherwise.
        expires_extra_ms: kept for arq. A job expires only if `_expires` says so, or if this differs
            from arq's default of one day; then so many ms after it was due.
        kwargs: as for `redis.asyncio.Redis`.
    """

    def __init__(
        self,
        pool_or_conn: ConnectionPool | None = None,
        job_serializer: Serializer | None = None,
        job_deserializer: Deserializer | None = None,
        default_queue_name: str = _default_queue_name,
        expires_extra_ms: int = _default_expires_extra_ms,
        **kwargs: Any,
    ) -> None:
        self.job_serializer = job_serializer
        self.job_deserializer = job_deserializer
        self.default_queue_name = default_queue_name
        self.expires_extra_ms = expires_extra_ms
        self._queues: dict[str, EnqueueBatch] = {}
        self._watches: dict[str, EndWatch] = {}
        if pool_or_conn is not None:
            kwargs["connection_pool"] = pool_or_conn
        super().__init__(**kwargs)

    async def enqueue_job(
        self,
        function: str,
        *args: Any,
        _job_id: str | None = None,
        _queue_name: str | None = None,
        _defer_until: datetime | None = None,
        _defer_by: SecondsTimedelta | None = None,
        _expires: SecondsTimedelta | None = None,
        _job_try: int | None = None,
        **kwargs: Any,
    ) -> Job | None:
        """Enqueue a job.

        Args:
            function: the name of the function to run.
            args: what to call it with.
            _job_id: an id of your own, so that the job is enqueued only once; a new one by default.
            _queue_name: the queue; the pool's default.
            _defer_until: when to run it; a naive datetime is local time.
            _defer_by: how long to wait; a negative time puts it before others.
            _expires: seconds or timedelta after which it is not started any more.
            _job_try: the number of its first try, if not 1.
            kwargs: what to call it with, by name.

        Returns:
            The job, or None when a job of this id is queued, is running, or has a result that is kept.

        Raises:
            SerializationError: an argument cannot be written.
        """
        new_job, queue, is_own_id = self._new_job(
            function, args, kwargs, _job_id, _queue_name, _defer_until, _defer_by, _expires, _job_try
        )
        accepted = await self._queue(queue).enqueue(new_job)
        # Nobody else makes our ids: if one is known already, it is this very job, sent twice.
        if not accepted and is_own_id:
            return None
        if has_handlers(JobEnqueued):
            execute(JobEnqueued(queue, new_job.job_id, function))
        return Job(new_job.job_id, self, queue, self.job_deserializer)

    async def enqueue_many(
        self, calls: Iterable[tuple[Any, ...]], *, _queue_name: str | None = None
    ) -> list[Job | None]:
        """Enqueue many jobs at once; each chunk of 500 is stored as a whole or not at all.

        Args:
            calls: `(function, args, kwargs)` each; kwargs, or both, may be left out.
            _queue_name: the queue; the pool's default.

        Returns:
            The jobs in the order of the calls.

        Raises:
            SerializationError: an argument cannot be written; nothing was enqueued.
        """
        jobs: list[NewJob] = []
        queue = _queue_name or self.default_queue_name
        for function, *rest in calls:
            args = rest[0] if rest else ()
            kwargs = rest[1] if len(rest) > 1 else {}
            jobs.append(self._new_job(function, tuple(args), kwargs, None, queue, None, None, None, None)[0])
        await self._queue(queue).engine.enqueue(jobs)
        if has_handlers(JobEnqueued):
            for call, job in zip(calls, jobs, strict=True):
                execute(JobEnqueued(queue, job.job_id, call[0]))
        return [Job(job.job_id, self, queue, self.job_deserializer) for job in jobs]

    async def all_job_results(self) -> list[JobResult]:
        """Read all results that are kept, of all queues of this database, by enqueue time."""
        results: list[JobResult] = []
        codec = Codec(self.job_serializer, self.job_deserializer)
        now_ms = timestamp_ms()
        async for key in self.scan_iter(match=Keys.all_queues_pattern(), count=1000):
            queue = Keys.queue_of(key.decode())
            async for job_id, record in self.hscan_iter(key, count=1000):
                if record[:1] == b"R" and int(record[1:14]) > now_ms:
                    results.append(cast("JobResult", codec.decode_record(record, job_id.decode(), queue)))
        return sorted(results, key=lambda result: result.enqueue_time)

    async def queued_jobs(self, *, queue_name: str | None = None) -> list[JobDef]:
        """Read all jobs of a queue that have not ended, in the order they are due."""
        queue = queue_name or self.default_queue_name
        codec = Codec(self.job_serializer, self.job_deserializer)
        jobs: list[JobDef] = []
        async for job_id, record in self.hscan_iter(Keys(queue).jobs, count=1000):
            if record[:1] == b"Q":
                jobs.append(codec.decode_record(record, job_id.decode(), queue, due_ms(codec, record)))
        return sorted(jobs, key=lambda job: job.score or 0)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the pool; may be called twice."""
        for watch in self._watches.values():
            await watch.close()
        self._watches.clear()
        await super().aclose(close_connection_pool)

    def _queue(self, name: str) -> EnqueueBatch:
        batch = self._queues.get(name)
        if batch is None:
            self._queues[name] = batch = EnqueueBatch(RedisEngine(self, name))
        return batch

    def end_watch(self, engine: RedisEngine) -> EndWatch:
        """Hand out the one watch that follows the ends of a queue's jobs."""
        watch = self._watches.get(engine.queue)
        if watch is None:
            self._watches[engine.queue] = watch = EndWatch(engine)
        return watch

    def _new_job(
        self,
        function: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        job_id: str | None,
        queue: str | None,
        defer_until: datetime | None,
        defer_by: SecondsTimedelta | None,
        expires: SecondsTimedelta | None,
        job_try: int | None,
    ) -> tuple[NewJob, str, bool]:
        if not isinstance(function, str):
            raise ConfigurationError(f"enqueue_job takes the name of a function, got {function!r}")
        if defer_until and defer_by:
            raise RuntimeError("use either 'defer_until' or 'defer_by' or neither, not both")
        now_ms = timestamp_ms()
        extras: dict[str, Any] = {}
        when, due = "", now_ms
        if defer_until is not None:
            due = to_unix_ms(defer_until)
            when = f"={due}"
        elif defer_by:
            delay_ms = to_ms(defer_by)
            due = now_ms + delay_ms
            when = f"{delay_ms:+d}"
        if when:
            extras["at"] = due
        if expires:
            extras["x"] = now_ms + to_ms(expires)
        elif self.expires_extra_ms != _default_expires_extra_ms:
            extras["x"] = due + self.expires_extra_ms
        if job_id:
            _check_job_id(job_id)
            # Two callers may enqueue the same id in the same ms; only one of them may be told yes.
            extras["n"] = new_job_id()[11:]
        codec = Codec(self.job_serializer, self.job_deserializer)
        blob = codec.encode_job(function, args, kwargs, job_try, now_ms, **extras)
        new_job = NewJob(job_id or new_job_id(), when, queued_record(0, blob))
        return new_job, queue or self.default_queue_name, bool(job_id)


def due_ms(codec: Codec, record: bytes) -> int:
    """Tell when a live record was meant to run, in ms since 1970."""
    envelope = codec.decode_job(record[2:])
    return int(envelope.get("at") or envelope["et"])


def _check_job_id(job_id: str) -> None:
    if not isinstance(job_id, str):
        raise ConfigurationError(f"a job id must be a string, got {job_id!r}")
    if "\0" in job_id or len(job_id) > 512:
        raise ConfigurationError("a job id must be at most 512 characters, none of them NUL")
    try:
        job_id.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"a job id must be valid Unicode, got {job_id!r}") from error


async def create_pool(
    settings_: RedisSettings | None = None,
    *,
    retry: int = 0,
    job_serializer: Serializer | None = None,
    job_deserializer: Deserializer | None = None,
    default_queue_name: str = _default_queue_name,
    expires_extra_ms: int = _default_expires_extra_ms,
) -> ArqRedis:
    """Connect to Redis, trying again for a while.

    Args:
        settings_: where Redis is; localhost by default.
        retry: how many of the retries are used up already.
        job_serializer: see `ArqRedis`.
        job_deserializer: see `ArqRedis`.
        default_queue_name: see `ArqRedis`.
        expires_extra_ms: see `ArqRedis`.

    Raises:
        redis.exceptions.ConnectionError: it could not be reached, after `conn_retries` more attempts.
        RuntimeError: `sentinel` is set and `host` is no list.
    """
    settings = RedisSettings() if settings_ is None else settings_
    if settings.sentinel and isinstance(settings.host, str):
        raise RuntimeError("str provided for 'host' but 'sentinel' is true; list of sentinels expected")
    connect = _sentinel_client if settings.sentinel else _client
    while True:
        pool = connect(settings)
        pool.job_serializer = job_serializer
        pool.job_deserializer = job_deserializer
        pool.default_queue_name = default_queue_name
        pool.expires_extra_ms = expires_extra_ms
        try:
            await pool.ping()
        except (OSError, RedisError, TimeoutError) as error:
            await pool.aclose(close_connection_pool=True)
            if retry >= settings.conn_retries:
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
            return pool


def _client(settings: RedisSettings) -> ArqRedis:
    where: dict[str, Any] = {"db": settings.database, **_common(settings)}
    if settings.unix_socket_path:
        where["unix_socket_path"] = settings.unix_socket_path
    else:
        where |= {"host": settings.host, "port": settings.port, "socket_keepalive": True, **_tls(settings)}
    return ArqRedis(**where)


def _sentinel_client(settings: RedisSettings) -> ArqRedis:
    hosts = cast("list[tuple[str, int]]", settings.host)
    secrets = {"username": settings.username, "password": settings.password}
    make_sentinel = cast("Callable[..., Any]", Sentinel)
    sentinel = make_sentinel(
        hosts,
        sentinel_kwargs={**secrets, **_tls(settings)},
        db=settings.database,
        **_common(settings),
        **_tls(settings),
    )
    return cast("ArqRedis", sentinel.master_for(settings.sentinel_master, redis_class=ArqRedis))


def _common(settings: RedisSettings) -> dict[str, Any]:
    common: dict[str, Any] = {
        "username": settings.username,
        "password": settings.password,
        "socket_connect_timeout": settings.conn_timeout,
        "socket_timeout": None,
        "max_connections": settings.max_connections or _UNLIMITED_CONNECTIONS,
        "retry_on_error": settings.retry_on_error,
    }
    if settings.retry_on_timeout:  # redis-py 6 deprecated it, for it always does so
        common["retry_on_timeout"] = True
    if settings.retry is not None:
        common["retry"] = settings.retry
    return common


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
