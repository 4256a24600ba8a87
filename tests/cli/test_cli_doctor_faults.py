"""Faults planted in real servers, ledgers and settings: `arqlite doctor` names each, with what to do."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from cli_ops_toys import PATIENCE_S, run, terminal

from arqlite.embedded.binaries import server_binaries

pytestmark = pytest.mark.real

SETTINGS = """
from arqlite.connections import RedisSettings

async def render(ctx):
    pass

class Settings:
    functions = [render]
    queue_name = "pages"
    job_timeout = 30
    job_completion_wait = 30
    redis_settings = RedisSettings.from_dsn({url!r})
"""
HEALTHY = ("--appendonly", "yes")
RIGHTS = (
    "~aq:*", "~arq:queue:health-check", "~pages:health-check", "&aq:*", "-@all", "+@read", "+@write",
    "+@blocking", "+@scripting", "+@pubsub", "+@transaction", "+@connection", "+time", "-@admin",
    "-@dangerous", "+info",
)  # fmt: skip


class Finding(NamedTuple):
    """A line of the doctor, and what to do."""

    severity: str
    code: str
    fix: str


@contextmanager
def server(folder: Path, *options: str) -> Iterator[int]:
    """A real server on a loopback port, with options of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [str(next(server_binaries())), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            with redis.Redis(port=port) as client:
                while not _answers(client):
                    assert time.monotonic() < deadline, "the server never came"
            yield port
        finally:
            process.kill()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@contextmanager
def between(port: int, change: Callable[[bytes], bytes]) -> Iterator[int]:
    """Stand between a client and a server, and change what the server says; gives the port."""

    class Line(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as there:
                threading.Thread(target=self._pass_on, args=(there,), daemon=True).start()
                while data := there.recv(1_000_000):
                    self.request.sendall(change(data))

        def _pass_on(self, there: socket.socket) -> None:
            try:
                while data := self.request.recv(1_000_000):
                    there.sendall(data)
                there.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # one of both has hung up

    class Lines(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """One of both has hung up."""

    with Lines(("127.0.0.1", 0), Line) as lines:
        thread = threading.Thread(target=lines.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield int(lines.server_address[1])
        finally:
            lines.shutdown()
            thread.join()


class Clinic:
    """A folder with settings of a queue, and the doctor for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def settle(self, url: str, more: str = "") -> None:
        """Write the settings."""
        (self.folder / "toyapp.py").write_text(SETTINGS.format(url=url) + more)

    def doctor(self, *options: str) -> tuple[int, list[Finding]]:
        """Ask the doctor, in words and in JSON, which have to agree; gives the exit code and the findings."""
        done = run(self.folder, "doctor", "toyapp.Settings", *options, fake=False)
        told = run(self.folder, "doctor", "toyapp.Settings", *options, "-o", "json", fake=False)
        troubles: list[Any] = json.loads(told.stdout)["troubles"]
        found = [Finding(one["severity"], one["code"], one["fix"]) for one in troubles]
        said = re.findall(r"^(\w+): .*\((?:.*, )?([\w-]+)\)\n  -> (.*)$", done.stdout, re.MULTILINE)
        assert sorted(said) == sorted(map(tuple, found)), done.stdout + done.stderr
        assert told.returncode == done.returncode
        assert "Traceback" not in done.stderr
        return done.returncode, found


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server as it should be; its port."""
    with server(tmp_path_factory.mktemp("redis"), *HEALTHY) as port:
        yield port


def test_nothing_is_found_where_all_is_well(clinic: Clinic, healthy: int) -> None:
    """A queue on a server as it should be has no fault, for production neither."""
    clinic.settle(f"redis://127.0.0.1:{healthy}")

    assert clinic.doctor("--production") == (0, [])


@pytest.mark.parametrize(
    ("options", "finding", "codes"),
    [
        (
            (*HEALTHY, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"),
            Finding(
                "error", "eviction-policy",
                "set `maxmemory-policy noeviction`, or jobs vanish without a trace.",
            ),
            (1, 1),
        ),
        (
            ("--appendonly", "no", "--save", ""),
            Finding(
                "warning", "no-persistence",
                "set `appendonly yes`, or use a ledger, which puts them back.",
            ),
            (0, 1),
        ),
    ],
    ids=["eviction policy", "no persistence"],
)  # fmt: skip
def test_server_that_loses_jobs(
    clinic: Clinic, tmp_path: Path, options: tuple[str, ...], finding: Finding, codes: tuple[int, int]
) -> None:
    """A server that evicts keys, or keeps nothing on disk, is found, and fails what is for production."""
    with server(tmp_path, *options) as port:
        clinic.settle(f"redis://127.0.0.1:{port}")
        plain, production = clinic.doctor(), clinic.doctor("--production")

    assert plain == (codes[0], [finding])
    assert production == (codes[1], [finding])


def test_old_redis(clinic: Clinic, healthy: int) -> None:
    """A server that is older than arqlite needs is found by what it says of itself."""

    def aged(said: bytes) -> bytes:
        return re.sub(rb"(?<=redis_version:)\d\.\d\.\d", b"5.0.7", said)

    with between(healthy, aged) as port:
        clinic.settle(f"redis://127.0.0.1:{port}")
        found = clinic.doctor()

    fix = "upgrade it to Redis 6.2 or later, or to any Valkey."
    assert found == (1, [Finding("error", "redis-old", fix)])


@pytest.mark.parametrize(
    ("taken", "rights"),
    [
        (("-hset",), ["+hset"]),
        (("-evalsha", "-publish"), ["+evalsha", "+publish"]),
        (("-info",), ["+info"]),
        (("-time",), ["+time"]),
        (("resetchannels",), ["&aq:*"]),
        (("resetkeys", "~arq:queue:health-check", "~pages:health-check"), ["~aq:*"]),
    ],
    ids=str,
)
def test_missing_right(clinic: Clinic, healthy: int, taken: tuple[str, ...], rights: list[str]) -> None:
    """Each right that the user of Redis lacks is named with the command that grants it."""
    with redis.Redis(port=healthy) as admin:
        admin.execute_command("ACL", "SETUSER", "jobs", "reset", "on", ">secret", *RIGHTS, *taken)
        try:
            clinic.settle(f"redis://jobs:secret@127.0.0.1:{healthy}")
            found = clinic.doctor()
        finally:
            admin.execute_command("ACL", "DELUSER", "jobs")

    fixes = [f"grant it: `ACL SETUSER jobs {right}`." for right in rights]
    assert found == (1, [Finding("error", "missing-right", fix) for fix in fixes])


@pytest.mark.parametrize("seconds", [-90, 90])
def test_clock_skew(clinic: Clinic, healthy: int, seconds: int) -> None:
    """A server whose clock is not this host's is found."""

    def moved(said: bytes) -> bytes:
        return re.sub(
            rb"(?<=\*2\r\n\$10\r\n)\d{10}(?=\r\n\$)", lambda found: b"%d" % (int(found[0]) + seconds), said
        )

    with between(healthy, moved) as port:
        clinic.settle(f"redis://127.0.0.1:{port}")
        plain, production = clinic.doctor(), clinic.doctor("--production")

    fix = "keep both in time with NTP: delays, deadlines and the order of jobs depend on it."
    assert plain == (0, [Finding("warning", "clock-skew", fix)])
    assert production == (1, plain[1])


@pytest.mark.parametrize("revision", [None, "0001", "9999"])
def test_ledger_whose_migrations_do_not_fit(clinic: Clinic, healthy: int, revision: str | None) -> None:
    """Tables that are missing, behind or ahead are found, and what brings them up does."""
    url = f"sqlite:///{clinic.folder / 'jobs.db'}"
    clinic.settle(f"redis://127.0.0.1:{healthy}", f"    ledger = {url!r}\n")
    if revision is not None:
        assert run(clinic.folder, "db", "upgrade", "--url", url, fake=False).returncode == 0
        with sqlite3.connect(clinic.folder / "jobs.db") as tables:
            if revision == "0001":
                tables.execute("DROP TABLE arqlite_spreads")
            tables.execute("UPDATE arqlite_alembic_version SET version_num = ?", (revision,))
        tables.close()

    code, [finding] = clinic.doctor()
    run(clinic.folder, "db", "upgrade", "toyapp.Settings", fake=False)

    assert (code, finding.severity, finding.code) == (1, "error", "ledger-migrations")
    assert finding.fix.startswith("run `arqlite db upgrade`")
    assert (clinic.doctor() == (0, [])) == (revision != "9999")


def test_grace_shorter_than_the_longest_timeout(clinic: Clinic, healthy: int) -> None:
    """A worker that waits less long for its jobs than they may run is found, and weighs in production."""
    clinic.settle(f"redis://127.0.0.1:{healthy}", "    job_timeout = 60\n")

    plain, production = clinic.doctor(), clinic.doctor("--production")

    fix = "set `job_completion_wait` to the longest timeout, or see that long jobs can run once more."
    assert plain == (0, [Finding("info", "short-grace", fix)])
    assert production == (1, [Finding("warning", "short-grace", fix)])


def test_faults_are_told_in_a_terminal(clinic: Clinic, tmp_path: Path) -> None:
    """In a terminal the worst comes first, each with what to do below it, and their number at the end."""
    with server(tmp_path, "--maxmemory-policy", "allkeys-lru", "--appendonly", "no", "--save", "") as port:
        clinic.settle(f"redis://127.0.0.1:{port}", "    job_timeout = 60\n")
        with terminal(clinic.folder, "doctor", "toyapp.Settings", "--production", fake=False) as shell:
            code = shell.ended()

    lines = [line for line in shell.plain.splitlines() if line.startswith(("error:", "warning:", "  ->"))]
    assert code == 1
    assert [line.split()[0] for line in lines] == ["error:", "->", "warning:", "->", "warning:", "->"]
    assert shell.plain.splitlines()[-1] == "1 error, 2 warnings"
