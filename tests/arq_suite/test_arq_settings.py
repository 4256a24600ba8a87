"""`RedisSettings`, `create_pool` and the client."""

from __future__ import annotations

import re
import socket
import warnings
from dataclasses import asdict
from typing import Any

import pytest
from arq import ArqRedis, create_pool
from arq.connections import RedisSettings, log_redis_info
from arq.connections import logger as connections_logger
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import ConnectionError as RedisConnectionError

DEFAULTS: dict[str, Any] = {
    "host": "localhost",
    "port": 6379,
    "unix_socket_path": None,
    "database": 0,
    "username": None,
    "password": None,
    "ssl": False,
    "ssl_keyfile": None,
    "ssl_certfile": None,
    "ssl_cert_reqs": "required",
    "ssl_ca_certs": None,
    "ssl_ca_data": None,
    "ssl_check_hostname": False,
    "conn_timeout": 1,
    "conn_retries": 5,
    "conn_retry_delay": 1,
    "max_connections": None,
    "sentinel": False,
    "sentinel_master": "mymaster",
    "retry_on_timeout": False,
    "retry_on_error": None,
    "retry": None,
}


def test_fields_and_defaults() -> None:
    """The fields, their order and their defaults."""
    assert list(asdict(RedisSettings()).items()) == list(DEFAULTS.items())


def test_repr() -> None:
    """All fields are shown."""
    shown = ", ".join(f"{name}={value!r}" for name, value in DEFAULTS.items())

    assert repr(RedisSettings()) == f"RedisSettings({shown})"


def test_equality_and_position() -> None:
    """Settings are plain data: by position, comparable, changeable."""
    settings = RedisSettings("r", 1, None, 2)

    assert settings == RedisSettings(host="r", port=1, database=2)
    assert settings != RedisSettings()
    settings.host = "s"
    assert settings.host == "s"


@pytest.mark.parametrize(
    ("dsn", "wanted"),
    [
        ("redis://", {}),
        ("redis://h", {"host": "h"}),
        ("redis://h:1/2", {"host": "h", "port": 1, "database": 2}),
        ("redis://h:1?db=3", {"host": "h", "port": 1, "database": 3}),
        ("redis://u:p@h", {"host": "h", "username": "u", "password": "p"}),
        ("redis://:p@h", {"host": "h", "password": "p"}),
        ("rediss://h", {"host": "h", "ssl": True}),
        ("unix:///run/r.sock", {"unix_socket_path": "/run/r.sock"}),
        ("unix:///run/r.sock?db=4", {"unix_socket_path": "/run/r.sock", "database": 4}),
    ],
)
def test_from_dsn(dsn: str, wanted: dict[str, Any]) -> None:
    """Host, port, user, password, database and kind of connection are read from a URL."""
    settings = asdict(RedisSettings.from_dsn(dsn))

    settings["username"] = settings["username"] or None  # of `redis://:p@h` it is empty in arq
    assert settings == {**DEFAULTS, **wanted}


def test_from_dsn_of_another_scheme() -> None:
    """Other schemes are refused."""
    with pytest.raises(RuntimeError, match=r"^invalid DSN scheme$"):
        RedisSettings.from_dsn("https://h:6379")


async def test_pool_has_its_options(redis_settings: RedisSettings) -> None:
    """What the pool is told it shows, and it may be told anew."""
    pool = await create_pool(
        redis_settings,
        job_serializer=repr,
        job_deserializer=eval,
        default_queue_name="mine",
        expires_extra_ms=5,
    )

    assert isinstance(pool, ArqRedis)
    assert (pool.job_serializer, pool.job_deserializer) == (repr, eval)
    assert (pool.default_queue_name, pool.expires_extra_ms) == ("mine", 5)
    pool.default_queue_name, pool.job_serializer, pool.expires_extra_ms = "other", None, 6
    assert (pool.default_queue_name, pool.job_serializer, pool.expires_extra_ms) == ("other", None, 6)
    await pool.aclose(close_connection_pool=True)


async def test_pool_is_a_redis_client(arq_redis: ArqRedis) -> None:
    """It does what any Redis client does, and answers in bytes."""
    await arq_redis.set("a", "1")
    async with arq_redis.pipeline(transaction=True) as pipe:
        pipe.incr("a")
        pipe.zadd("z", {"m": 1})

        assert await pipe.execute() == [2, 1]
    assert await arq_redis.get("a") == b"2"
    assert await arq_redis.zrange("z", 0, -1) == [b"m"]
    assert await arq_redis.ping() is True


async def test_client_from_a_pool(redis_settings: RedisSettings, arq_redis: ArqRedis) -> None:
    """A client may be made from a pool of connections, or as any Redis client is; making connects nothing."""
    by_pool = ArqRedis(arq_redis.connection_pool)
    by_arguments = ArqRedis(
        unix_socket_path=redis_settings.unix_socket_path,
        host=redis_settings.host,
        port=redis_settings.port,
        db=redis_settings.database,
    )

    assert await by_pool.enqueue_job("add", 1) is not None
    assert len(await by_arguments.queued_jobs()) == 1
    assert by_pool.default_queue_name == "arq:queue"
    assert isinstance(by_pool.connection_pool, ConnectionPool)
    assert isinstance(ArqRedis(host="nowhere", port=1), Redis)
    await by_arguments.aclose(close_connection_pool=True)


async def test_pool_may_be_closed_twice(redis_settings: RedisSettings) -> None:
    """Closing again does nothing; `close` is redis-py's old name of it."""
    pool = await create_pool(redis_settings)

    await pool.aclose(close_connection_pool=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        await pool.close(close_connection_pool=True)


@pytest.mark.parametrize(("used", "left"), [(0, [2, 1]), (1, [1]), (2, [])])
async def test_pool_gives_up_after_its_retries(
    used: int, left: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """Each failed attempt is told with how many are left; the last error is raised."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        settings = RedisSettings("127.0.0.1", port, conn_retries=2, conn_retry_delay=0)

        with pytest.raises((RedisConnectionError, OSError)):
            await create_pool(settings, retry=used)

    said = [record for record in caplog.records if record.name == connections_logger.name]
    assert {record.levelname for record in said} <= {"WARNING"}
    for record, number in zip(said, left, strict=True):
        assert re.fullmatch(
            rf"redis connection error 127\.0\.0\.1:{port} ConnectionError .*, "
            rf"{number} retries remaining\.\.\.",
            record.getMessage(),
        )


async def test_sentinel_needs_a_list() -> None:
    """A name alone is no list of sentinels."""
    with pytest.raises(
        RuntimeError,
        match=r"^str provided for 'host' but 'sentinel' is true; list of sentinels expected$",
    ):
        await create_pool(RedisSettings(sentinel=True))


async def test_redis_info(arq_redis: ArqRedis) -> None:
    """Version, memory, clients and keys in one line."""
    said: list[str] = []

    await log_redis_info(arq_redis, said.append)

    assert len(said) == 1
    assert re.fullmatch(r"redis_version=\d\S* mem_usage=\d\S* clients_connected=\d+ db_keys=\d+", said[0])
