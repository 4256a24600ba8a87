"""The pytest plugin: its fixtures, and that it is in nobody's way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from testing_toys import act

from arqlite import ArqRedis, Worker
from arqlite.connections import RedisSettings
from arqlite.testing import Clock, InlineJob, Ledger, all_enqueued, drain_queue, testing_mode

PATIENCE_S = 60.0
MakeWorker = Callable[..., Worker]


async def test_redis_is_empty_and_runs_the_scripts(arqlite_redis: ArqRedis) -> None:
    """`arqlite_redis` is an empty queue that works."""
    assert await arqlite_redis.dbsize() == 0
    job = await arqlite_redis.enqueue(act, "ok", 1)
    await drain_queue(arqlite_redis, [act])
    assert await job.result() == ["ok", 1]


@pytest.mark.real
@pytest.mark.parametrize("time", ["first", "second"])
async def test_valkey_is_real_and_emptied(arqlite_valkey: ArqRedis, time: str) -> None:
    """`arqlite_valkey` is a real server, empty at the start of each test."""
    assert await arqlite_valkey.dbsize() == 0
    assert (await arqlite_valkey.info("server"))["tcp_port"] == 0
    await arqlite_valkey.enqueue(act)


async def test_worker_is_a_burst_worker(arqlite_redis: ArqRedis, arqlite_worker: MakeWorker) -> None:
    """`arqlite_worker` makes workers that run what is there and end."""
    job = await arqlite_redis.enqueue(act, "ok", 1)

    assert await arqlite_worker([act]).run_check() == 1
    assert await job.result() == ["ok", 1]


class Settings:
    """Of a worker on a server that no test has."""

    functions = (act,)
    queue_name = "own"
    redis_settings = RedisSettings(host="nowhere.invalid")
    max_jobs = 3


async def test_worker_of_settings(arqlite_redis: ArqRedis, arqlite_worker: MakeWorker) -> None:
    """`arqlite_worker` takes worker settings, but for their Redis; what it is told itself comes first."""
    job = await arqlite_redis.options(queue="own").enqueue(act, "ok", 1)

    worker = arqlite_worker(Settings, max_jobs=2)

    assert (worker.queue_name, worker.max_jobs, worker.burst) == ("own", 2, True)
    assert await worker.run_check() == 1
    assert await job.result() == ["ok", 1]
    assert await arqlite_worker(act).run_check() == 0


async def test_ledger_has_its_table(
    arqlite_redis: ArqRedis, arqlite_worker: MakeWorker, arqlite_ledger: Ledger
) -> None:
    """`arqlite_ledger` takes the rows of a worker's jobs."""
    await arqlite_redis.enqueue(act, "ok", 1)

    await arqlite_worker([act], services=[arqlite_ledger.recorder()]).run_check()

    assert [(row.function, row.status.value) for row in await arqlite_ledger.rows()] == [("act", "SUCCESS")]


async def test_inline(arqlite_redis: ArqRedis, arqlite_inline: testing_mode) -> None:
    """`arqlite_inline` holds for the whole test."""
    arqlite_inline.functions = [act]

    assert isinstance(await arqlite_redis.enqueue("act", "ok"), InlineJob)
    assert await all_enqueued(arqlite_redis) == []


async def test_manual(
    arqlite_redis: ArqRedis, arqlite_inline: testing_mode, arqlite_manual: testing_mode
) -> None:
    """`arqlite_manual` stores jobs, also where `arqlite_inline` is used by all."""
    await arqlite_redis.enqueue(act)

    assert len(await all_enqueued(arqlite_redis)) == 1


async def test_mode_of_another_test_is_over(arqlite_redis: ArqRedis) -> None:
    """A fixture's mode ends with its test."""
    assert not isinstance(await arqlite_redis.enqueue(act), InlineJob)


def test_clock(arqlite_clock: Clock) -> None:
    """`arqlite_clock` is a clock in use."""
    arqlite_clock.advance(3600)

    assert arqlite_clock.ahead_s == 3600


def test_plugin_is_found() -> None:
    """pytest finds the plugin where arqlite is installed."""
    [found] = entry_points(group="pytest11", name="arqlite")

    assert found.value == "arqlite.testing.plugin"


def test_plugin_imports_nothing_heavy() -> None:
    """A run that uses no fixture pays for none: neither Redis nor SQLAlchemy nor pydantic is imported."""
    code = (
        "import sys; before = set(sys.modules); import pytest, pytest_asyncio; import arqlite.testing.plugin;"
        "print([name for name in ('redis', 'fakeredis', 'sqlalchemy', 'pydantic', 'arqlite.worker') "
        "if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, text=True, check=True
    ).stdout

    assert said == "[]\n"


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_users_run_with_warnings_as_errors(tmp_path: Path, mode: str) -> None:
    """The fixtures work in either mode of pytest-asyncio, and the names of the kit are no tests."""
    (tmp_path / "test_shop.py").write_text(_USERS_TESTS)
    told = _pytest(tmp_path, "-W", "error", "-o", f"asyncio_mode={mode}")

    assert "3 passed" in told


def test_anyio_runs_the_fixtures_without_pytest_asyncio(tmp_path: Path) -> None:
    """Where pytest-asyncio is not installed, anyio's plugin runs the fixtures."""
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    (tmp_path / "test_shop.py").write_text(_USERS_TESTS.replace("pytest.mark.asyncio", "pytest.mark.anyio"))
    (tmp_path / "without.py").write_text(_WITHOUT_PYTEST_ASYNCIO)

    told = _pytest(tmp_path, "-p", "without", "-p", "no:asyncio", "-W", "error")

    assert "3 passed" in told


def _pytest(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    loop_scope = ["-o", "asyncio_default_fixture_loop_scope=function"] if "no:asyncio" not in options else []
    told = subprocess.run(
        [*command, "-c", "/dev/null", *loop_scope, *options, str(folder)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return told.stdout


_USERS_TESTS = """
import pytest

from arqlite.testing import *
from arqlite.testing import testing_mode


async def double(ctx, number):
    return number * 2


@pytest.mark.asyncio
async def test_drain(arqlite_redis, arqlite_clock):
    job = await arqlite_redis.options(delay=60).enqueue(double, 2)
    await assert_enqueued(arqlite_redis, double, args={"number": 2})
    arqlite_clock.advance(60)
    assert (await drain_queue(arqlite_redis, [double])).success == 1
    assert await job.result() == 4


@pytest.mark.asyncio
async def test_inline(arqlite_inline, arqlite_redis):
    assert await (await arqlite_redis.enqueue(double, 3)).result() == 6


@pytest.mark.asyncio
async def test_worker(arqlite_redis, arqlite_worker):
    await arqlite_redis.enqueue(double, 4)
    assert await arqlite_worker([double]).run_check() == 1
"""

_WITHOUT_PYTEST_ASYNCIO = """
import importlib.util
import sys

_find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "pytest_asyncio" else _find(name, *more)
for name in ("arqlite.testing.plugin",):
    sys.modules.pop(name, None)
"""
