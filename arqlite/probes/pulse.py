"""Whether an event loop turns, as another thread sees it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable

_BEAT_S = 1.0
# How long a loop that seems to stand still may take to answer, before it is said that it does.
_ANSWER_S = 0.5


class Pulse:
    """The pulse of the event loop that it is made in.

    Args:
        limit_s: for how many seconds the loop may stand still.
        clock: for tests.

    Attributes:
        thread: the thread of the loop.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None
        self._beat_at = clock()

    def start(self) -> None:
        """Begin to beat, once a second; called in the loop."""
        self._beat_at = self._clock()
        self._timer = self._loop.call_later(_BEAT_S, self.start)

    def stop(self) -> None:
        """Beat no more; called in the loop."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def still_s(self) -> float:
        """For how many seconds the loop has not turned, rounded down to its beats."""
        return max(self._clock() - self._beat_at - _BEAT_S, 0.0)

    def is_blocked(self) -> bool:
        """Whether the loop stands still for longer than it may; called in another thread."""
        return self.still_s > self.limit_s and not self._answers()

    def stack(self) -> str:
        """Where the thread of the loop is."""
        frame = sys._current_frames().get(self.thread)
        return "".join(traceback.format_stack(frame)).rstrip()

    def _answers(self) -> bool:
        """Ask the loop: a process that was stopped and goes on has an old beat, and turns all the same."""
        answered = threading.Event()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # the loop is closed, and blocked by nobody
            return True
        return answered.wait(_ANSWER_S)
