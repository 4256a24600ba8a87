"""The client: settings, pools, enqueueing, and looking at all jobs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import pickle
import socket
import subprocess
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from redis.asyncio import ConnectionPool, Redis, SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedSSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from worker_toys import Ctx, enqueue, lines

from arqlite import ArqRedis, create_pool, func
from arqlite.connections import (
    ClusterSettings,
    RedisSettings,
    SentinelSettings,
    default_redis_settings,
    log_redis_info,
)
from arqlite.embedded.binaries import server_binaries
from arqlite.errors import ConfigurationError, DeserializationError, SerializationError
from arqlite.jobs import Job
from arqlite.telemetry import JobEnqueued, attach, detach


async def add(ctx: Ctx, a: int, b: int = 2) -> int:
    return a + b


# -- settings


@pytest.mark.parametrize(
    ("dsn", "wanted"),
    [
        ("redis://", {"host": "localhost", "port": 6379, "database": 0}),
        ("redis://redis.example:7000/3", {"host": "redis.example", "port": 7000, "database": 3}),
        ("redis://h?db=4", {"host": "h", "database": 4}),
        ("redis://user:p%40ss@h", {"username": "user", "password": "p@ss"}),
        ("redis://:secret@h", {"username": None, "password": "secret"}),
        ("rediss://h", {"ssl": True}),
        ("valkey://h/2", {"host": "h", "database": 2, "ssl": False}),
        ("unix:///run/redis.sock?db=2", {"unix_socket_path": "/run/redis.sock", "database": 2}),
        ("unix:///run/my%20redis.sock", {"unix_socket_path": "/run/my redis.sock", "database": 0}),
        (
            "redis://h?conn_timeout=7&max_connections=5&ssl=true",
            {"conn_timeout": 7, "max_connections": 5, "ssl": True},
        ),
        (
            "rediss://h?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none",
            {"ssl_ca_certs": "/ca.pem", "ssl_cert_reqs": "none"},
        ),
        (
            "redis+sentinel://u:p%40ss@s1:26380,s2/queues/3?max_connections=5",
            {
                "host": [("s1", 26380), ("s2", 26379)], "sentinel": True, "sentinel_master": "queues",
                "database": 3, "username": "u", "password": "p@ss", "ssl": False, "max_connections": 5,
                "sentinel_password": None,
            },
        ),
        (
            "valkeys+sentinel://[::1]:1",
            {"host": [("::1", 1)], "sentinel_master": "mymaster", "database": 0, "ssl": True},
        ),
        (
            "redis+sentinel://:p@s1/m?sentinel_username=&sentinel_password=watch%2Fer",
            {"password": "p", "sentinel_username": "", "sentinel_password": "watch/er"},
        ),
    ],
)  # fmt: skip
def test_dsn(dsn: str, wanted: dict[str, Any]) -> None:
    """A URL is read whole: secrets are decoded, the database is found in path or query, options are taken."""
    settings = RedisSettings.from_dsn(dsn)

    assert {name: getattr(settings, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("dsn", "wanted"),
    [
        ("redis+cluster://n1:7000,n2", {"host": [("n1", 7000), ("n2", 6379)], "database": 0, "ssl": False}),
        (
            "rediss+cluster://u:p%40ss@n1/?ssl_ca_certs=/ca.pem",
            {
                "host": [("n1", 6379)], "username": "u", "password": "p@ss", "ssl": True,
                "ssl_ca_certs": "/ca.pem",
            },
        ),
        ("valkey+cluster://[::1]:7000/2", {"host": [("::1", 7000)], "database": 2}),
    ],
)  # fmt: skip
def test_dsn_of_a_cluster(dsn: str, wanted: dict[str, Any]) -> None:
    """A URL lists nodes of a cluster; all else in it is read as in that of one server."""
    settings = RedisSettings.from_dsn(dsn)

    assert type(settings) is ClusterSettings
    assert not settings.sentinel
    assert {name: getattr(settings, name) for name in wanted} == wanted


def test_dsn_of_a_cluster_shows_no_password() -> None:
    """Neither an error nor a repr has the password of a cluster's URL."""
    with pytest.raises(ConfigurationError, match=r"as in redis\+cluster://n1:6379,n2:6379") as caught:
        RedisSettings.from_dsn("redis+cluster://u:hunter2@n1,,n2")

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(RedisSettings.from_dsn("redis+cluster://u:hunter2@n1"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (ClusterSettings(host="n1"), "the host of ClusterSettings is a list"),
        (ClusterSettings(host=[]), "the host of ClusterSettings is a list"),
        (ClusterSettings(host=[("n1", 1)], sentinel=True), "a cluster has no sentinels"),
        (RedisSettings(host=[("n1", 1)]), "for a cluster there are ClusterSettings"),
    ],
)
async def test_hosts_that_cannot_be_meant(settings: RedisSettings, told: str) -> None:
    """A list of hosts has to be one of sentinels or of nodes, and what it is has to be said."""
    with pytest.raises(ConfigurationError, match=told):
        await create_pool(settings)


