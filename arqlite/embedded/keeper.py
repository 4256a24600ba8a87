"""The keeper: waits until nobody uses the embedded server any more, then stops it.

It runs as a script of its own under `python -I -S` to be small, so it imports a few modules of the standard
library and nothing of arqlite. The names of the files in the data folder stand here for the same reason.

Waiting costs nothing: users hold `users.lock` shared, the keeper asks for it exclusively, and the kernel
wakes it when the last user has gone, even one that was killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time

START_LOCK = "start.lock"
SERVER_LOCK = "server.lock"
USERS_LOCK = "users.lock"
KEEPER_LOCK = "keeper.lock"
SOCKET = "valkey.sock"
PID_FILE = "valkey.pid"

STOP_SECONDS = 10.0
"""How long a server may take to write its data and end before it is killed."""

_RETRY_SECONDS = 0.005


def main(argv: list[str]) -> None:
    """Keep the server of one data folder: `keeper.py HOME GRACE_SECONDS KEEPER_LOCK_FD`."""
    home, grace, keeper_fd = argv[1], float(argv[2]), int(argv[3])
    start_fd, server_fd, users_fd = (open_lock(home, name) for name in (START_LOCK, SERVER_LOCK, USERS_LOCK))
    _detach()
    _wait_for_the_end_of_use(start_fd, users_fd, grace)
    stop_server(home, start_fd, server_fd)
    # In this order: whoever gets the start lock next must see that there is no keeper any more.
    os.close(keeper_fd)
    os.close(start_fd)


def stop_server(home: str, start_fd: int, server_fd: int) -> bool:
    """Stop the server of a data folder and remove its socket and pid file; the caller holds the start lock.

    Returns whether a server was running. One that does not end within `STOP_SECONDS` is killed.
    """
    moved = not _is_file_at(start_fd, os.path.join(home, START_LOCK))
    was_running = not flock(server_fd, wait_s=0)
    if was_running:
        _end(_server_pid(home, server_fd), server_fd, at_once=moved)
    flock_release(server_fd)
    if not moved:
        remove_traces(home)
    return was_running


def remove_traces(home: str) -> None:
    """Remove socket and pid file of a server that runs no more."""
    socket_path = os.path.join(home, SOCKET)
    traces = [socket_path, os.path.join(home, PID_FILE)]
    if os.path.islink(socket_path):
        traces.append(os.readlink(socket_path))
    for path in traces:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue


def open_lock(home: str, name: str) -> int:
    """Open a lock file of the data folder; no child inherits the descriptor, and no link is followed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(os.path.join(home, name), flags, 0o600)


def flock(fd: int, *, shared: bool = False, wait_s: float | None = None) -> bool:
    """Lock an open file; tell whether it was got within `wait_s` seconds (None waits without end)."""
    import fcntl  # Windows has none, and importing arqlite.embedded there must end in our own words

    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    if wait_s is None:
        fcntl.flock(fd, operation)
        return True
    give_up_at = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= give_up_at:
                return False
        time.sleep(_RETRY_SECONDS)


def flock_release(fd: int) -> None:
    """Give a lock back, for every process that inherited it as well."""
    import fcntl

    fcntl.flock(fd, fcntl.LOCK_UN)


def _detach() -> None:
    # Its parent waits for the first process only, so nobody is left with a zombie.
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")


def _wait_for_the_end_of_use(start_fd: int, users_fd: int, grace: float) -> None:
    """Return, with the start lock held, when nobody has used the server for the grace period."""
    while True:
        flock(users_fd)
        last_attached = os.fstat(users_fd).st_mtime_ns
        flock_release(users_fd)
        time.sleep(grace)
        # Users attach under the start lock: from here on nobody can come between the look and the stop.
        flock(start_fd)
        if os.fstat(users_fd).st_mtime_ns == last_attached and flock(users_fd, wait_s=0):
            return
        flock_release(start_fd)


def _end(pid: int | None, server_fd: int, *, at_once: bool) -> None:
    # A server whose folder was deleted has nothing to save, and a clean shutdown would unlink the socket
    # of its successor, should the folder have been made anew.
    if pid is not None and not at_once:
        _signal(pid, signal.SIGTERM)
        if flock(server_fd, wait_s=STOP_SECONDS):
            return
    if pid is not None:
        _signal(pid, signal.SIGKILL)
    flock(server_fd, wait_s=STOP_SECONDS)


def _server_pid(home: str, server_fd: int) -> int | None:
    """The process id of the running server.

    Its starter writes it into the lock file as soon as the server answers. If the starter was killed before
    that, the server's own pid file tells, after a moment.
    """
    give_up_at = time.monotonic() + STOP_SECONDS
    while time.monotonic() < give_up_at:
        if noted := os.pread(server_fd, 32, 0).strip():
            return int(noted)
        try:
            with open(os.path.join(home, PID_FILE), encoding="ascii") as file:
                if noted_by_server := file.read().strip():
                    return int(noted_by_server)
        except FileNotFoundError:
            pass
        if flock(server_fd, wait_s=_RETRY_SECONDS):
            return None
    return None


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_file_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main(sys.argv)
