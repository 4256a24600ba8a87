"""What systemd is told, over a real datagram socket."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_toys import Program, Project
from probes_toys import worker_signs

from arqlite.probes import Signs
from arqlite.probes.systemd import Herald, Notifier, announced, notifier_of_environment

PATIENCE_S = 30.0


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE_S)
        self.heard: list[str] = []

    def hear(self) -> list[str]:
        """Wait for a message."""
        words = self.socket.recv(4096).decode().split("\n")
        self.heard += words
        return words

    def hear_until(self, word: str) -> list[str]:
        """Wait for a message with a word in it."""
        while word not in (words := self.hear()):
            pass
        return words

    def is_silent(self) -> bool:
        """Whether nothing was said that was not heard."""
        self.socket.setblocking(False)
        try:
            self.hear()
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_S)
        return False


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has an abstract namespace")
    address = str(tmp_path / "s") if request.param == "path" else f"@arqlite-{secrets.token_hex(8)}"
    made = Manager(address)
    yield made
    made.socket.close()


class Stage:
    """A herald whose worker and clock are in the test's hand."""

    def __init__(self, manager: Manager, watchdog_s: float | None = None, grace_s: float | None = 20) -> None:
        self.time = 0.0
        self.signs = [worker_signs(has_started=False, has_turned=False)]
        self.notifier = Notifier(manager.address, watchdog_s)
        self.herald = Herald(self.notifier, [lambda: self.signs[0]], grace_s, "jobs", clock=lambda: self.time)

    def look(self, **told: Any) -> None:
        self.signs = [worker_signs(**told)]
        self.herald.look()


def test_ready_is_told_once_and_after_the_first_turn(manager: Manager) -> None:
    """A worker that starts says so; `READY=1` comes when it has asked for jobs, and never again."""
    stage = Stage(manager)

    stage.look(has_started=False, has_turned=False)
    stage.look(has_turned=False)
    stage.look()
    stage.look()
    stage.look(running=4, ledger="degraded")

    assert [manager.hear() for _ in range(4)] == [
        ["STATUS=starting"],
        ["STATUS=working, running 3/10 jobs"],
        ["READY=1"],
        ["STATUS=working, running 4/10 jobs, ledger degraded"],
    ]
    assert manager.is_silent()
    stage.notifier.close()


def test_paused_worker_is_ready(manager: Manager) -> None:
    """A worker whose queue is paused takes no turn, and has started all the same."""
    stage = Stage(manager)

    stage.look(has_turned=False, is_paused=True)

    assert manager.hear() == ["READY=1", "STATUS=paused, running 3/10 jobs"]
    stage.notifier.close()


def test_draining_is_told_and_asks_for_time(manager: Manager) -> None:
    """`STOPPING=1` comes once; more time is asked for as long as jobs may go on, and half a minute."""
    stage = Stage(manager, grace_s=20)

    stage.look(is_draining=True)
    stage.time = 50.0
    stage.look(is_draining=True)
    stage.time = 50.1
    stage.look(is_draining=True)

    assert manager.hear() == [
        "STOPPING=1", "EXTEND_TIMEOUT_USEC=15000000", "STATUS=draining, running 3/10 jobs",
    ]  # fmt: skip
    assert manager.hear() == ["EXTEND_TIMEOUT_USEC=15000000"]
    assert manager.is_silent()
    stage.notifier.close()


def test_names_of_queues_add_no_words(manager: Manager) -> None:
    """A queue whose name has line breaks cannot say `READY=1` for its worker."""
    signs = [Signs(queue="a\nREADY=1"), Signs(queue="b")]
    notifier = Notifier(manager.address)

    Herald(notifier, [lambda: signs[0], lambda: signs[1]], 0).look()

    assert manager.hear() == ["STATUS=a READY=1: starting; b: starting"]
    notifier.close()


def test_manager_that_is_gone_hurts_nobody(tmp_path: Path) -> None:
    """A socket that nobody reads, or that is not there, ends no worker."""
    notifier = Notifier(str(tmp_path / "nobody"), 1.0)

    Herald(notifier, [worker_signs], 0).look()

    assert not notifier.tell("READY=1")
    notifier.close()


@pytest.mark.parametrize(
    ("variables", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_environment_is_taken_once(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], watchdog_s: float | None
) -> None:
    """The watchdog holds for the process that it names; whatever is started later finds nothing to say."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    notifier = notifier_of_environment()

    assert notifier is not None
    assert notifier.watchdog_s == watchdog_s
    assert notifier_of_environment() is None
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()
    notifier.close()


async def test_without_a_manager_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody asks to be told, the work is awaited and nothing else happens."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    async def work() -> int:
        return 5

    assert await announced(work(), [], None) == 5


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.parametrize("processes", [(), ("--processes", "2")])
def test_unit_from_start_to_end(
    manager: Manager, tmp_path: Path, real_url: str, monkeypatch: pytest.MonkeyPatch, processes: tuple[str]
) -> None:
    """The command as a unit with `Type=notify` and a watchdog: ready, alive, stopping, ended."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    project = Project(tmp_path, real_url)
    project.enqueue("gate", _job_id="one")

    with project.run("toys.First", *processes) as program:
        manager.hear_until("READY=1")
        program.wait_for("→ one:gate()")
        for _ in range(3):
            manager.hear_until("WATCHDOG=1")
        program.signal(signal.SIGTERM)
        stopping = manager.hear_until("STOPPING=1")
        program.wait_for("1 to be completed")
        manager.hear_until("WATCHDOG=1")
        project.open_gate()
        assert program.ended() == 0
        manager.hear_until("STATUS=ended")

    assert manager.heard.count("READY=1") == 1
    assert ("EXTEND_TIMEOUT_USEC=15000000" in stopping) == (not processes)
    what = "2/2 processes" if processes else "1/10 jobs"
    assert any(word.startswith("STATUS=") and what in word for word in manager.heard)


@pytest.mark.real
@pytest.mark.alone
def test_blocked_loop_is_silent(
    manager: Manager, tmp_path: Path, real_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that blocks the event loop keeps `WATCHDOG=1` from being sent, so that systemd restarts it."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    project = Project(tmp_path, real_url)
    project.write(
        project.source.replace(
            "async def tell(ctx):",
            "import time\n\nasync def tell(ctx):\n    note('blocks')\n    time.sleep(600)",
        )
    )
    program: Program
    with project.run("toys.First") as program:
        manager.hear_until("READY=1")
        project.enqueue("tell")
        program.wait_for("the event loop stands still")
        while not manager.is_silent():
            pass
        manager.socket.settimeout(1.0)
        with pytest.raises(TimeoutError):
            manager.hear()