async def test_cluster_that_is_away() -> None:
    """Where no node answers, all that were asked are named."""
    settings = ClusterSettings(host=[("127.0.0.1", 1), ("localhost", 2)], conn_retries=0)
    with pytest.raises(
        RedisConnectionError, match=r"no node of the cluster answers \(127.0.0.1:1, localhost:2\)"
    ):
        await create_pool(settings)


@pytest.mark.parametrize(
    "dsn",
    ["redis+sentinel://", "redis+sentinel://a,,b/m", "redis+sentinel://a:0", "redis+sentinel://a:70000/m",
     "redis+sentinel://a b/m"],
)  # fmt: skip
def test_dsn_with_sentinels_that_cannot_be_read(dsn: str) -> None:
    """Sentinels that are none are refused with the form of such a URL."""
    with pytest.raises(ConfigurationError, match=r"host:port,host:port, as in redis\+sentinel://s1:26379,s2"):
        RedisSettings.from_dsn(dsn)


@pytest.mark.parametrize(
    ("dsn", "told"),
    [(None, r"None \(is the variable set\?\)"), (b"redis://:secret@h", "a bytes$"), (6379, "a int$")],
)
def test_dsn_that_is_no_text(dsn: Any, told: str) -> None:
    """A variable that is not set is told as that, and of anything else nothing that may be secret."""
    with pytest.raises(ConfigurationError, match=f"a Redis URL is a text such as redis://.*, got {told}"):
        RedisSettings.from_dsn(dsn)


async def test_pool_needs_a_queue_with_a_name() -> None:
    """Jobs of a queue '' would be served by nobody."""
    with pytest.raises(ConfigurationError, match="default_queue_name must not be empty"):
        await create_pool(RedisSettings(), default_queue_name="")
    with pytest.raises(ConfigurationError, match="default_queue_name must not be empty"):
        ArqRedis(default_queue_name="")


def test_dsn_of_another_scheme() -> None:
    """A URL of another scheme is refused with arq's text."""
    with pytest.raises(RuntimeError, match="invalid DSN scheme"):
        RedisSettings.from_dsn("http://localhost")


@pytest.mark.parametrize("dsn", ["redis://h/one", "redis://h?db=-1", "redis://h?conn_timeout=soon"])
def test_dsn_with_a_bad_value(dsn: str) -> None:
    """A value that cannot be read is refused in words."""
    with pytest.raises(ConfigurationError, match="in a Redis URL must be a number"):
        RedisSettings.from_dsn(dsn)


@pytest.mark.parametrize(
    ("dsn", "text"),
    [
        ("redis://h?retry=3", "retry cannot be set in a Redis URL, got '3'; set it in code"),
        ("redis://h?retry_on_error=x", "retry_on_error cannot be set in a Redis URL, got 'x'"),
        ("redis://h?ssl=maybe", "ssl in a Redis URL must be true or false, got 'maybe'"),
    ],
)
def test_dsn_with_a_value_no_url_can_hold(dsn: str, text: str) -> None:
    """A parameter for which a URL has no words, or that is not among them, is refused."""
    with pytest.raises(ConfigurationError, match=text):
        RedisSettings.from_dsn(dsn)


