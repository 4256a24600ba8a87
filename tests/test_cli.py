"""The command line, run as people run it: in a process of its own, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arqlite import ArqRedis
from arqlite.connections import RedisSettings

pytestmark = pytest.mark.real

MODULE = """
from arqlite.connections import RedisSettings

async def add(ctx, a, b=2):
    return a + b

async def wait(ctx):
    import asyncio
    await asyncio.Event().wait()

class Base:
    redis_settings = RedisSettings.from_dsn({url!r})

class Settings(Base):
    functions = [add, wait]

instance = Settings()

class Bad(Base):
    functions = [add]
    max_jobs = 0

class Empty(Base):
    functions = []

class Lost:
    functions = [add]
    redis_settings = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=0)

async def broken(ctx):
    raise RuntimeError("a bug")

class Buggy(Base):
    functions = [add]
    on_startup = broken

log = {{
    "version": 1, "disable_existing_loggers": False,
    "handlers": {{"own": {{"class": "logging.StreamHandler", "formatter": "own"}}}},
    "formatters": {{"own": {{"format": "OWN %(message)s"}}}},
    "loggers": {{"arqlite": {{"handlers": ["own"], "level": "INFO"}}}},
}}
"""


@pytest.fixture
def project(tmp_path: Path, real_url: str) -> Path:
    """A folder with a module of settings."""
    (tmp_path / "toyapp.py").write_text(MODULE.format(url=real_url))
    return tmp_path


def arqlite(folder: Path, *args: str, module: bool = True) -> subprocess.CompletedProcess[str]:
    command = (
        [sys.executable, "-m", "arqlite"] if module else [str(Path(sys.executable).with_name("arqlite"))]
    )
    return subprocess.run(
        [*command, *args], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )


@contextlib.contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own; it is ended however the test ends."""
    command = [sys.executable, "-m", "arqlite", "toyapp.Settings"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"the worker never said {text!r}")


async def with_pool(url: str, work: Any) -> Any:
    settings = RedisSettings.from_dsn(url)
    pool = ArqRedis(unix_socket_path=settings.unix_socket_path, db=settings.database)
    try:
        return await work(pool)
    finally:
        await pool.aclose(close_connection_pool=True)


def test_burst(project: Path, real_url: str) -> None:
    """`arqlite path --burst` runs what waits, tells it on stderr in arq's lines, and ends with 0."""
    job = asyncio.run(with_pool(real_url, lambda pool: pool.enqueue_job("add", 1, _job_id="a")))

    done = arqlite(project, "toyapp.Settings", "--burst", module=False)

    assert (done.returncode, done.stdout) == (0, "")
    assert "Starting worker for 2 functions: add, wait" in done.stderr
    assert "redis_version=" in done.stderr
    assert "→ a:add(1)" in done.stderr
    assert "← a:add ● 3" in done.stderr
    result = asyncio.run(with_pool(real_url, lambda pool: type(job)("a", pool).result()))
    assert result == 3


def test_burst_with_failed_jobs_ends_well(project: Path, real_url: str) -> None:
    """A burst whose jobs failed has done its work: exit 0, as in arq."""
    asyncio.run(with_pool(real_url, lambda pool: pool.enqueue_job("add", "x", 1)))

    done = arqlite(project, "toyapp.Settings", "--burst")

    assert done.returncode == 0
    assert "failed, TypeError: " in done.stderr


def test_check_tells_by_its_exit_code(project: Path, real_url: str, eventually: Any) -> None:
    """`--check` ends with 0 while a worker lives, and with 1 otherwise, whatever it left behind."""
    assert arqlite(project, "toyapp.Settings", "--check").returncode == 1

    with worker(project) as process:
        wait_for_line(process, "redis_version=")
        asyncio.run(
            with_pool(real_url, lambda pool: eventually(lambda: pool.exists("arq:queue:health-check")))
        )
        alive = arqlite(project, "toyapp.Settings", "--check")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0

    assert alive.returncode == 0
    assert "Health check successful: b'" in alive.stderr
    after = arqlite(project, "toyapp.Settings", "--check")
    assert after.returncode == 1
    assert "Health check failed: no health check sentinel value found" in after.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_gives_the_job_back_and_ends_well(
    project: Path, real_url: str, signum: signal.Signals
) -> None:
    """A worker that is told to go gives its running job back and ends with 0."""
    asyncio.run(with_pool(real_url, lambda pool: pool.enqueue_job("wait", _job_id="w")))

    with worker(project) as process:
        wait_for_line(process, "→ w:wait()")
        process.send_signal(signum)
        wait_for_line(
            process, f"shutdown on {signum.name} ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 ongoing"
        )
        assert process.wait(15) == 0

    async def status(pool: ArqRedis) -> int:
        return len(await pool.queued_jobs()) + 10 * await pool.exists("aq:{arq:queue}:live")

    assert asyncio.run(with_pool(real_url, status)) == 1


