"""The watchdog: one warning per standstill, with the job and the stack; none for what is no standstill."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from worker_toys import Ctx, at_work, enqueue

from arqlite import ArqRedis, func
from arqlite.model import context
from arqlite.runtime.run import Run
from arqlite.runtime.watchdog import Clocks, Watchdog
from arqlite.telemetry import LoopBlocked, attach, detach

LIMIT = 1.0


class Dog:
    """A watchdog without its thread: its clocks and the answers of its loop are in the test's hand."""

    def __init__(self, active: Callable[[], list[Any]] = list) -> None:
        self.time = 100.0
        self.work = 0.0
        self.answers: list[Callable[[], None]] = []
        self.watchdog = Watchdog("q", LIMIT, active, Clocks(lambda: self.time, lambda: self.work))
        self.watchdog._plan(self.time, 0.5)
        loop: Any = SimpleNamespace(
            call_soon_threadsafe=lambda call, *args: self.answers.append(lambda: call(*args))
        )
        self.watchdog._loop = loop

    def look(self, after: float, work: float = 0.0) -> float:
        self.time += after
        self.work += work
        return self.watchdog.look()

    def answer(self) -> None:
        while self.answers:
            self.answers.pop()()


@pytest.fixture
async def dog(monkeypatch: pytest.MonkeyPatch) -> Dog:
    monkeypatch.setattr(asyncio, "current_task", lambda _loop=None: None)
    return Dog()


@pytest.fixture
def blocks() -> Iterator[list[LoopBlocked]]:
    seen: list[LoopBlocked] = []
    attach("watchdog test", [LoopBlocked], seen.append)
    yield seen
    detach("watchdog test")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def test_loop_that_answers_is_left_in_peace(dog: Dog, caplog: pytest.LogCaptureFixture) -> None:
    """A loop that answers is asked twice a second, and nothing is said."""
    pauses = []

    for _ in range(100):
        pauses.append(dog.look(0.5))
        dog.answer()

    assert set(pauses) == {0.5}
    assert caplog.records == []


async def test_standstill_is_told_once(dog: Dog, caplog: pytest.LogCaptureFixture) -> None:
    """One warning per standstill, when the limit is reached; when it is over, a line how long it was."""
    caplog.set_level(logging.INFO, "arqlite.worker")
    dog.look(0.5)

    assert dog.look(0.4) == 0.5
    assert dog.look(0.5) == pytest.approx(0.1)
    assert warnings(caplog) == []
    for after in (0.1, *[0.5] * 9):
        dog.look(after)
    dog.answer()

    assert len(warnings(caplog)) == 1
    assert warnings(caplog)[0].startswith(
        "the event loop stands still since 1.0s, and with it every other job: a callback, which is no job,"
    )
    assert "test_runtime_watchdog.py" in warnings(caplog)[0]
    assert caplog.messages[-1] == "a callback, which is no job, held the event loop for 5.5s in all"


async def test_next_standstill_is_told_again(dog: Dog, caplog: pytest.LogCaptureFixture) -> None:
    """Each standstill has a warning of its own."""
    for _ in range(2):
        dog.look(0.5)
        dog.look(0.5)
        dog.look(0.5)
        dog.answer()

    assert len(warnings(caplog)) == 2


async def test_stopped_process_blocks_nothing(dog: Dog, caplog: pytest.LogCaptureFixture) -> None:
    """A process that was stopped spent no time of the processor: its loop gets the whole limit anew."""
    dog.look(0.5)
    dog.look(0.5)

    dog.look(60.0, work=0.01)
    assert warnings(caplog) == []
    dog.look(0.5)
    dog.look(0.5)

    assert len(warnings(caplog)) == 1


async def test_lock_that_is_held_is_a_standstill(dog: Dog, caplog: pytest.LogCaptureFixture) -> None:
    """Code that holds Python's lock keeps the watchdog waiting as well, and is told: it spends time."""
    dog.look(0.5)

    dog.look(3.0, work=2.9)

    assert warnings(caplog)[0].startswith("the event loop stands still since 3.0s")


