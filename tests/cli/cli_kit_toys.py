"""Projects as `arqlite init` makes them, and commands in them."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from cli_toys import PATIENCE_S, Program

GATE = """

@task
async def gate(ctx: dict[str, Any]) -> str:
    import asyncio, pathlib
    print("the gate is shut")
    while not pathlib.Path("open").exists():
        await asyncio.sleep(0.01)
    return "through"


WorkerSettings.functions.append(gate)
"""


def command(folder: Path, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run `arqlite` in a project to its end."""
    return python(folder, "-m", "arqlite", *args, timeout=timeout)


def python(folder: Path, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run Python in a project to its end."""
    return subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def enqueue(folder: Path, function: str, *args: object, wait: bool = True) -> str:
    """Enqueue a job from a program that names no Redis, and give its result, or else its id."""
    code = (
        "import asyncio, tasks; from arqlite import create_pool\n"
        "async def main():\n"
        "    pool = await create_pool()\n"
        f"    job = await pool.enqueue(tasks.{function}, *{args!r})\n"
        f"    print(await job.result(timeout=30) if {wait} else job.job_id)\n"
        "    await pool.aclose(close_connection_pool=True)\n"
        "asyncio.run(main())"
    )
    done = python(folder, "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Project:
    """A folder in which `arqlite init` was run, with one more job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        done = command(folder, "init")
        assert done.returncode == 0, done.stderr
        self.tasks = folder / "tasks.py"
        self.tasks.write_text(self.tasks.read_text() + GATE)

    def dev(self, *args: str) -> Program:
        """Start `arqlite dev`."""
        return Program(self.folder, "-m", "arqlite", "dev", "tasks.WorkerSettings", *args)

    def open_gate(self) -> None:
        """Let the jobs end that wait at the gate."""
        (self.folder / "open").touch()


class Terminal:
    """A terminal in which `arqlite` was started: with colours, and a Ctrl-C that is a key."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.said = ""
        self._ours, theirs = pty.openpty()
        take_terminal = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
            "os.execv(sys.executable, [sys.executable, '-m', 'arqlite', *sys.argv[1:]])"
        )
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", take_terminal, *args],
            cwd=folder,
            env=kept | {"TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, text: str, within: float = PATIENCE_S) -> None:
        """Read until a text has come."""
        deadline = time.monotonic() + within
        while text not in self.said:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {text!r} within {within} s:\n{self.said}"
            self.said += os.read(self._ours, 10_000).decode(errors="replace")

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._ours, key.encode())

    def ended(self, within: float = PATIENCE_S) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(within)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