def test_version(tmp_path: Path) -> None:
    """`-V` tells the version, in arq's form."""
    from arqlite import VERSION

    for option in ("-V", "--version"):
        done = arqlite(tmp_path, option)
        assert (done.returncode, done.stdout) == (0, f"arqlite, version {VERSION}\n")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere.Settings", "no module named 'nowhere'"),
        ("toyapp.Nothing", 'Module "toyapp" does not define a "Nothing" attribute'),
        ("toyapp", "'toyapp' is a module without a WorkerSettings: name the settings in it, toyapp."),
    ],
)
def test_wrong_path_is_a_usage_error(project: Path, path: str, text: str) -> None:
    """A path that leads nowhere is told in words, without a traceback, exit 2."""
    done = arqlite(project, path)

    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["toyapp.Bad"], "Error: max_jobs must be a whole number of at least 1, got 0"),
        (["toyapp.Empty"], "Error: at least one function or cron_job must be registered"),
        (
            ["toyapp.add"],
            "Error: worker settings must be a class with functions or cron_jobs, an instance of",
        ),
        (["toyapp.add", "--check"], "Error: worker settings must be a class with functions or cron_jobs"),
        (["toyapp.Lost"], "Error: Redis cannot be reached (ConnectionError: "),
        (["toyapp.Lost", "--check"], "Error: Redis cannot be reached (ConnectionError: "),
    ],
)
def test_mistake_is_told_in_words(project: Path, args: list[str], text: str) -> None:
    """Settings that cannot work and a Redis that is not there are told in words, without a traceback."""
    done = arqlite(project, *args)

    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_tables_that_cannot_be_used_are_told_in_words(project: Path) -> None:
    """A worker that refuses to start on the tables of its ledger says what to do, without a traceback."""
    (project / "shop.py").write_text(
        "import toyapp\n"
        "from arqlite.ledger import Ledger\n"
        "class Settings(toyapp.Settings):\n"
        "    ledger = Ledger('sqlite:///shop.db', upgrade=False)\n"
    )

    done = arqlite(project, "shop.Settings", "--burst")

    assert done.returncode == 1
    assert "Error: the ledger's tables are missing: run `arqlite db upgrade`" in done.stderr
    assert "Traceback" not in done.stderr


def test_bug_keeps_its_traceback(project: Path) -> None:
    """What goes wrong in the application's own code shows where."""
    done = arqlite(project, "toyapp.Buggy", "--burst")

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: a bug" in done.stderr


def test_settings_may_be_an_instance(project: Path) -> None:
    """An instance of a settings class does as well as the class."""
    done = arqlite(project, "toyapp.instance", "--burst")

    assert done.returncode == 0
    assert "Starting worker for 2 functions: add, wait" in done.stderr


def test_own_log_config(project: Path) -> None:
    """`--custom-log-dict` takes a logging configuration of one's own."""
    done = arqlite(project, "toyapp.Settings", "--burst", "--custom-log-dict", "toyapp.log")

    assert done.returncode == 0
    assert "OWN Starting worker for 2 functions" in done.stderr


def test_lines_in_json(project: Path, real_url: str) -> None:
    """`--log-format json` writes every line as a JSON object; the lines of a job name it."""
    asyncio.run(with_pool(real_url, lambda pool: pool.enqueue_job("add", "x", 1, _job_id="a")))

    done = arqlite(project, "toyapp.Settings", "--burst", "--log-format", "json")

    assert done.returncode == 0
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert "Starting worker for 2 functions: add, wait" in [line["message"] for line in told]
    [failed] = [line for line in told if line["level"] == "ERROR"]
    assert (failed["logger"], failed["job_id"], failed["function"]) == ("arqlite.worker", "a", "add")
    assert "TypeError: " in failed["stacktrace"]


def test_own_log_config_has_its_own_format(project: Path) -> None:
    """A configuration of one's own and a format for the usual one are a mistake in the command."""
    done = arqlite(project, "toyapp.Settings", "--log-format", "json", "--custom-log-dict", "toyapp.log")

    assert done.returncode == 2
    assert "--log-format and --custom-log-dict exclude each other" in done.stderr


def test_help(tmp_path: Path) -> None:
    """The help names the way to run a worker."""
    done = arqlite(tmp_path, "--help")

    assert done.returncode == 0
    assert "WORKER_SETTINGS" in done.stdout
    assert "embedded" in done.stdout
