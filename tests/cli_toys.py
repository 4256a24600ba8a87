"""What the tests of the command line share: a project of jobs, and programs whose lines are waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from arqlite import ArqRedis
from arqlite.connections import RedisSettings

PATIENCE_S = 30.0
_EDITED_AT = 1_790_000_000

JOBS = """
import asyncio, os, signal
from pathlib import Path
from arqlite.connections import RedisSettings

URL = {url!r}
HERE = Path(__file__).parent

def note(text):
    with open(HERE / "notes", "a") as notes:
        notes.write(text + "\\n")

async def tell(ctx):
    return "OLD"

async def whoami(ctx):
    return os.getpid()

async def gate(ctx):
    note("begun")
    while not (HERE / "open").exists():
        await asyncio.sleep(0.01)
    note("done")
    return os.getpid()

async def stubborn(ctx):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def broken(ctx):
    raise RuntimeError("a bug")

async def say_start(ctx):
    note("startup")

async def say_end(ctx):
    note("shutdown")

class Common:
    functions = [tell, whoami, gate, stubborn]
    on_startup = say_start
    on_shutdown = say_end
    job_completion_wait = 60

def at(database):
    settings = RedisSettings.from_dsn(URL)
    settings.database = database
    return settings

class First(Common):
    redis_settings = at(1)

class Second(Common):
    redis_settings = at(2)

class Twin(Common):
    redis_settings = at(1)

class Mail(Common):
    redis_settings = at(1)
    queue_name = "mail"

class Lost(Common):
    queue_name = "lost"
    redis_settings = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=0)

class Buggy(Common):
    queue_name = "buggy"
    redis_settings = at(1)
    on_startup = broken

class Bad(Common):
    redis_settings = at(1)
    max_jobs = 0
"""


class Project:
    """A folder with a module `toys` of jobs and settings."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.write(JOBS.format(url=url))

    @property
    def source(self) -> str:
        """The module's text."""
        return (self.folder / "toys.py").read_text()

    def write(self, source: str, second: int = 0) -> None:
        """Give the module another text, in one move, as editors do, at a second of the file's clock.

        Edits within one second are what Python takes for none, if they leave the length as it is.
        """
        new = self.folder / "toys.new"
        new.write_text(source)
        os.utime(new, (_EDITED_AT + second, _EDITED_AT + second))
        new.replace(self.folder / "toys.py")

    def notes(self) -> list[str]:
        """What jobs and hooks noted."""
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    def open_gate(self) -> None:
        """Let the jobs end that wait at the gate."""
        (self.folder / "open").touch()

    def enqueue(self, function: str, *, database: int = 1, **options: Any) -> None:
        """Enqueue a job."""
        self.ask(lambda pool: pool.enqueue_job(function, **options), database)

    def ask(self, work: Callable[[ArqRedis], Any], database: int = 1) -> Any:
        """Do something with a pool."""

        async def do() -> Any:
            settings = RedisSettings.from_dsn(self.url)
            pool = ArqRedis(unix_socket_path=settings.unix_socket_path, db=database)
            try:
                return await work(pool)
            finally:
                await pool.aclose(close_connection_pool=True)

        return asyncio.run(do())

    def run(self, *args: str) -> Program:
        """Start `arqlite`."""
        return Program(self.folder, "-m", "arqlite", *args)


class Program:
    """A Python program whose stderr is read; it is killed at the end of the block if it still runs.

    It is a session of its own, so that a signal may be sent to its whole process group.
    """

    def __init__(self, folder: Path, *args: str) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._is_silent = False
        self.process = subprocess.Popen(
            [sys.executable, *args],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def log(self) -> str:
        """Everything that was said so far."""
        return "\n".join(self.lines)

    def wait_for(self, text: str, times: int = 1, within: float = PATIENCE_S) -> list[str]:
        """Wait until so many lines have a text, and return them."""

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        self._wait(lambda: len(found()) >= times, within, f"{times} lines with {text!r}")
        return found()

    def wait_for_silence(self, within: float = PATIENCE_S) -> None:
        """Wait until nobody is left who could say something: this program and all its children have ended."""
        self._wait(lambda: self._is_silent, within, "the end of all processes")

    def pids(self) -> list[int]:
        """The pids of the worker processes, in the order they were started."""
        return [int(line.rpartition(" ")[2]) for line in self.lines if " has pid " in line]

    def signal(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(signum)

    def signal_all(self, signum: signal.Signals) -> None:
        """Send a signal to it and to its children, as a terminal does."""
        os.killpg(self.process.pid, signum)

    def ended(self, within: float = PATIENCE_S) -> int:
        """Wait for its end and that of its children, and return its exit code."""
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {within} s:\n{self.log}") from None
        self.wait_for_silence(within)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in [*self.pids(), self.process.pid]:
            # Those of its group only: the number of one that has ended may be another's by now.
            if not self._is_silent and _group_of(pid) == self.process.pid:
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            for line in stderr:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._is_silent = True
            self._news.notify_all()

    def _wait(self, condition: Callable[[], bool], within: float, what: str) -> None:
        deadline = time.monotonic() + within
        with self._news:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"no {what} within {within} s:\n{self.log}"
                assert not self._is_silent, f"all ended without {what}:\n{self.log}"
                self._news.wait(left)


def until(condition: Callable[[], bool], within: float = PATIENCE_S) -> None:
    """Wait until something holds that no line tells of."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {within} s"
        time.sleep(0.005)


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
