"""What one run has told of itself and is not stored yet; bounded, whatever the job does."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..engine.redis import LOG_LIMIT
from ..model.notes import Report

# Lines of a job that wait to be stored take at most so much memory.
PENDING_BYTES = 256 * 1024


class Taken(NamedTuple):
    """What was taken out to be stored."""

    report: Report | None
    lines: list[bytes]
    lost: int


class Notes:
    """The newest progress and the newest lines of one run, until they are stored.

    Attributes:
        is_closed: whether the run is over, so that nothing is taken down any more.
        keep_ms: how long its notes are kept from its end on; None while it runs.
        is_reset: whether what it told of its progress is over with it, since it runs again.
    """

    __slots__ = ("_bytes", "_lines", "_lost", "_report", "is_closed", "is_reset", "keep_ms")

    def __init__(self) -> None:
        self.is_closed = False
        self.keep_ms: int | None = None
        self.is_reset = False
        self._report: Report | None = None
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0

    def report(self, report: Report) -> None:
        """Take a progress down; the one before is of no interest any more."""
        self._report = report

    def add_line(self, line: bytes) -> None:
        """Take a line down; beyond the bounds the oldest is dropped."""
        self._lines.append(line)
        self._bytes += len(line)
        while self._bytes > PENDING_BYTES or len(self._lines) > LOG_LIMIT:
            self._bytes -= len(self._lines.popleft())
            self._lost += 1

    def close(self, keep_ms: int, *, is_reset: bool) -> None:
        """The run is over."""
        self.is_closed = True
        self.keep_ms = keep_ms
        self.is_reset = is_reset

    def take(self) -> Taken:
        """Hand over what there is."""
        taken = Taken(self._report, list(self._lines), self._lost)
        self._report, self._bytes, self._lost = None, 0, 0
        self._lines.clear()
        return taken
