"""Runs that have begun and were not told of: most are over before anybody had to hear of their start."""

from __future__ import annotations

from collections.abc import Callable

from ..telemetry import JobStarted
from .run import Run
from .telling import start_of


class Beginnings:
    """Keeps the starts of runs for somebody who hears of them now and then, and of each one once.

    Attributes:
        heard: called when a run has begun; whoever takes the starts sets it.
    """

    def __init__(self) -> None:
        self.heard: Callable[[], None] = _nobody
        self._runs: set[Run] = set()

    def begun(self, run: Run) -> None:
        """A run has begun."""
        self._runs.add(run)
        self.heard()

    def over(self, run: Run) -> None:
        """A run is over; its end tells of its start."""
        self._runs.discard(run)

    def take(self) -> list[JobStarted]:
        """Hand out the starts of the runs that go on, but for those handed out before."""
        starts = [start_of(run) for run in self._runs]
        self._runs.clear()
        return starts


def _nobody() -> None:
    """Nobody hears of starts."""