@pytest.mark.parametrize(
    "dsn",
    [
        "redis://u:hunter2#x@host",
        "redis://u:hunter2?x@host",
        "redis://u:hunter2/x@host",
        "redis://u:12345/hunter2@host",
        "redis://u:12345?hunter2=1@host",
        "redis://u:12345#hunter2@host",
        "redis://u:1/hunter2?x@host",
        "redis://u:p@ss/hunter2@host",
        "redis://u:[hunter2]@host",
        "redis://u:hunter2\u2100@host",
        "redis://hunter2:99999",
        "unix://u:1/hunter2@/run/redis.sock",
        "redis+sentinel://u:1/hunter2@host/m",
        "redis+sentinel://u:1#hunter2@host/m",
        "redis+sentinel://u:1?hunter2@host/m",
        "redis+sentinel://u:hunter2/x@host",
    ],
)
def test_dsn_with_a_password_that_is_not_encoded(
    dsn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A password that ends the host early is told in words, and no part of it, wherever the URL is from."""
    monkeypatch.setenv("ARQLITE_REDIS_URL", dsn)

    for read in (lambda: RedisSettings.from_dsn(dsn), default_redis_settings):
        with pytest.raises(ConfigurationError, match="percent-encode") as caught:
            read()
        assert "hunter2" not in "".join(traceback.format_exception(caught.value, chain=True))
        assert caught.value.__cause__ is None
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("dsn", "wanted"),
    [
        ("redis://u:p@ss@h", {"host": "h", "password": "p@ss"}),
        ("redis://h?password=p@ss", {"password": "p@ss"}),
        ("unix:///run/a@b.sock", {"unix_socket_path": "/run/a@b.sock"}),
    ],
)
def test_dsn_with_an_at_sign_in_its_place(dsn: str, wanted: dict[str, Any]) -> None:
    """An @ that can only be meant as what it is there is no mistake."""
    settings = RedisSettings.from_dsn(dsn)

    assert {name: getattr(settings, name) for name in wanted} == wanted


def test_dsn_with_an_unknown_parameter(caplog: pytest.LogCaptureFixture) -> None:
    """A parameter that means nothing is told, not swallowed."""
    assert RedisSettings.from_dsn("redis://h?colour=red") == RedisSettings(host="h")

    assert lines(caplog, "arqlite.connections") == ["Redis URL: unknown parameter 'colour' is ignored"]


def test_settings_show_no_password() -> None:
    """The `repr` names every field; the password is masked, for settings are logged."""
    shown = repr(RedisSettings(host="h", password="secret"))

    assert shown.startswith("RedisSettings(host='h', port=6379, unix_socket_path=None, database=0, ")
    assert "secret" not in shown
    assert len(dataclasses.asdict(RedisSettings())) == shown.count("=")


# -- pools


async def test_pool_has_its_options(real_url: str) -> None:
    """`create_pool` connects and hands its options on."""
    pool = await create_pool(
        RedisSettings.from_dsn(real_url),
        default_queue_name="q",
        expires_extra_ms=5,
        job_serializer=pickle.dumps,
        job_deserializer=pickle.loads,
    )

    assert isinstance(pool, Redis)
    assert (pool.default_queue_name, pool.expires_extra_ms) == ("q", 5)
    assert (pool.job_serializer, pool.job_deserializer) == (pickle.dumps, pickle.loads)
    assert await pool.set("key", "value")
    assert await pool.get("key") == b"value"
    await pool.aclose(close_connection_pool=True)


@pytest.mark.parametrize("given", ["postgresql://ada:secret@host/jobs", 42])
async def test_pool_takes_a_ledger_and_nothing_else(given: Any) -> None:
    """What is no ledger is refused before anything is connected, in words without a password."""
    with pytest.raises(ConfigurationError, match="ledger must be a Ledger") as caught:
        await create_pool(RedisSettings(unix_socket_path="/nowhere/redis.sock"), ledger=given)

    assert "secret" not in str(caught.value)


async def test_pool_gives_up_after_its_retries(caplog: pytest.LogCaptureFixture) -> None:
    """`create_pool` tries again as often as told, says so each time in arq's words, and then raises."""
    settings = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=2, conn_retry_delay=0)

    # The client's own retries, seconds of pauses, stay out of it.
    async with asyncio.timeout(1):
        with pytest.raises(RedisConnectionError):
            await create_pool(settings)

    said = lines(caplog, "arqlite.connections")
    assert [line.split(" ConnectionError ")[0] for line in said] == [
        "redis connection error /nowhere/redis.sock"
    ] * 2
    assert [line[-22:] for line in said] == ["2 retries remaining...", "1 retries remaining..."]


async def test_sentinel_needs_a_list() -> None:
    """Sentinels are a list; a single name is refused with arq's text."""
    with pytest.raises(
        RuntimeError, match="str provided for 'host' but 'sentinel' is true; list of sentinels expected"
    ):
        await create_pool(RedisSettings(host="h", sentinel=True))


