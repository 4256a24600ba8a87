"""Faults planted in real servers, ledgers and queues: each is found, and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from console_now_toys import (
    QUEUE,
    admin,  # noqa: F401 (a fixture)
    codes,
    free_port,
    join,
    noop,
    own_pool,  # noqa: F401 (a fixture)
    own_server,  # noqa: F401 (a fixture)
    server,
)
from postgres import postgres_url  # noqa: F401 (a fixture)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite import ArqRedis, func, task
from arqlite.connections import RedisSettings
from arqlite.console import Console
from arqlite.console.rights import NEEDED, right_in
from arqlite.console.servers import _is_public, persistence_of, server_info, version_of
from arqlite.embedded import EmbeddedServer, stop
from arqlite.engine import RedisEngine, scripts
from arqlite.ledger import Ledger

pytestmark = pytest.mark.real

LUA = Path(scripts.__file__).parent / "lua"
RIGHTS = (
    "resetkeys", "~aq:*", "~arq:queue:health-check", "resetchannels", "&aq:*", "-@all", "+@read", "+@write",
    "+@blocking", "+@scripting", "+@pubsub", "+@transaction", "+@connection", "+time", "-@admin",
    "-@dangerous", "+info",
)  # fmt: skip


@pytest.fixture
def configured(admin: redis.Redis) -> Iterator[Any]:  # noqa: F811
    """Change the server's configuration for one test."""
    before: dict[str, Any] = {}

    def change(name: str, value: Any) -> None:
        before.setdefault(name, admin.config_get(name)[name])
        admin.config_set(name, value)

    yield change
    for name, value in before.items():
        admin.config_set(name, value)


async def test_healthy_server_has_no_trouble(own_pool: ArqRedis) -> None:  # noqa: F811
    """A queue with a worker, on a server as it should be, has no trouble, and tells what it stands on."""
    await join(own_pool, leads=True)
    async with Console([own_pool]) as console:
        system = await console.system(production=True)

    [info] = system.servers
    assert list(system.troubles) == []
    assert (info.role, info.policy) == ("master", "noeviction")
    assert info.persistence in ("aof", "aof+rdb")
    assert info.product in ("Valkey", "Redis")
    assert re.fullmatch(r"\d+\.\d+\.\d+", info.version)
    assert info.memory > 100_000
    assert info.clients >= 1
    assert 0 < info.latency_ms < 2_000
    assert system.leaders == {QUEUE: "s"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"maxmemory-policy": "allkeys-lru"}, "eviction-policy"),
        ({"appendonly": "no", "save": ""}, "no-persistence"),
        ({"maxmemory": "1200kb"}, "memory-full"),
    ],
)
async def test_configuration_that_loses_jobs(
    own_pool: ArqRedis,  # noqa: F811
    configured: Any,
    changes: dict[str, str],
    code: str,
) -> None:
    """A server that is told to lose or refuse jobs is found out, in the first look, too."""
    for name, value in changes.items():
        configured(name, value)

    async with Console([own_pool]) as console:
        found, first = await codes(console), await console.overview()

    assert found == [code]
    assert [trouble.code for trouble in first.troubles] == [code]


async def test_replica_takes_no_jobs(own_pool: ArqRedis, admin: redis.Redis) -> None:  # noqa: F811
    """A server that follows another one is no place for jobs."""
    admin.replicaof("127.0.0.1", str(free_port()))
    try:
        async with Console([own_pool]) as console:
            found = await codes(console)
    finally:
        admin.replicaof("NO", "ONE")

    assert found == ["redis-replica"]


async def test_pool_that_is_larger_than_the_server(own_server: int, configured: Any) -> None:  # noqa: F811
    """A pool that may open more connections than the server takes is found."""
    configured("maxclients", 50)
    settings = RedisSettings(host="127.0.0.1", port=own_server, max_connections=60)

    async with Console([{"redis_settings": settings}]) as console:
        assert await codes(console) == ["pool-size"]


async def test_embedded_server_is_for_development(real_url: str) -> None:
    """The server that arqlite starts by itself is no trouble until it is in production."""
    settings = RedisSettings.from_dsn(real_url)

    async with Console([{"redis_settings": settings}]) as console:
        assert await codes(console) == []
        assert await codes(console, production=True) == ["embedded-server"]


async def test_embedded_server_with_a_detour_is_known(tmp_path: Path) -> None:
    """A project whose path is too long for a socket has its server's socket elsewhere."""
    home = tmp_path / ("deep" * 20) / ("deeper" * 10)
    with EmbeddedServer.ensure(home, grace=0, force=True) as embedded:
        settings = RedisSettings.from_dsn(embedded.url())
        async with Console([{"redis_settings": settings}]) as console:
            assert await codes(console, production=True) == ["embedded-server"]


