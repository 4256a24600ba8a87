"""How a worker's process is: measured at no cost, told with each beat."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arqlite.engine import Beat
from arqlite.model.codec import Codec
from arqlite.model.queues import Settlement, read_vitals, write_vitals
from arqlite.runtime import vitals
from arqlite.runtime.heartbeat import Heartbeat
from arqlite.runtime.orders import Orders
from arqlite.runtime.vitals import LoopLag, resident_memory
from arqlite.version import VERSION


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_memory_is_that_of_this_process() -> None:
    """A process that takes more memory tells so."""
    before = resident_memory()
    taken = bytearray(b"x" * 40_000_000)

    grown = resident_memory() - before

    assert grown > len(taken) / 2
    assert before > 5_000_000


def test_memory_without_proc_is_the_most_there_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the system has no /proc, its other books are read."""
    monkeypatch.setattr(vitals, "_STATM", str(tmp_path / "nothing"))

    assert resident_memory() > 5_000_000


def test_lag_is_how_long_the_loop_takes_to_answer() -> None:
    """Nothing is known at first, then how late the last answer was, and how long one is owed."""
    clock = Clock()
    lag = LoopLag(clock)
    assert lag.ms is None

    lag.asked()
    clock.now += 0.25
    lag.answered()
    assert lag.ms == 250

    lag.asked()
    clock.now += 4
    lag.asked()  # what is owed already counts from its own time
    clock.now += 1
    assert lag.ms == 5000

    lag.answered()
    clock.now += 10
    assert lag.ms == 5000
    lag.asked()
    lag.answered()
    assert lag.ms == 0


@pytest.mark.parametrize("told", [(1_000, None), (1_000, 0), (123_456_789, 2_500)])
def test_vitals_are_read_as_they_were_written(told: tuple[int, int | None]) -> None:
    """What a beat tells is what an inspector reads."""
    assert read_vitals(write_vitals(*told)) == told


@pytest.mark.parametrize("text", ["", "none", "x:y"])
def test_vitals_of_others_are_unknown(text: str) -> None:
    """A worker that tells nothing, or of which nothing can be read, is no fault."""
    assert read_vitals(text) == (None, None)


def test_worker_tells_what_it_is_when_it_joins() -> None:
    """Version, functions and memory stand beside node, process and limit."""
    orders = Orders("q", "web-1", Codec(), max_jobs=5, functions=["send", "fetch"])

    about = orders.membership().about
    told = Settlement({}).session("s", about, ())

    assert json.loads(about)["node"] == "web-1"
    assert (told.version, list(told.functions), told.function_count) == (VERSION, ["fetch", "send"], 2)
    assert told.memory is not None
    assert told.loop_lag is None


def test_beat_goes_before_what_was_told_at_the_start() -> None:
    """The memory of the last beat is shown, not that of the start."""
    about = json.dumps({"node": "web-1", "memory": 1})

    assert Settlement({}).session("s", about, (), "2000:7").memory == 2000
    assert Settlement({}).session("s", about, ()).memory == 1


class Listening:
    """An engine that notes what beats tell."""

    def __init__(self) -> None:
        self.told: list[tuple[int | None, int | None]] = []

    def beat(self, session: str, lease_ms: int, heard: Sequence[str], vitals: str = "") -> Beat:
        self.told.append(read_vitals(vitals))
        return Beat(True, -1, frozenset())


async def test_blocked_loop_shows_in_the_beats(eventually: Any) -> None:
    """A job that holds the event loop makes it late, and the beats say by how much, also meanwhile."""
    engine: Any = Listening()
    heartbeat = Heartbeat(engine, lambda: "s", 150, None, lambda *_: None, lambda job_id: False)
    await heartbeat.start()
    await eventually(lambda: len(engine.told) > 2)
    calm = engine.told[-1]

    _hold_the_loop(0.4)
    meanwhile = list(engine.told)
    await asyncio.sleep(0)
    await heartbeat.stop()

    assert calm[0] is not None
    assert calm[1] is not None
    assert any(lag is not None and lag >= 100 for _, lag in meanwhile)


def _hold_the_loop(seconds: float) -> None:
    """Do what no job should: nothing else turns meanwhile."""
    time.sleep(seconds)
