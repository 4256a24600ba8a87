"""The supervisor's decisions, with children that end when the test says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from signal import Signals
from typing import Any

import pytest

from arqlite.cli import supervisor
from arqlite.cli.children import Ended
from arqlite.cli.supervisor import Supervisor

Told = tuple[Signals, int]


class FakeChild:
    """A child that ends when it is told to, or by the code that the test gives it."""

    made: list[FakeChild]
    codes: list[int | OSError]
    """How the next ones end by themselves; those that are left out run on."""

    def __init__(self, code: int | None) -> None:
        self.pid = len(self.made) + 1
        self.is_ready = True
        self.told: list[Told] = []
        self.end: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        if code is not None:
            self.end.set_result(Ended(code, was_told=False))
        self.made.append(self)

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> FakeChild:
        code = cls.codes.pop(0) if cls.codes else None
        if isinstance(code, OSError):
            raise code
        return cls(code)

    def tell(self, signum: Signals, times: int) -> None:
        self.told.append((signum, times))
        if not self.end.done():
            self.end.set_result(Ended(0, was_told=True))

    async def ended(self) -> Ended:
        return await self.end


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> type[FakeChild]:
    monkeypatch.setattr(supervisor, "Child", FakeChild)
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(FakeChild, "made", [], raising=False)
    monkeypatch.setattr(FakeChild, "codes", [], raising=False)
    return FakeChild


def pauses(caplog: pytest.LogCaptureFixture) -> list[float]:
    """Read the seconds of the pauses before new starts."""
    return [
        record.args[2]
        for record in caplog.records
        if "starting another" in record.msg and isinstance(record.args, tuple)
    ]


async def test_pauses_grow_and_have_an_end(
    children: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each crash doubles the pause before the next start, up to the longest."""
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE_S", 0.004)
    children.codes = [1, -9, 1, 1, 0]

    assert await asyncio.wait_for(Supervisor(1).run(), 10) == 0

    assert pauses(caplog) == [0.001, 0.002, 0.004, 0.004]
    assert "worker process 1 was killed by SIGKILL, starting another in 0.0 s" in caplog.messages


async def test_steady_child_makes_pauses_short_again(
    children: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash after long work is a first one."""
    monkeypatch.setattr(supervisor, "_STEADY_S", 0.0)
    children.codes = [1, 1, 0]

    assert await asyncio.wait_for(Supervisor(1).run(), 10) == 0

    assert pauses(caplog) == [0.001, 0.001]


async def test_start_that_fails_is_tried_again(children: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A system that has no process to give now is asked again."""
    children.codes = [BlockingIOError("no more processes"), 0]

    assert await asyncio.wait_for(Supervisor(1).run(), 10) == 0

    assert "worker process 1 cannot be started: no more processes" in caplog.messages
    assert pauses(caplog) == [0.001]


async def test_signal_in_a_pause_ends_it(
    children: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """Nobody waits for the end of a pause; what crashed last makes the exit code 1."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE_S", 3600.0)
    children.codes = [1]
    made = Supervisor(1)
    running = asyncio.create_task(made.run())
    await eventually(lambda: children.made and not made._children)

    made.handle_sig(Signals.SIGTERM)

    assert await asyncio.wait_for(running, 10) == 1


async def test_signal_to_a_child_that_starts(children: Any) -> None:
    """A child that is just being started when the signal comes is told as well."""
    made = Supervisor(2)
    running = asyncio.create_task(made.run())
    made.handle_sig(Signals.SIGINT)

    assert await asyncio.wait_for(running, 10) == 0
    assert [child.told for child in children.made] == [[(Signals.SIGINT, 1)]] * 2


async def test_cancelled_supervisor_ends_its_children(children: Any, eventually: Any) -> None:
    """Cancelling the supervisor is a shutdown, and the cancellation leaves."""
    running = asyncio.create_task(Supervisor(2).run())
    await eventually(lambda: len(children.made) == 2)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 10)
    assert [child.told for child in children.made] == [[(Signals.SIGTERM, 1)]] * 2


async def test_watch_that_fails_ends_all(
    children: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """When changes can be watched no more, the children shut down and the exit code is 1."""

    async def watch(stop: asyncio.Event) -> AsyncIterator[set[str]]:
        await eventually(lambda: children.made)
        raise RuntimeError("no watches left")
        yield set()

    assert await asyncio.wait_for(Supervisor(1, watch).run(), 10) == 1

    assert children.made[0].told == [(Signals.SIGTERM, 1)]
    assert "cannot watch for changes any more, ending" in caplog.messages


async def test_changes_are_listed_in_short(
    children: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """The line of a reload names the first file and the number of the others."""
    caplog.set_level(logging.INFO)

    async def watch(stop: asyncio.Event) -> AsyncIterator[set[str]]:
        await eventually(lambda: children.made)
        yield {"b.py", "a.py", "c.py"}
        await stop.wait()

    made = Supervisor(1, watch)
    running = asyncio.create_task(made.run())
    await eventually(lambda: len(children.made) == 2)
    made.handle_sig(Signals.SIGTERM)

    assert await asyncio.wait_for(running, 10) == 0
    assert "files changed, reloading: a.py and 2 more" in caplog.messages


async def test_killed_child_is_replaced_without_a_change(
    children: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """Who runs out of memory was not ended by a mistake in a file: another one starts after a pause."""
    children.codes = [-9, -9]
    made = Supervisor(1, _no_change)
    running = asyncio.create_task(made.run())

    await eventually(lambda: len(children.made) == 3)
    made.handle_sig(Signals.SIGTERM)

    assert await asyncio.wait_for(running, 10) == 0
    assert pauses(caplog) == [0.001, 0.002]


async def test_child_that_ended_by_itself_waits_for_a_change(
    children: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """What the code made end would end again: it is not started anew before a file has changed."""
    children.codes = [1]
    made = Supervisor(1, _no_change)
    running = asyncio.create_task(made.run())

    waiting = "worker process 1 ended with exit code 1, waiting for a change"
    await eventually(lambda: waiting in caplog.messages)
    made.handle_sig(Signals.SIGTERM)

    assert await asyncio.wait_for(running, 10) == 1
    assert len(children.made) == 1


async def test_change_ends_a_pause(children: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any) -> None:
    """Who saves a file while a killed worker waits for its next start has it at once."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE_S", 3600.0)
    children.codes = [-9]

    async def watch(stop: asyncio.Event) -> AsyncIterator[set[str]]:
        await eventually(lambda: children.made and not made._children)
        yield {"a.py"}
        await stop.wait()

    made = Supervisor(1, watch)
    running = asyncio.create_task(made.run())
    await eventually(lambda: len(children.made) == 2)
    made.handle_sig(Signals.SIGTERM)

    assert await asyncio.wait_for(running, 10) == 0


async def _no_change(stop: asyncio.Event) -> AsyncIterator[set[str]]:
    await stop.wait()
    for files in ():
        yield files
