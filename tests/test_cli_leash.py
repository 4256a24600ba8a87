"""A child's end of the line to its supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from signal import Signals
from typing import Any

import pytest

from arqlite.cli.leash import READY, VARIABLE, Leash


class FakeFleet:
    """Notes what it is told, and runs until the test lets it end."""

    def __init__(self) -> None:
        self.told: list[tuple[Signals, str]] = []
        self.over = asyncio.Event()
        self.handles_signals = True

    def handle_sig(self, signum: Signals, teller: str) -> None:
        self.told.append((signum, teller))

    async def run_and_close(self) -> None:
        await self.over.wait()


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The other end of a leash that this process finds in its environment."""
    before = signal.getsignal(signal.SIGINT)
    ours, theirs = socket.socketpair()
    monkeypatch.setenv(VARIABLE, str(theirs.detach()))
    yield ours
    ours.close()
    signal.signal(signal.SIGINT, before)


def take() -> Leash:
    leash = Leash.of_environment()
    assert leash is not None
    return leash


async def test_what_the_supervisor_says_is_told(supervisor: socket.socket, eventually: Any) -> None:
    """A child says that it listens, and passes on what it is told, as often as it is told."""
    fleet: Any = FakeFleet()
    running = asyncio.create_task(take().run(fleet))
    assert await asyncio.to_thread(supervisor.recv, 1) == READY

    supervisor.send(bytes([Signals.SIGINT, Signals.SIGTERM]))
    await eventually(lambda: len(fleet.told) == 2)
    fleet.over.set()
    await running

    assert fleet.told == [(Signals.SIGINT, "supervisor"), (Signals.SIGTERM, "supervisor")]
    assert supervisor.recv(1) == b""


async def test_supervisor_that_is_gone_ends_the_child(supervisor: socket.socket, eventually: Any) -> None:
    """A line that breaks is a SIGTERM, once."""
    fleet: Any = FakeFleet()
    running = asyncio.create_task(take().run(fleet))

    supervisor.close()
    await eventually(lambda: fleet.told)
    fleet.over.set()
    await running

    assert fleet.told == [(Signals.SIGTERM, "supervisor")]


async def test_supervisor_that_goes_while_the_child_ends_does_not_hurry_it(
    supervisor: socket.socket, eventually: Any
) -> None:
    """A line that breaks after a signal adds nothing to it."""
    fleet: Any = FakeFleet()
    running = asyncio.create_task(take().run(fleet))

    supervisor.send(bytes([Signals.SIGINT]))
    await eventually(lambda: fleet.told)
    supervisor.close()
    for _ in range(5):  # the end of a line is there at once, and is read in the loop's next round
        await asyncio.sleep(0)
    fleet.over.set()
    await running

    assert fleet.told == [(Signals.SIGINT, "supervisor")]


def test_leash_is_taken_once_and_handed_to_nobody(supervisor: socket.socket) -> None:
    """The variable is gone afterwards, and programs that a job starts do not inherit the line."""
    fd = int(os.environ[VARIABLE])
    leash = take()

    assert Leash.of_environment() is None
    assert VARIABLE not in os.environ
    assert not os.get_inheritable(fd)
    leash._line.close()


@pytest.mark.parametrize("value", ["", "no number", "99999", "-1"])
def test_what_is_no_leash_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A variable that names no open file changes nothing."""
    monkeypatch.setenv(VARIABLE, value)

    assert Leash.of_environment() is None


def test_open_file_that_is_no_socket_is_no_leash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that belongs to another open file is none either, and that file stays open."""
    reader, writer = os.pipe()
    monkeypatch.setenv(VARIABLE, str(reader))

    assert Leash.of_environment() is None

    os.close(reader)
    os.close(writer)
