"""`deploy/redis`: a real server with these files, and everything that arqlite does as the user in them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis
import yaml
from deploy_toys import DEPLOY, ROOT, Server, server
from worker_toys import Ctx, Gate, at_work

from arqlite import (
    ArqRedis,
    GlobalLimit,
    Inspector,
    RateLimit,
    Unique,
    Worker,
    Workflow,
    call,
    cron,
    func,
    task,
)
from arqlite.connections import RedisSettings, create_pool
from arqlite.ledger import Ledger
from arqlite.worker import async_check_health

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("acl")) as made:
        yield made


@pytest_asyncio.fixture
async def pool(secured: Server) -> AsyncIterator[ArqRedis]:
    """A pool of the user, on an empty server; nothing may have been refused at the end."""
    with secured.client("admin") as admin:
        admin.flushall()
        admin.acl_log_reset()
    made = await create_pool(RedisSettings.from_dsn(secured.url()))
    yield made
    await made.aclose(close_connection_pool=True)
    assert secured.refusals() == []


async def add(ctx: Ctx, a: int, b: int = 1) -> int:
    ctx["progress"](50)
    ctx["log"]("half of it")
    return a + b


async def fail(ctx: Ctx, *_: Any) -> None:
    raise RuntimeError("bad luck")


async def tick(ctx: Ctx) -> None: ...


@task(unique=Unique(period=60), max_attempts=2)
async def once(ctx: Ctx, a: int) -> int:
    return a


def worker_of(pool: ArqRedis, functions: Any = (add, fail, once), **options: Any) -> Worker:
    """A burst worker on connections of its own, which it closes."""
    own = ArqRedis(pool.connection_pool)
    return Worker(functions, redis_pool=own, burst=True, handle_signals=False, **options)


async def test_jobs_from_enqueue_to_result(pool: ArqRedis) -> None:
    """Enqueue, defer, run, progress, results, health: nothing is refused."""
    jobs = [await pool.enqueue_job("add", number) for number in range(20)]
    later = await pool.enqueue_job("add", 5, _defer_by=0.2)
    await pool.enqueue_job("fail")
    await pool.options(priority=3, tags=["mail"]).enqueue(once, 5)
    again = await pool.options().enqueue(once, 5)
    worker = worker_of(pool)

    async with at_work(worker):
        assert again is not None
        assert later is not None
        assert await later.result(timeout=20) == 6
        assert [await job.result(timeout=20) for job in jobs if job] == list(range(1, 21))
        assert await again.result(timeout=20) == 5
        settings = RedisSettings.from_dsn(_url_of(pool))
        assert await async_check_health(settings) == 0
        assert await later.status()
        assert await later.info()
        assert await pool.queued_jobs() == []
        assert await pool.all_job_results()


async def test_cron_and_limits(pool: ArqRedis, eventually: Any) -> None:
    """Cron jobs, the lead, limits of the whole queue with partitions, and holds: nothing is refused."""
    worker = worker_of(
        pool,
        [func(add, max_jobs=1, name="add"), tick],
        cron_jobs=[cron(tick, second=set(range(60)), run_at_startup=True, name="tick")],
        global_limit=GlobalLimit(2, partition_by="args.a"),
        rate_limit=RateLimit(1000, 1),
        lease=1,
    )
    for number in range(12):
        await pool.enqueue_job("add", a=number % 3)

    async with at_work(worker):
        await eventually(lambda: worker.jobs_complete >= 14, within=20)
        await eventually(lambda: worker.is_leader)
        inspector = Inspector(pool)
        assert await inspector.crons()
        assert await inspector.leader()
        await inspector.pause_cron("tick")
        await inspector.run_cron("tick")
        await inspector.resume_cron("tick")


async def test_operators(pool: ArqRedis, eventually: Any) -> None:
    """Find, cancel, retry, change and delete jobs, pause, scale and drain queues: nothing is refused."""
    gate = Gate()
    inspector = Inspector(pool)
    worker = worker_of(pool, [add, fail, func(gate, name="gate")], allow_abort_jobs=True)
    running = await pool.enqueue_job("gate")
    await pool.enqueue_job("add", 1, _defer_by=3600)
    failed = await pool.enqueue_job("fail")
    assert running is not None
    assert failed is not None

    async with at_work(worker):
        await gate.started.wait()
        with pytest.raises(RuntimeError, match="bad luck"):
            await failed.result(timeout=20)
        assert await inspector.check_all_queues()
        assert await inspector.jobs(state="scheduled", with_errors=True)
        assert await inspector.depth()
        assert await inspector.retry_jobs(state="discarded") == 1
        await inspector.pause_queue("arq:queue")
        await inspector.scale_queue("arq:queue", limit=5, global_limit=3, rate_limit=(50, 1))
        await inspector.resume_all_queues()
        [scheduled] = await inspector.jobs(state="scheduled")
        await inspector.update_job(scheduled.id, {"priority": 1})
        assert await inspector.cancel_jobs(state="scheduled") == 1
        assert await running.abort(timeout=20)
        assert await inspector.delete_jobs(state="cancelled")
        await inspector.drain_queue("arq:queue", timeout=20)
        assert await inspector.ledger_lag("arq:queue") is not None
        await pool.info()
    assert gate.ended == ["cancelled"]


async def test_workflows(pool: ArqRedis) -> None:
    """A workflow with results handed on, a failure and a compensation: nothing is refused."""
    flow = Workflow("sum")
    first = flow.add("first", call(func(add, name="add"), 1), compensate=call(func(add, name="add"), 9))
    second = flow.add("second", call(func(add, name="add"), first.result))
    flow.add("third", call(func(fail, name="fail"), second.result))
    run = await pool.enqueue_workflow(flow)

    async with at_work(worker_of(pool)):
        await run.wait(timeout=20)
        assert await run.view()
        assert await Inspector(pool).workflows()
        await run.retry()
        await run.cancel()


async def test_dead_workers_jobs_are_rescued(pool: ArqRedis, eventually: Any) -> None:
    """Leases, rescues and what a worker without a function gives back: nothing is refused."""
    gate = Gate()
    dead = worker_of(pool, [func(gate, name="gate")], lease=0.5)
    job = await pool.enqueue_job("gate")
    assert job is not None
    async with at_work(dead):
        await gate.started.wait()
        assert dead._crew is not None
        await dead._crew.bequeath()
        alive = worker_of(pool, [func(gate, name="gate")], lease=0.5)
        async with at_work(alive):
            await eventually(lambda: len(gate.calls) == 2, within=20)
            gate.open.set()
            assert await job.result(timeout=20) == "through"


@pytest.mark.parametrize("mode", ["behind", "strict"])
async def test_ledger(pool: ArqRedis, tmp_path: Path, eventually: Any, mode: Any) -> None:
    """The marker, the comparison, the overflow and the relay of a ledger: nothing is refused."""
    ledger = Ledger(f"sqlite:///{tmp_path}/jobs.db", mode=mode)
    await ledger.upgrade()
    own = await create_pool(RedisSettings.from_dsn(_url_of(pool)), ledger=ledger)
    worker = worker_of(pool, ledger=ledger)

    async with at_work(worker):
        jobs = [await own.enqueue_job("add", number) for number in range(5)]
        assert [await job.result(timeout=20) for job in jobs if job] == [1, 2, 3, 4, 5]

        async def is_marked() -> bool:
            return bool(await own.exists("aq:{arq:queue}:marker"))

        await eventually(is_marked, within=20)
    await own.aclose(close_connection_pool=True)
    await ledger.aclose()


REFUSED = """
KEYS *
FLUSHALL
FLUSHDB
CONFIG GET maxmemory
CONFIG SET appendonly no
SHUTDOWN
ACL LIST
CLIENT LIST
CLIENT KILL ID 1
MONITOR
SCRIPT FLUSH
FUNCTION FLUSH
REPLICAOF NO ONE
SAVE
MODULE LIST
SLOWLOG GET
MIGRATE host 1 key 0 1
GET somebody:else
SET somebody:else 1
DEL aq:import:{q}
EVAL redis.call('GET','somebody:else') 0
EVAL redis.call('FLUSHALL') 0
PUBLISH somebody x
SUBSCRIBE somebody
PSUBSCRIBE *
"""


@pytest.mark.parametrize("command", REFUSED.strip().splitlines())
def test_rest_is_refused(secured: Server, command: str) -> None:
    """What arqlite does not need its user may not do: no other's keys, no channel, nothing of an admin."""
    with secured.client() as client, pytest.raises(redis.ResponseError, match=r"(?i)no permissions|NOPERM"):
        client.execute_command(*command.split())