async def test_clock_of_another_host(own_pool: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """A server whose clock differs from this host's by more than a second is found."""
    from arqlite.console import servers

    behind = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() - 5)
    monkeypatch.setattr(servers, "time", behind)

    async with Console([own_pool]) as console:
        [trouble] = await console.troubles()

    assert trouble.code == "clock-skew"
    assert "5.0 s ahead" in trouble.text


# -- rights


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ((), []),
        (("-hset",), ["+hset"]),
        (("-evalsha", "-publish"), ["+evalsha", "+publish"]),
        (("-info",), ["+info"]),
        (("-time",), ["+time"]),
        (("-multi",), ["+multi"]),
        (("-discard",), ["+discard"]),
        (("-exec",), ["+exec"]),
        (("resetkeys", "~arq:queue:health-check"), ["~aq:*"]),
        (("resetkeys", "~aq:*"), ["~arq:queue:health-check"]),
        (("resetchannels",), ["&aq:*"]),
    ],
)
async def test_missing_right_is_named(
    own_server: int,  # noqa: F811
    admin: redis.Redis,  # noqa: F811
    changes: tuple[str, ...],
    missing: list[str],
) -> None:
    """Each right that the user lacks is named as an access list grants it; nothing is changed meanwhile."""
    admin.execute_command("ACL", "SETUSER", "jobs", "reset", "on", ">secret", *RIGHTS, *changes)
    settings = RedisSettings(host="127.0.0.1", port=own_server, username="jobs", password="secret")
    try:
        async with Console([{"redis_settings": settings}]) as console:
            told = await console.troubles()
            again = await console.troubles()
        left = admin.keys("*")
    finally:
        admin.execute_command("ACL", "DELUSER", "jobs")

    assert [trouble.code for trouble in told] == ["missing-right"] * len(missing)
    assert [trouble.fix for trouble in told] == [
        f"grant it: `ACL SETUSER jobs {right}`." for right in missing
    ]
    assert told == again
    assert left == []


async def test_each_user_of_a_server_is_looked_at(own_server: int, admin: redis.Redis) -> None:  # noqa: F811
    """Two queues on one server whose settings name different users: what one of them lacks is found."""
    admin.execute_command("ACL", "SETUSER", "jobs", "reset", "on", ">secret", "~*", "&*", "+@all", "-info")
    there: dict[str, Any] = {"host": "127.0.0.1", "port": own_server}
    targets = [
        {"queue_name": "first", "redis_settings": RedisSettings(**there)},
        {
            "queue_name": "second",
            "redis_settings": RedisSettings(**there, username="jobs", password="secret"),
        },
    ]
    try:
        async with Console(targets) as console:
            system = await console.system()
    finally:
        admin.execute_command("ACL", "DELUSER", "jobs")

    assert [trouble.fix for trouble in system.troubles] == ["grant it: `ACL SETUSER jobs +info`."]
    assert len(system.servers) == 1


def test_every_command_of_the_scripts_is_asked_for() -> None:
    """A script that uses another command needs another right."""
    used = {
        name.lower()
        for path in LUA.rglob("*.lua")
        for name in re.findall(r"redis\.p?call\('([A-Z]+)'", path.read_text(encoding="utf-8"))
    }

    assert used - NEEDED.keys() == set()


@pytest.mark.parametrize(
    ("refusal", "right"),
    [
        ("User jobs has no permissions to run the 'hset' command", "+hset"),
        ("No permissions to access a key", "~aq:*"),
        ("this user has no permissions to access one of the keys used as arguments", "~aq:*"),
        ("No permissions to access a channel", "&aq:*"),
    ],
)
def test_refusals_of_all_servers_are_read(refusal: str, right: str) -> None:
    """Servers of different ages say it in different words."""
    assert right_in(refusal, ("HSET", "aq:{q}:checkup", "f", "v")) == right


# -- what INFO says