async def test_sentinel_secrets_and_certificates_reach_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """User, password, TLS and certificates go to the sentinels and to the master."""

    async def ping(self: Any) -> bool:
        return True

    monkeypatch.setattr(ArqRedis, "ping", ping)
    settings = RedisSettings(
        host=[("one", 1), ("two", 2)], sentinel=True, sentinel_master="m", database=3,
        username="u", password="p", ssl=True, ssl_ca_certs="ca.pem",
    )  # fmt: skip

    pool: Any = (await create_pool(settings)).connection_pool

    assert isinstance(pool, SentinelConnectionPool)
    assert (pool.service_name, pool.connection_class) == ("m", SentinelManagedSSLConnection)
    wanted = {"username": "u", "password": "p", "ssl_ca_certs": "ca.pem"}
    assert {name: pool.connection_kwargs[name] for name in wanted} == wanted
    assert pool.connection_kwargs["db"] == 3
    for sentinel in pool.sentinel_manager.sentinels:
        assert sentinel.connection_pool.connection_class is SSLConnection
        assert {name: sentinel.connection_pool.connection_kwargs[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        ({}, ("u", "p")),
        ({"sentinel_password": "q"}, ("u", "q")),
        ({"sentinel_username": "", "sentinel_password": ""}, (None, None)),
    ],
)
async def test_sentinels_may_have_secrets_of_their_own(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, Any], wanted: tuple[str | None, str | None]
) -> None:
    """Sentinels get the user and the password of Redis, unless they have others, or none."""

    async def ping(self: Any) -> bool:
        return True

    monkeypatch.setattr(ArqRedis, "ping", ping)
    settings = SentinelSettings(host=[("one", 1)], sentinel=True, username="u", password="p", **own)

    pool: Any = (await create_pool(settings)).connection_pool

    [sentinel] = pool.sentinel_manager.sentinels
    told = sentinel.connection_pool.connection_kwargs
    assert (told.get("username"), told.get("password")) == wanted
    assert (pool.connection_kwargs["username"], pool.connection_kwargs["password"]) == ("u", "p")


@contextlib.contextmanager
def server(folder: Path, name: str, *lines: str) -> Iterator[int]:
    """A real server, or a sentinel, on a loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    file = folder / f"{name}.conf"
    file.write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {folder}", *lines]))
    options = ["--sentinel"] if name == "sentinel" else []
    with subprocess.Popen(
        [str(next(server_binaries())), str(file), *options], stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield port
        finally:
            process.kill()


@pytest.mark.real
async def test_url_of_sentinels_leads_to_the_master(tmp_path: Path) -> None:
    """A real sentinel that is named by a URL leads to the server it watches, in its database."""
    with (
        server(tmp_path, "redis", "requirepass secret") as port,
        server(
            tmp_path, "sentinel",
            f"sentinel monitor queues 127.0.0.1 {port} 1", "sentinel auth-pass queues secret",
        ) as watching,
    ):  # fmt: skip
        url = f"redis+sentinel://:secret@127.0.0.1:{watching}/queues/2?sentinel_password="
        pool = await create_pool(RedisSettings.from_dsn(f"{url}&conn_retries=30"))
        await pool.enqueue_job("add", 1)
        await pool.aclose(close_connection_pool=True)

        there = await create_pool(RedisSettings.from_dsn(f"redis://:secret@127.0.0.1:{port}/2"))
        assert [one.function for one in await there.queued_jobs()] == ["add"]
        await there.aclose(close_connection_pool=True)


@pytest.mark.parametrize(
    ("options", "checked"),
    [
        ({}, True),
        ({"ssl_cert_reqs": "none"}, False),
        ({"ssl_cert_reqs": "none", "ssl_check_hostname": True}, True),
    ],
)
async def test_host_of_a_certificate_is_checked(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], checked: bool
) -> None:
    """With TLS the host name is checked whenever the certificate is (in arq it is not)."""

    async def ping(self: Any) -> bool:
        return True

    monkeypatch.setattr(ArqRedis, "ping", ping)

    pool = await create_pool(RedisSettings(host="h", ssl=True, **options))

    assert pool.connection_pool.connection_kwargs["ssl_check_hostname"] is checked


def test_clients_are_made_as_in_arq() -> None:
    """An `ArqRedis` is made from addresses, from a pool or from a URL, without connecting."""
    pool = ConnectionPool(host="h")

    assert ArqRedis(host="redis.example", port=1).connection_pool.connection_kwargs["host"] == "redis.example"
    assert ArqRedis(pool).connection_pool is pool
    assert ArqRedis(pool_or_conn=pool, default_queue_name="q").default_queue_name == "q"


async def test_redis_info_is_logged(arq_redis: ArqRedis) -> None:
    """One line tells the server's version, memory, clients and keys, as in arq."""
    said: list[str] = []

    await log_redis_info(arq_redis, said.append)

    [line] = said
    assert [part.split("=")[0] for part in line.split()] == [
        "redis_version",
        "mem_usage",
        "clients_connected",
        "db_keys",
    ]


