"""The processes of the demo: started, watched, and ended whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.demo import leash
from app.demo.errors import ProcessDiedError

STOP_SECONDS = 25.0
"""How long a process may take to finish its jobs and end before it is killed."""

_SHOWN_LINES = 15
_TAIL_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Program:
    """What is run.

    Attributes:
        name: what people call it.
        detail: what people want to know of it.
        arguments: what follows `python`.
        log_name: the name of its log file.
    """

    name: str
    detail: str
    arguments: tuple[str, ...]
    log_name: str


@dataclass(frozen=True, slots=True)
class Running:
    """A program at work."""

    program: Program
    process: asyncio.subprocess.Process
    log: Path

    def died(self) -> ProcessDiedError | None:
        """Its unexpected end; None as long as it runs."""
        if self.process.returncode is None:
            return None
        return ProcessDiedError(self.program.name, self.process.returncode, self.log, tail(self.log))


class Processes:
    """The demo's child processes; leaving the `async with` block ends them all.

    Each is a session of its own: a Ctrl-C in the terminal reaches the demo alone, which then ends the others.
    They get SIGTERM if the demo itself is killed (Linux).

    Attributes:
        running: those that have been started and not been ended here.
        killed: the names of those that did not end when asked.
    """

    def __init__(self, logs: Path, cwd: Path) -> None:
        self.logs = logs
        self.running: list[Running] = []
        self.killed: list[str] = []
        self._cwd = cwd

    async def start(self, program: Program) -> Running:
        """Start a program; its output goes to its log file, which holds one run only."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / program.log_name
        command = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), sys.executable)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                *program.arguments,
                cwd=self._cwd,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        running = Running(program, process, log)
        self.running.append(running)
        return running

    def must_be_alive(self) -> None:
        """Raise ProcessDiedError if one has ended."""
        for running in self.running:
            if (death := running.died()) is not None:
                raise death

    async def until_one_dies(self) -> None:
        """Wait, without end, for the first process that ends by itself, and raise ProcessDiedError."""
        waits = [asyncio.ensure_future(running.process.wait()) for running in self.running]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self.must_be_alive()

    async def stop(self) -> None:
        """Ask all to end, and kill what does not within `STOP_SECONDS`."""
        for running in self.running:
            _signal(running, signal.SIGTERM)
        await asyncio.gather(*(self._see_the_end_of(running) for running in self.running))
        self.running.clear()

    def kill(self) -> None:
        """End them now: the person asked twice. Jobs that are cut off run again when a worker is back."""
        for running in self.running:
            _signal(running, signal.SIGKILL)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopping = asyncio.ensure_future(self.stop())
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:  # a Ctrl-C that came while they were ending anyway
            await stopping
            raise

    async def _see_the_end_of(self, running: Running) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await running.process.wait()
        except TimeoutError:
            self.killed.append(running.program.name)
            _signal(running, signal.SIGKILL)
            await running.process.wait()


def tail(log: Path, lines: int = _SHOWN_LINES) -> list[str]:
    """The last lines of a log that say something; none if there is no log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]


def _signal(running: Running, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        running.process.send_signal(number)
