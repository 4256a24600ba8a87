"""Timeouts without a timer per job: one timer, for the earliest deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from .run import Run


class Deadlines:
    """Cancels runs whose time is over.

    Args:
        runs: tells which runs there are; asked only when the timer fires.
    """

    def __init__(self, runs: Callable[[], Iterable[Run]]) -> None:
        self._runs = runs
        self._timer: asyncio.TimerHandle | None = None
        self._earliest = float("inf")

    def watch(self, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        """Start a run's time, if it has a limit."""
        if run.timeout_s is None:
            return
        run.deadline = deadline = loop.time() + run.timeout_s
        if deadline < self._earliest:
            self._arm(deadline, loop)

    def begin(self, run: Run) -> None:
        """Start the time of a run that waited for a process; in the event loop."""
        self.watch(run, asyncio.get_running_loop())

    def stop(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._earliest = None, float("inf")

    def _arm(self, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        if deadline == float("inf"):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._earliest = deadline
        self._timer = loop.call_at(deadline, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stop()
        now, earliest = loop.time(), float("inf")
        for run in self._runs():
            if run.deadline is None:
                continue
            if run.deadline <= now:
                run.cancel("timeout")
            elif run.deadline < earliest:
                earliest = run.deadline
        self._arm(earliest, loop)