# -- enqueueing


async def test_job_of_a_new_id(arq_redis: ArqRedis) -> None:
    """A job without an id gets one, and each another."""
    jobs = [await enqueue(arq_redis, "add", n, _job_id="" if n else None) for n in range(3)]

    assert len({job.job_id for job in jobs}) == 3
    assert all(isinstance(job, Job) for job in jobs)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (
            {"_defer_until": datetime(2100, 1, 1, tzinfo=UTC), "_defer_by": 1},
            RuntimeError,
            "use either 'defer_until' or 'defer_by' or neither, not both",
        ),
        ({"_job_id": "a\0b"}, ConfigurationError, "none of them NUL"),
        ({"_job_id": "x" * 513}, ConfigurationError, "at most 512 characters"),
        ({"_job_id": 7}, ConfigurationError, "a job id must be a string, got 7"),
        ({"_job_id": "\udcff"}, ConfigurationError, "valid Unicode"),
        ({"value": object()}, SerializationError, 'unable to serialize job "add"'),
    ],
)
async def test_bad_calls_are_refused(
    arq_redis: ArqRedis, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    """What cannot be enqueued is refused in words, and disturbs no other caller of the same moment."""
    bad, good = await asyncio.gather(
        arq_redis.enqueue_job("add", **options), arq_redis.enqueue_job("add", 1), return_exceptions=True
    )

    assert isinstance(bad, error)
    assert text in str(bad)
    assert isinstance(good, Job)


async def test_function_is_called_by_name(arq_redis: ArqRedis) -> None:
    """A function given in place of its name is refused in words."""
    with pytest.raises(ConfigurationError, match="enqueue_job takes the name of a function"):
        await arq_redis.enqueue_job(add)  # type: ignore[arg-type]


async def test_expiry_of_zero_means_none(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`_expires=0` means the default, as in arq."""
    await enqueue(arq_redis, "add", 1, _expires=0)

    assert await make_worker([add]).run_check() == 1


async def test_enqueue_many(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Many jobs are stored at once, in order; arguments may be left out."""
    calls: list[tuple[Any, ...]] = [("add", (1,)), ("add", (1,), {"b": 5}), ("none",)]
    events: list[JobEnqueued] = []
    attach("test", [JobEnqueued], events.append)

    async def none(ctx: Ctx) -> None: ...

    try:
        jobs = await arq_redis.enqueue_many(iter(calls))
    finally:
        detach("test")

    assert [event.function for event in events] == ["add", "add", "none"]
    assert await make_worker([add, func(none, name="none")]).run_check() == 3
    assert [await job.result() for job in jobs if job] == [3, 6, None]


async def test_enqueue_many_is_all_or_nothing(arq_redis: ArqRedis) -> None:
    """When one argument cannot be written, nothing is enqueued."""
    with pytest.raises(SerializationError):
        await arq_redis.enqueue_many([("add", (1,)), ("add", (object(),))])

    assert await arq_redis.queued_jobs() == []


async def test_enqueued_job_is_an_event(arq_redis: ArqRedis) -> None:
    """An accepted job is an event; a refused one is none."""
    events: list[JobEnqueued] = []
    attach("test", [JobEnqueued], events.append)
    try:
        await enqueue(arq_redis, "add", 1, _job_id="a", _queue_name="q")
        assert await arq_redis.enqueue_job("add", 1, _job_id="a", _queue_name="q") is None
    finally:
        detach("test")

    assert [(event.queue, event.job_id, event.function) for event in events] == [("q", "a", "add")]


# -- looking


async def test_queued_jobs_in_the_order_they_are_due(arq_redis: ArqRedis) -> None:
    """All jobs of a queue that have not ended are listed, deferred and running ones too."""
    await enqueue(arq_redis, "add", 3, _defer_by=timedelta(hours=1))
    await enqueue(arq_redis, "add", 2)
    await enqueue(arq_redis, "add", 1, _defer_by=-60)
    await enqueue(arq_redis, "add", 9, _queue_name="other")

    jobs = await arq_redis.queued_jobs()

    assert [job.args for job in jobs] == [(1,), (2,), (3,)]
    assert [job.args for job in await arq_redis.queued_jobs(queue_name="other")] == [(9,)]
    assert all(abs((job.score or 0) / 1000 - time.time()) < 3700 for job in jobs)


async def test_record_that_cannot_be_read_hides_no_other(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A record of another serializer is listed as '<unknown>', beside those that can be read."""
    pickled = ArqRedis(arq_redis.connection_pool, job_serializer=pickle.dumps)
    await enqueue(arq_redis, "add", 1, _job_id="mine")
    await enqueue(pickled, "add", 1, _job_id="pickled")
    await arq_redis.hset("aq:{arq:queue}:jobs", "broken", b"R9999999999999S0000zzzz")

    waiting = await arq_redis.queued_jobs()
    await make_worker([add]).async_run()
    ended = await arq_redis.all_job_results()

    assert [(job.function, job.job_id) for job in waiting] == [("<unknown>", "pickled"), ("add", "mine")]
    assert {(job.function, job.job_id, job.success) for job in ended} == {
        ("<unknown>", "broken", False),
        ("<unknown>", "pickled", False),
        ("add", "mine", True),
    }
    [broken] = [job for job in ended if job.job_id == "broken"]
    assert isinstance(broken.result, DeserializationError)


async def test_all_job_results(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The results of all queues are listed by the time their jobs were enqueued."""
    first = await enqueue(arq_redis, "add", 1)
    second = await enqueue(arq_redis, "add", 2, _queue_name="other")
    third = await enqueue(arq_redis, "add", "x")
    await make_worker([add], queue_name="other").run_check()
    await make_worker([add]).async_run()

    results = await arq_redis.all_job_results()

    assert {result.job_id for result in results} == {first.job_id, second.job_id, third.job_id}
    assert [result.enqueue_time for result in results] == sorted(result.enqueue_time for result in results)
    assert {result.queue_name for result in results} == {"arq:queue", "other"}


async def test_pool_on_a_fake_server_needs_no_network() -> None:
    """An `ArqRedis` on fakeredis enqueues like any other."""
    pool = ArqRedis(fakeredis.FakeAsyncRedis().connection_pool)

    await enqueue(pool, "add", 1)

    assert len(await pool.queued_jobs()) == 1
    await pool.aclose(close_connection_pool=True)


async def test_success_after_trouble_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that comes after trouble is told, in arq's words."""
    caplog.set_level(logging.INFO)
    answers = [RedisConnectionError("away"), True]

    async def ping(self: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ArqRedis, "ping", ping)

    await create_pool(RedisSettings(conn_retry_delay=0))

    said = lines(caplog, "arqlite.connections")
    assert said == [
        "redis connection error localhost:6379 ConnectionError away, 5 retries remaining...",
        "redis connection successful",
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"_defer_by": "5"}, "_defer_by must be a number of seconds or a timedelta, got '5'"),
        ({"_defer_by": float("nan")}, "_defer_by must be a finite number of seconds, got nan"),
        ({"_defer_by": timedelta.max}, "a job cannot be deferred beyond the year 9999"),
        ({"_defer_until": "2020"}, "_defer_until must be a datetime, got '2020'"),
        ({"_expires": "x"}, "_expires must be a number of seconds or a timedelta, got 'x'"),
        ({"_job_try": "x"}, "_job_try must be a whole number of at least 1, got 'x'"),
        ({"_job_try": 0}, "_job_try must be a whole number of at least 1, got 0"),
        ({"_queue_name": 5}, "_queue_name must be a text, got 5"),
    ],
)
async def test_options_that_cannot_work_are_refused(
    arq_redis: ArqRedis, options: dict[str, Any], text: str
) -> None:
    """An option of `enqueue_job` that cannot work is refused in words, and nothing is enqueued."""
    with pytest.raises(ConfigurationError, match=text):
        await arq_redis.enqueue_job("add", 1, **options)

    assert await arq_redis.keys("*") == []
