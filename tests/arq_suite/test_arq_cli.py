"""The command line and the signals, with workers in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from arq import ArqRedis, create_pool
from arq.connections import RedisSettings
from arq.jobs import Job, JobStatus
from arq_toys import enqueue, until

MODULE = """
import asyncio
from arq import cron
from arq.connections import RedisSettings
from arq.worker import run_worker

async def add(ctx, a, b=2):
    return a + b

async def boom(ctx):
    raise ValueError("bad")

async def wait(ctx, seconds):
    await asyncio.sleep(seconds)
    return "waited"

async def start(ctx):
    print("started up", flush=True)

async def stop(ctx):
    print("shut down", flush=True)

async def broken(ctx):
    raise ZeroDivisionError("a bug")

class WorkerSettings:
    functions = [add, boom, wait]
    redis_settings = RedisSettings.from_dsn({dsn!r})
    on_startup = start
    on_shutdown = stop
    poll_delay = 0.05
    health_check_interval = 5

class Patient:
    functions = [add, wait]
    redis_settings = WorkerSettings.redis_settings
    job_completion_wait = 10
    poll_delay = 0.05

class Bursting:
    functions = [add]
    redis_settings = WorkerSettings.redis_settings
    burst = True
    poll_delay = 0.05

class Buggy:
    functions = [add]
    redis_settings = WorkerSettings.redis_settings
    on_startup = broken

as_dict = dict(functions=[add], redis_settings=WorkerSettings.redis_settings, poll_delay=0.05)

log_config = {{
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {{"mine": {{"class": "logging.StreamHandler", "formatter": "mine"}}}},
    "formatters": {{"mine": {{"format": "MINE %(message)s"}}}},
    "root": {{"handlers": ["mine"], "level": "INFO"}},
}}

if __name__ == "__main__":
    print(run_worker(Bursting))
"""


class Program:
    """A folder with a module of settings, and `python -m arq` in it."""

    def __init__(self, folder: Path, env: dict[str, str], settings: RedisSettings) -> None:
        self.folder = folder
        self.settings = settings
        self._env = env

    def run(self, *args: str, module: tuple[str, ...] = ("-m", "arq")) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *module, *args]
        return subprocess.run(
            command, cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=30, check=False
        )

    @contextlib.contextmanager
    def started(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "arq", *args]
        with subprocess.Popen(
            command, cwd=self.folder, env=self._env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def ask(self, question: Callable[[ArqRedis], Awaitable[Any]]) -> Any:
        async def asked() -> Any:
            pool = await create_pool(self.settings)
            try:
                return await question(pool)
            finally:
                await pool.aclose(close_connection_pool=True)

        return asyncio.run(asked())


@pytest.fixture
def program(tmp_path: Path, env: dict[str, str], dsn: str, redis_settings: RedisSettings) -> Program:
    """The toy program."""
    (tmp_path / "toys_of_cli.py").write_text(MODULE.format(dsn=dsn))
    return Program(tmp_path, env, redis_settings)


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"the worker never said {text!r}")


def test_burst(program: Program) -> None:
    """A burst runs what waits, tells it on stderr with the time of day, and ends with 0, whatever failed."""
    program.ask(lambda pool: enqueue(pool, "add", 1, _job_id="a"))
    program.ask(lambda pool: enqueue(pool, "boom", _job_id="b"))

    done = program.run("--burst", "toys_of_cli.WorkerSettings")

    assert (done.returncode, done.stdout) == (0, "started up\nshut down\n")
    said = done.stderr
    assert re.search(
        r"^\d\d:\d\d:\d\d: Starting worker for 3 functions: add, boom, wait$", said, re.MULTILINE
    )
    assert re.search(r"^\d\d:\d\d:\d\d: redis_version=", said, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d: +\d+\.\d\ds → a:add\(1\)", said, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d: +0\.\d\ds ← a:add ● 3$", said, re.MULTILINE)
    assert "b:boom failed, ValueError: bad" in said
    assert program.ask(lambda pool: Job("a", pool).result()) == 3


def test_burst_of_the_settings(program: Program) -> None:
    """Settings may say so themselves, and may be a dict."""
    assert program.run("toys_of_cli.Bursting").returncode == 0
    assert program.run("toys_of_cli.as_dict", "--burst", "-v").returncode == 0


def test_run_worker(program: Program) -> None:
    """`run_worker` in a program of one's own does the same."""
    program.ask(lambda pool: enqueue(pool, "add", 1))

    done = program.run(module=("toys_of_cli.py",))

    assert done.returncode == 0
    assert done.stdout == "<Worker j_complete=1 j_failed=0 j_retried=0 j_ongoing=0>\n"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal(program: Program, signum: signal.Signals) -> None:
    """A signal gives the running job back, calls `on_shutdown`, and the worker ends with 0."""
    program.ask(lambda pool: enqueue(pool, "wait", 60, _job_id="id"))

    with program.started("toys_of_cli.WorkerSettings") as worker:
        wait_for(worker, "→ id:wait(60)")
        worker.send_signal(signum)
        out, err = worker.communicate(timeout=20)

    assert worker.returncode == 0
    assert out == "started up\nshut down\n"
    assert f"shutdown on {signum.name} ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 ongoing to cancel" in err
    assert "id:wait cancelled, will be run again" in err
    assert program.ask(lambda pool: Job("id", pool).status()) == JobStatus.queued


