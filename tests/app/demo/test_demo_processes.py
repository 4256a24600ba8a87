"""The demo's processes: watched, and ended whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.demo import leash, processes
from app.demo.errors import ProcessDiedError
from app.demo.processes import Processes, Program, tail

Eventually = Callable[..., Awaitable[Any]]

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
PARENT = """
import os, subprocess, sys
leash, code = sys.argv[1:]
command = [sys.executable, leash, str(os.getpid()), sys.executable, "-c", code]
child = subprocess.Popen(command, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


@pytest.fixture
def children(tmp_path: Path) -> Processes:
    """No process yet."""
    return Processes(tmp_path / "logs", tmp_path)


async def test_leaving_ends_all(children: Processes, eventually: Eventually) -> None:
    """After the block no process is left, whatever ended the block."""

    async def fail_in_the_middle() -> None:
        async with children:
            pids.extend([(await children.start(_program(SLEEPER, name))).process.pid for name in "ab"])
            raise RuntimeError("whatever")

    pids: list[int] = []
    with pytest.raises(RuntimeError, match="whatever"):
        await fail_in_the_middle()

    assert [_is_alive(pid) for pid in pids] == [False, False]
    assert children.killed == []


async def test_stubborn_process_is_killed_and_named(
    children: Processes, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that does not end when asked is killed, and the person is told its name."""
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.1)

    async with children:
        running = await children.start(_program(STUBBORN, "stubborn"))
        await eventually(lambda: tail(running.log) == ["up"])

    assert running.process.returncode == -signal.SIGKILL
    assert children.killed == ["stubborn"]


async def test_cancelled_end_is_an_end_all_the_same(children: Processes) -> None:
    """A Ctrl-C that comes while the processes are being ended leaves none of them behind."""

    async def leave() -> None:
        async with children:
            pids.append((await children.start(_program(SLEEPER))).process.pid)
            started.set()

    pids: list[int] = []
    started = asyncio.Event()
    leaving = asyncio.create_task(leave())
    await started.wait()  # the block is left by now, and its end has begun
    leaving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not _is_alive(pids[0])


async def test_death_shows_the_last_lines(children: Processes) -> None:
    """A process that ends by itself is told with its exit code, its last lines, and where the others are."""
    async with children:
        running = await children.start(_program("print('one'); raise SystemExit('no database')"))
        with pytest.raises(ProcessDiedError) as caught:
            await children.until_one_dies()

    assert "the worker ended with exit code 1" in str(caught.value)
    assert caught.value.last_lines == ["one", "no database"]
    assert str(running.log) in str(caught.value)
    assert caught.value.exit_code == 1


async def test_killed_process_is_told_with_its_signal(children: Processes) -> None:
    """A process that was killed is told with the signal, and the demo ends with 1 all the same."""
    async with children:
        running = await children.start(_program(SLEEPER))
        running.process.kill()
        with pytest.raises(ProcessDiedError, match="ended by signal 9") as caught:
            await children.until_one_dies()

    assert caught.value.exit_code == 1


async def test_children_are_out_of_reach_of_ctrl_c(children: Processes) -> None:
    """A Ctrl-C in the terminal reaches the demo's process group only."""
    async with children:
        running = await children.start(_program(SLEEPER))
        assert os.getpgid(running.process.pid) != os.getpgid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_killed_parent_takes_its_children_along(tmp_path: Path, eventually: Eventually) -> None:
    """A program on the leash ends when its parent is killed."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, leash.__file__, SLEEPER), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()

    await eventually(lambda: not _is_alive(child))


def test_tail_of_a_long_log(tmp_path: Path) -> None:
    """Only the last lines that say something are shown, and a log that is not there has none."""
    log = tmp_path / "log"
    log.write_text("x" * 100_000 + "\n\n" + "\n".join(map(str, range(100))) + "\n\n")

    assert tail(log, lines=2) == ["98", "99"]
    assert tail(tmp_path / "missing") == []


def _program(code: str, name: str = "worker") -> Program:
    return Program(name, "", ("-c", code), f"{name}.log")


def _is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
