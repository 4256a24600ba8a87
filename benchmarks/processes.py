"""Subprocesses that report in JSON lines, each bounded in time and ended by its own pid."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import machine

ROOT = Path(__file__).resolve().parent.parent
TOLD_WITHIN_S = 0.05


class ChildError(RuntimeError):
    """A worker or producer ended, stayed silent for too long, or reported an error."""


class Child:
    """One running role of one system.

    Args:
        python: interpreter of the system's environment.
        adapter: module under `benchmarks.systems`.
        order: the role and its settings, see `roles.Order`.
        cores: where it may run.
    """

    def __init__(self, python: str, adapter: str, order: dict[str, Any], cores: list[int]) -> None:
        self.role = f"{adapter} {order['role']}"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 it lives as long as the child
        self._pending = b""
        with machine.pinned(cores):
            self._process = subprocess.Popen(
                [python, "-m", f"benchmarks.systems.{adapter}", json.dumps(order)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )

    def expect(self, event: str, timeout_s: float) -> dict[str, Any]:
        """Wait for the line that reports this event; other lines are skipped.

        Raises:
            ChildError: the process ended or the time is over, with the end of what it wrote to stderr.
        """
        deadline = time.monotonic() + timeout_s
        for line in self._lines(deadline, event):
            if line.startswith(b"{"):
                with contextlib.suppress(ValueError):
                    report = json.loads(line)
                    if report.get("event") == event:
                        return dict(report)
        raise ChildError(f"{self.role} ended without {event!r}: {self._told()}")

    def told(self, event: str) -> dict[str, Any] | None:
        """Return the report of this event if it has come already; None else."""
        with contextlib.suppress(ChildError):
            return self.expect(event, TOLD_WITHIN_S)
        return None

    def cpu_s(self) -> float:
        """Tell the processor time that it took so far, as the kernel counts it."""
        return machine.cpu_s(self._process.pid)

    def tell(self, word: str) -> None:
        """Send one word to the child's stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Kill the process (its figures are told by then) and wait for it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._errors.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _lines(self, deadline: float, event: str) -> Iterator[bytes]:
        assert self._process.stdout is not None
        stdout = self._process.stdout
        while True:
            line, found, rest = self._pending.partition(b"\n")
            if found:
                self._pending = rest
                yield line
                continue
            wait_s = deadline - time.monotonic()
            if wait_s <= 0 or not select.select([stdout], [], [], wait_s)[0]:
                raise ChildError(f"{self.role} did not report {event!r} in time: {self._told()}")
            chunk = os.read(stdout.fileno(), 65536)
            if not chunk:
                return
            self._pending += chunk

    def _told(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-600:].decode(errors="replace").strip() or "(nothing on stderr)"