@pytest.mark.parametrize(
    ("told", "saves", "expected"),
    [
        ({"aof_enabled": 1}, {"save": "3600 1"}, "aof+rdb"),
        ({"aof_enabled": 1}, {"save": ""}, "aof"),
        ({"aof_enabled": 0}, {"save": "3600 1"}, "rdb"),
        ({"aof_enabled": 0}, {"save": ""}, "none"),
        ({"aof_enabled": 0, "rdb_saves": 4}, {}, "rdb"),
        ({"aof_enabled": 1}, {}, "aof"),
        ({"aof_enabled": 0}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_persistence_in_a_word(told: Any, saves: Any, expected: str) -> None:
    """How a server keeps its data; where it does not tell, nothing is made of it."""
    assert persistence_of(told, saves) == expected


@pytest.mark.parametrize(
    ("text", "version"),
    [("7.2.4", (7, 2)), ("255.255.255", (255, 255)), ("", None), (None, None), ("x.y", None)],
)
def test_version_of_a_server(text: Any, version: Any) -> None:
    """Major and minor count."""
    assert version_of(text) == version


@pytest.mark.parametrize(
    ("host", "is_public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("10.0.0.1", False), ("192.168.1.2", False),
        ("127.0.0.1", False), ("::1", False), ("", False), (None, False), ([("sentinel", 26379)], False),
    ],
)  # fmt: skip
async def test_address_that_everybody_may_reach(host: Any, is_public: bool) -> None:
    """Only an address of the open network is one."""
    assert await _is_public(host) is is_public


def test_server_is_told_by_its_own_name() -> None:
    """A Valkey has a version of its own beside that of the Redis that it is like."""
    told = {"server_name": "valkey", "valkey_version": "9.1.2", "redis_version": "7.2.4", "role": "slave"}

    info = server_info("host:1", told, {}, 1.5)

    assert (info.product, info.version, info.role, info.latency_ms) == ("Valkey", "9.1.2", "replica", 1.5)
    assert server_info("host:1", {"redis_version": "6.2.1"}, {}, 0).product == "Redis"
    assert server_info("host:1", {}, {}, 0).product == ""


# -- queues


async def test_work_without_a_worker(arq_redis: ArqRedis) -> None:
    """Jobs that could start, and nobody who would."""
    await arq_redis.enqueue_job("noop")

    async with Console([arq_redis]) as console:
        assert await codes(console) == ["no-worker"]
        assert [trouble.code for trouble in (await console.overview()).troubles] == ["no-worker"]


async def test_paused_queue(arq_redis: ArqRedis) -> None:
    """A queue that somebody has paused and forgotten."""
    await join(arq_redis)
    await arq_redis.enqueue_job("noop")

    async with Console([arq_redis]) as console:
        await console.pause(QUEUE)
        assert await codes(console) == ["queue-paused"]


async def test_paused_workers(arq_redis: ArqRedis) -> None:
    """The queue is not paused, and all of its nodes are."""
    await join(arq_redis)
    await arq_redis.enqueue_job("noop")

    async with Console([arq_redis]) as console:
        await console.pause(QUEUE, node="web-1")
        assert await codes(console) == ["workers-paused"]


async def test_workers_of_different_versions(arq_redis: ArqRedis) -> None:
    """A deployment that stopped halfway."""
    await join(arq_redis)
    await join(arq_redis, "old", version="0.0.1")

    async with Console([arq_redis]) as console:
        assert await codes(console) == ["worker-versions"]


@pytest.mark.parametrize("delay", [0, 3600])
async def test_function_that_no_worker_knows(arq_redis: ArqRedis, delay: int) -> None:
    """A job waits for a function that was renamed, now or later."""
    await join(arq_redis)
    await arq_redis.options(delay=delay).enqueue("renamed")
    await arq_redis.enqueue_job("noop")

    async with Console([arq_redis]) as console:
        [trouble] = await console.troubles()

    assert trouble.code == "unknown-function"
    assert trouble.text.endswith("wait in it: renamed")


async def test_cron_jobs_without_a_leader(arq_redis: ArqRedis) -> None:
    """Cron jobs are known, and nobody leads who would look after them."""
    engine = await join(arq_redis)
    await engine.publish_crons({"report 0 9 * * *": b"{}"}, 3_600_000)

    async with Console([arq_redis]) as console:
        assert await codes(console) == ["no-leader"]
        await engine.lead("s")
        assert await codes(console) == []


async def test_settings_that_cannot_work(own_server: int, admin: redis.Redis) -> None:  # noqa: F811
    """Settings with which no worker starts are said to be wrong before one tries."""
    redis_settings = RedisSettings(host="127.0.0.1", port=own_server)
    target = {"functions": [noop], "max_jobs": 0, "redis_settings": redis_settings}

    async with Console([target]) as console:
        [trouble] = await console.troubles()

    assert trouble.code == "bad-settings"
    assert "max_jobs must be a whole number of at least 1, got 0" in trouble.text


async def test_grace_that_is_shorter_than_jobs(own_server: int, admin: redis.Redis) -> None:  # noqa: F811
    """A worker that waits less long for its jobs than they may run cuts them short at each deployment."""
    settings = {
        "functions": [func(noop, name="long", timeout=90), func(noop, name="short", timeout=5)],
        "job_completion_wait": 60,
        "redis_settings": RedisSettings(host="127.0.0.1", port=own_server),
    }

    async with Console([settings]) as console:
        [trouble] = await console.troubles()
    async with Console([{**settings, "job_completion_wait": 90}]) as console:
        assert await codes(console) == []

    assert (trouble.code, trouble.severity) == ("short-grace", "info")
    assert "long may run 90 s" in trouble.text


async def test_tasks_know_no_time_limit_of_a_worker(own_server: int, admin: redis.Redis) -> None:  # noqa: F811
    """A task without a timeout may run for ever, whatever the worker's limit for other functions is."""
    settings = {
        "functions": [task(noop)],
        "job_timeout": 5,
        "job_completion_wait": 60,
        "redis_settings": RedisSettings(host="127.0.0.1", port=own_server),
    }

    async with Console([settings]) as console:
        [trouble] = await console.troubles()

    assert "noop may run for ever" in trouble.text


# -- ledgers


async def test_healthy_ledger(arq_redis: ArqRedis, tmp_path: Path) -> None:
    """A ledger tells what it is, and how many rows it has."""
    arq_redis.ledger = ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    await ledger.upgrade()

    async with Console([arq_redis]) as console:
        system = await console.system()
    await ledger.aclose()

    [info] = system.ledgers
    assert list(system.troubles) == []
    assert (info.dialect, info.mode, info.rows.value, info.error) == ("sqlite", "behind", 0, "")
    assert info.revision
    assert info.latency_ms > 0


async def test_rows_that_are_behind(arq_redis: ArqRedis, tmp_path: Path) -> None:
    """A worker says that its rows are more than five seconds behind."""
    arq_redis.ledger = ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    await ledger.upgrade()
    await RedisEngine(arq_redis, QUEUE).watch("s", 7_000)

    async with Console([arq_redis]) as console:
        system = await console.system()
        first = await console.overview()
    await ledger.aclose()

    assert [trouble.code for trouble in system.troubles] == ["ledger-lag"]
    assert [trouble.code for trouble in first.troubles] == ["ledger-lag"]
    assert system.ledgers[0].lag.total_seconds() == 7


async def test_tables_that_are_missing(arq_redis: ArqRedis, tmp_path: Path) -> None:
    """A database to which nobody has brought the tables."""
    arq_redis.ledger = ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")

    async with Console([arq_redis]) as console:
        [trouble] = await console.troubles()
    await ledger.aclose()

    assert trouble.code == "ledger-migrations"
    assert "run `arqlite db upgrade`" in trouble.text


async def test_database_that_is_away(arq_redis: ArqRedis) -> None:
    """A database that refuses connections is said to, without its password."""
    arq_redis.ledger = ledger = Ledger(f"postgresql://jobs:secret@127.0.0.1:{free_port()}/jobs")

    async with Console([arq_redis]) as console:
        system = await console.system()
    await ledger.aclose()

    assert [trouble.code for trouble in system.troubles] == ["ledger-away"]
    assert system.ledgers[0].error
    assert "secret" not in str(system)


async def test_postgresql_tells_its_clock_and_room(
    arq_redis: ArqRedis,
    postgres_url: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pool that is larger than the database, and a clock that is not this host's, are found."""
    from datetime import timedelta

    from arqlite.console import databases

    engine = create_async_engine(postgres_url, pool_size=5, max_overflow=5_000)
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    arq_redis.ledger = ledger = Ledger(engine)
    await ledger.upgrade()
    async with Console([arq_redis]) as console:
        large = await codes(console)

        async def skewed(connection: Any) -> timedelta:
            return await real(connection) + timedelta(seconds=10)

        real = databases._skew
        monkeypatch.setattr(databases, "_skew", skewed)
        late = await codes(console)
    await engine.dispose()

    assert large == ["pool-size"]
    assert late == ["clock-skew", "pool-size"]


async def test_old_server_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose INFO tells of an old Redis is refused by name."""
    from arqlite.console import servers

    with server(tmp_path, "--appendonly", "yes") as port:
        monkeypatch.setattr(servers, "version_of", lambda told: (6, 0))
        async with Console([{"redis_settings": RedisSettings(host="127.0.0.1", port=port)}]) as console:
            assert await codes(console) == ["redis-old"]


async def test_embedded_server_that_ended_is_told_with_what_starts_it(tmp_path: Path) -> None:
    """Whose embedded server is away is not sent to an address, a user and a password."""
    with EmbeddedServer.ensure(tmp_path, grace=0) as embedded:
        settings = RedisSettings.from_dsn(embedded.url())
    stop(tmp_path)

    async with Console([{"functions": [noop], "redis_settings": settings}]) as console:
        troubles = (await console.system()).troubles

    assert ["arqlite dev" in one.fix for one in troubles if one.code == "redis-away"] == [True]