def test_without_a_password_nothing_is_allowed(secured: Server) -> None:
    """The default user is off, a wrong password is refused, and the probe may say PING only."""
    with (
        redis.Redis(unix_socket_path=str(secured.socket)) as nobody,
        pytest.raises(redis.AuthenticationError),
    ):
        nobody.ping()
    with secured.client(password="wrong") as wrong, pytest.raises(redis.AuthenticationError):
        wrong.ping()
    with secured.client("probe", "any") as probe:
        assert probe.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            probe.get("aq:{q}:jobs")


def test_every_command_of_the_scripts_is_allowed() -> None:
    """Each command in a script of the engine stands in the file, and each in the file is used somewhere."""
    allowed = set(re.findall(r"\+([a-z|]+)", _user("arqlite")))
    sources = [
        path.read_text() for path in (ROOT / "arqlite").rglob("*.lua") if "migration" not in path.parts
    ]
    used = {name.lower() for source in sources for name in re.findall(r"redis\.p?call\('(\w+)'", source)}

    assert used - allowed == set()


def test_server_keeps_what_it_is_given(secured: Server) -> None:
    """Nothing is evicted, everything is written to disk, and the probe of the container finds it so."""
    with secured.client() as client:
        info = client.info()

    assert info["maxmemory_policy"] == "noeviction"
    assert info["aof_enabled"] == 1
    assert info["maxmemory"] == 512 * 1024 * 1024


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="no redis-cli here")
def test_health_check_of_compose_finds_it_well(secured: Server) -> None:
    """What the container runs as its health check says yes to this server, and no where none is."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    [kind, line] = compose["services"]["valkey"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"

    codes = [
        subprocess.run(
            line.replace("valkey-cli", f"redis-cli -s {place}"), shell=True, check=False, capture_output=True
        ).returncode
        for place in (secured.socket, "/nowhere/redis.sock")
    ]

    assert codes == [0, 1]


def _user(name: str) -> str:
    [line] = [
        line for line in (DEPLOY / "redis" / "users.acl").read_text().splitlines()
        if line.startswith(f"user {name} ")
    ]  # fmt: skip
    return line


def _url_of(pool: ArqRedis) -> str:
    told = pool.connection_pool.connection_kwargs
    return f"unix://{told['username']}:{told['password']}@{told['path']}?db=0"