async def test_debugger_is_no_standstill(
    dog: Dog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks around in a debugger knows it, and is told nothing."""
    caplog.set_level(logging.INFO, "arqlite.worker")
    frame: Any = SimpleNamespace(
        f_globals={"__name__": "app"}, f_back=SimpleNamespace(f_globals={"__name__": "bdb"}, f_back=None)
    )
    monkeypatch.setattr(sys, "_current_frames", lambda: {threading.get_ident(): frame})

    for _ in range(5):
        dog.look(0.5)
    dog.answer()

    assert caplog.records == []


async def test_job_is_known_by_its_task(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tasks do not give their context away, the job is found by its task; another task by its name."""
    task: Any = SimpleNamespace(get_name=lambda: "arqlite:Recorder")
    run: Any = SimpleNamespace(task=task, ref="a:work", job_id="a", function="work", worker="w")
    monkeypatch.setattr(asyncio, "current_task", lambda _loop=None: task)
    active: list[Any] = [run]
    dog = Dog(lambda: active)

    for _ in range(2):
        for _ in range(3):
            dog.look(0.5)
        dog.answer()
        active.clear()

    job, other = warnings(caplog)
    assert "job a:work holds it" in job
    assert "task 'arqlite:Recorder', which is not a job itself, holds it" in other
    context.running_job.set(None)


async def test_task_of_a_job_is_known_by_its_context(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tasks give their context away, also a task that the job made is the job's."""
    run = Run.__new__(Run)
    run.job_id, run.function, run.worker = "a", "work", "w"
    run.target = func(print, name="work")
    task: Any = SimpleNamespace(get_context=lambda: {context.running_job: run})
    monkeypatch.setattr(asyncio, "current_task", lambda _loop=None: task)
    dog = Dog()

    for _ in range(3):
        dog.look(0.5)

    assert "job a:work holds it" in warnings(caplog)[0]
    context.running_job.set(None)


async def test_blocking_job_is_named(
    arq_redis: ArqRedis,
    make_worker: Any,
    caplog: pytest.LogCaptureFixture,
    blocks: list[LoopBlocked],
    eventually: Any,
) -> None:
    """A job that blocks the loop of a worker is told with its id and with the line where it stands."""
    caplog.set_level(logging.INFO, "arqlite.worker")

    async def block(ctx: Ctx) -> None:
        time.sleep(1.0)  # noqa: ASYNC251 (blocking is what is tested)

    job = await enqueue(arq_redis, "block")
    worker = make_worker([func(block, name="block")], blocked_loop_warning=0.1)
    async with at_work(worker):
        await job.result(timeout=5)
        await eventually(lambda: any("block held the event loop" in text for text in caplog.messages))

    # A machine that is busy with other things may hold the loop up as well, but it is no job.
    [warning] = [text for text in warnings(caplog) if ":block holds it" in text]
    assert f"job {job.job_id}:block holds it" in warning
    assert "time.sleep(1.0)" in warning
    [event] = [event for event in blocks if event.job_id]
    assert (event.queue, event.job_id, event.function) == ("arq:queue", job.job_id, "block")
    assert event.worker
    assert 0.1 <= event.seconds < 5
    assert "time.sleep(1.0)" in event.stack


@pytest.mark.parametrize("none", [None, float("inf")])
async def test_watchdog_can_be_left_out(arq_redis: ArqRedis, make_worker: Any, none: float | None) -> None:
    """Without a limit there is no thread that watches."""
    seen: list[set[str]] = []

    async def look(ctx: Ctx) -> None:
        seen.append({thread.name for thread in threading.enumerate()})

    for limit in (none, 1.0):
        await enqueue(arq_redis, "look")
        await make_worker([func(look, name="look")], blocked_loop_warning=limit).run_check()

    assert ["arqlite:watchdog" in names for names in seen] == [False, True]
    assert "arqlite:watchdog" not in {thread.name for thread in threading.enumerate()}


STOPPED = """
import asyncio, logging, sys
from arqlite.runtime.watchdog import Watchdog

async def main():
    logging.basicConfig(stream=sys.stdout, level=logging.INFO)
    watchdog = Watchdog("q", 0.6, list)
    await watchdog.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for _ in range(40):
        await asyncio.sleep(0.02)  # the watchdog looks several times
    await watchdog.stop()
    print("over", flush=True)

asyncio.run(main())
"""


def test_process_that_is_stopped_says_nothing() -> None:
    """A process that SIGSTOP held for longer than the limit finds no culprit when it goes on."""
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    time.sleep(1.2)  # being stopped for a while is what is tested
    process.send_signal(signal.SIGCONT)

    said, _ = process.communicate("go on\n", timeout=20)
    assert said == "over\n"