def test_signal_with_patience(program: Program) -> None:
    """With `job_completion_wait` the running job ends first."""
    program.ask(lambda pool: enqueue(pool, "wait", 0.5, _job_id="id"))

    with program.started("toys_of_cli.Patient") as worker:
        wait_for(worker, "→ id:wait(0.5)")
        worker.send_signal(signal.SIGTERM)
        _, err = worker.communicate(timeout=20)

    assert worker.returncode == 0
    assert "shutdown on SIGTERM ◆ 0 jobs complete ◆ 0 failed ◆ 0 retries ◆ 1 to be completed" in err
    assert "← id:wait ● 'waited'" in err
    assert (
        "shutdown on SIGTERM, wait complete ◆ 1 jobs complete ◆ 0 failed ◆ 0 retries ◆ 0 ongoing to cancel"
        in err
    )
    assert program.ask(lambda pool: Job("id", pool).result()) == "waited"


def test_second_signal(program: Program) -> None:
    """A second signal loses no job and ends no worker in an unseemly way."""
    program.ask(lambda pool: enqueue(pool, "wait", 0.5, _job_id="id"))

    with program.started("toys_of_cli.Patient") as worker:
        wait_for(worker, "→ id:wait(0.5)")
        worker.send_signal(signal.SIGTERM)
        wait_for(worker, "to be completed")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=20)

    assert worker.returncode == 0
    status = program.ask(lambda pool: Job("id", pool).status())
    assert status in (JobStatus.complete, JobStatus.queued)


def test_check(program: Program) -> None:
    """`--check` tells by its exit code whether a worker lives."""
    idle = program.run("--check", "toys_of_cli.WorkerSettings")
    with program.started("toys_of_cli.WorkerSettings") as worker:
        wait_for(worker, "redis_version=")
        program.ask(lambda pool: until(lambda: pool.exists("arq:queue:health-check")))
        alive = program.run("--check", "toys_of_cli.WorkerSettings")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=20)
    gone = program.run("--check", "toys_of_cli.WorkerSettings")

    assert (idle.returncode, alive.returncode, gone.returncode) == (1, 0, 1)
    assert "Health check failed: no health check sentinel value found" in idle.stderr
    assert re.search(r"Health check successful: b'\w+-\d\d ", alive.stderr)


def test_own_log_config(program: Program) -> None:
    """`--custom-log-dict` configures logging with a dict of one's own."""
    done = program.run("toys_of_cli.Bursting", "--custom-log-dict", "toys_of_cli.log_config")

    assert done.returncode == 0
    assert "MINE Starting worker for 1 functions: add" in done.stderr


def test_version(program: Program) -> None:
    """`-V` and `--version` tell it."""
    import arq

    for option in ("-V", "--version"):
        done = program.run(option)
        assert done.returncode == 0
        assert re.fullmatch(rf"arq\w*, version {re.escape(arq.VERSION)}\n", done.stdout)


def test_help(program: Program) -> None:
    """`--help` names the settings that are wanted."""
    done = program.run("--help")

    assert done.returncode == 0
    assert re.match(r"Usage: (python -m )?arq", done.stdout)
    assert "WORKER_SETTINGS" in done.stdout


def test_settings_are_wanted(program: Program) -> None:
    """An option that nobody knows is a usage error."""
    done = program.run("toys_of_cli.WorkerSettings", "--nope")

    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert "--nope" in done.stderr


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nodots", '"nodots" doesn\'t look like a module path'),
        ("toys_of_cli.Nope", 'Module "toys_of_cli" does not define a "Nope" attribute'),
        ("no_such_module.WorkerSettings", "no_such_module"),
    ],
)
def test_wrong_path(program: Program, path: str, text: str) -> None:
    """A path that leads nowhere ends the program with its reason."""
    done = program.run(path)

    assert done.returncode != 0
    assert text in done.stderr


def test_bug_ends_the_program(program: Program) -> None:
    """An exception of the program itself ends it with 1 and the traceback."""
    done = program.run("toys_of_cli.Buggy")

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: a bug" in done.stderr
