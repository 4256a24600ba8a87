"""Where a worker spends its processor time: a sample of the running function at each tick of a CPU timer."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import PurePath
from types import CodeType, FrameType

INTERVAL_S = 0.001
"""Asked of the kernel; most deliver a sample every 4 ms of processor time."""


class Sampler:
    """Counts samples by the innermost Python function.

    Work done in C counts for the Python function that called it; what the event loop does between two
    callbacks counts for the callback that follows.
    """

    def __init__(self) -> None:
        self.samples: Counter[CodeType] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def stop(self) -> dict[str, int]:
        """Stop and return the samples of each function."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        named: Counter[str] = Counter()
        for code, count in self.samples.items():
            named[_name(code)] += count
        return dict(named)

    def _take(self, _signal: int, frame: FrameType | None) -> None:
        if frame is not None:
            self.samples[frame.f_code] += 1


def _name(code: CodeType) -> str:
    """Name a function as a reader recognises it: `arqlite/runtime/acker.py Acker.take`."""
    path = PurePath(code.co_filename)
    for root in sorted(filter(None, sys.path), key=len, reverse=True):
        if path.is_relative_to(root):
            return f"{path.relative_to(root)} {code.co_qualname}"
    return f"{path.name} {code.co_qualname}"
