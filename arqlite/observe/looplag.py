"""By how much an event loop is late."""

from __future__ import annotations

import asyncio
import time
from collections import deque

_BEAT_S = 0.5
_REMEMBERED = 30
# Timers of a loop that has nothing to do come that late, too.
_NOISE_S = 0.002


class LoopLag:
    """Asks the loop to call back twice a second, and remembers for 15 seconds how late it did.

    It may be read in any thread: a loop that stands still now is late by as much as that has lasted.
    """

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=_REMEMBERED)
        self._due_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the loop that runs."""
        if self._timer is None:
            self._plan(asyncio.get_running_loop())

    def stop(self) -> None:
        """End; there is no lag any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due_at = None
        self._late.clear()

    @property
    def seconds(self) -> float:
        """The longest it was late in the last 15 seconds, or is now."""
        due_at = self._due_at
        now_late = 0.0 if due_at is None else time.monotonic() - due_at
        worst = max(now_late, *self._late, 0.0)
        return worst if worst > _NOISE_S else 0.0

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due_at = time.monotonic() + _BEAT_S
        self._timer = loop.call_later(_BEAT_S, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._due_at is not None:
            self._late.append(time.monotonic() - self._due_at)
            self._plan(loop)
