"""Projects as `arqlite init` makes them, and commands in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cli_toys import Program

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
