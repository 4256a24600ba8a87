"""A real server with an append-only file that can be killed with SIGKILL and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import redis

from arqlite.embedded.binaries import server_binaries

_START_S = 10.0


class ChaosServer:
    """A Valkey or Redis on a loopback port of its own.

    Args:
        folder: where its data goes.
        fsync: its `appendfsync`: always, everysec or no.
    """

    def __init__(self, folder: Path, fsync: str = "everysec") -> None:
        self.folder = folder
        self.fsync = fsync
        self.port = free_port()
        self.outages: list[tuple[float, float]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._killed_at = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def url(self, port: int | None = None) -> str:
        """Where the tests' database is, behind another port if a proxy stands before it."""
        return f"redis://127.0.0.1:{port or self.port}/1"

    def start(self) -> None:
        """Start it and wait until it answers and has read its file."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(next(server_binaries())), *self._options()], cwd=self.folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._killed_at = time.monotonic()
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again after a kill."""
        self.start()
        self.outages.append((self._killed_at, time.monotonic()))

    def stop(self) -> None:
        """End it for good."""
        if self._process is not None:
            self._end(signal.SIGKILL)

    @property
    def is_up(self) -> bool:
        """Whether it was started, and not ended since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def accepted_ends(self) -> Counter[str]:
        """Count per job how often an end was written, by the server's own append-only file."""
        ends: Counter[str] = Counter()
        for path in sorted(self.folder.glob("appendonlydir/*.aof")):
            with path.open("rb") as file:
                for command in _commands(file):
                    if command[0].upper() in (b"HSET", b"HMSET") and command[1].endswith(b":jobs"):
                        fields = zip(command[2::2], command[3::2], strict=True)
                        ends.update(job_id.decode() for job_id, record in fields if record[:1] == b"R")
        return ends

    def _end(self, signum: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signum)
        self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=1.0) as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False

    def _options(self) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "aof-use-rdb-preamble": "no",
            "auto-aof-rewrite-percentage": "0",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _commands(file: BinaryIO) -> Iterator[list[bytes]]:
    """Read the commands of an append-only file; a cut last one is left out."""
    while line := file.readline():
        if not line.startswith(b"*"):
            continue
        words = []
        for _ in range(int(line[1:])):
            size = int(file.readline()[1:] or 0)
            words.append(file.read(size))
            file.readline()
        yield words
