"""What the tests of `deploy/` share: the folder, and a server that is started with its files."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from arqlite.embedded.binaries import server_binaries

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Server:
    """A server with the configuration and the users of `deploy/redis`.

    Attributes:
        socket: where it listens.
    """

    socket: Path

    def url(self, user: str = "arqlite", password: str = "change-me", database: int = 0) -> str:
        """How a user connects."""
        return f"unix://{user}:{password}@{self.socket}?db={database}"

    def client(self, user: str = "arqlite", password: str = "change-me") -> redis.Redis:
        """A plain client, as a user."""
        return redis.Redis(unix_socket_path=str(self.socket), username=user, password=password)

    def refusals(self) -> list[str]:
        """What was refused so far, by the server's own log: the user, why and what."""
        with self.client("admin") as admin:
            entries = admin.acl_log(count=100)
            return [f"{one['username']}: {one['reason']} {one['object']}" for one in entries]


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Start a server with the files as they are, but for what is a matter of this machine.

    A user `admin` is added, by whom the test looks into its logs.
    """
    users = (DEPLOY / "redis" / "users.acl").read_text()
    (folder / "users.acl").write_text(f"{users}user admin on nopass ~* &* +@all\n")
    socket = folder / "s"
    configuration = (DEPLOY / "redis" / "redis.conf").read_text()
    places = {"port 6379": "port 0", "/etc/valkey": str(folder), "/data": str(folder)}
    for there, here in places.items():
        assert there in configuration
        configuration = configuration.replace(there, here)
    (folder / "redis.conf").write_text(f"{configuration}\nunixsocket {socket}\n")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(next(server_binaries())), str(folder / "redis.conf")],
            stdout=log,
            stderr=log,
        )
    try:
        made = Server(socket)
        _wait_for(made, process, folder / "log")
        yield made
    finally:
        process.terminate()
        process.wait(_PATIENCE_S)


def _wait_for(made: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(redis.RedisError), made.client("probe", "any") as client:
            client.ping()
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < give_up_at, log.read_text()
        time.sleep(0.01)
