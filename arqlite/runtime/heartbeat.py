"""Keeps the lease from a thread of its own, so that a job that blocks the event loop cannot starve it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

from ..constants import heartbeats_per_lease
from ..engine import Beat, Engine
from ..model.queues import write_vitals
from ..service import Service
from .outage import REDIS_TROUBLE, Outage
from .vitals import LoopLag, resident_memory

logger = logging.getLogger("arqlite.worker")

# After an outage everybody's lease may be over although nobody died. The others pause for at most one
# beat between two attempts, so this much later they have all been heard.
_BEATS_OF_GRACE = 1.5


class Heartbeat(Service):
    """Extends the session's lease, three times per lease.

    Args:
        engine: whose `beat` to call.
        session: tells the session of now, None while none is open; it changes when a lease was lost.
        lease_ms: how long a lease lasts.
        hang_s: how long the event loop may stand still before the process counts as hung and its jobs
            are left to others; None is for ever.
        heard: called in the event loop with the session, what a beat heard and when it was sent, by
            `time.monotonic`.
        may_cancel: tells, in the heartbeat's thread, whether the session has a job that it could cancel. What
            is asked of others is over, and forgotten.
        distrusted: called when the lease may have ended unseen.
        troubled: called in the event loop when Redis could not be reached.

    Attributes:
        is_overdue: whether the lease may have ended unseen: then nothing new may be started.
    """

    def __init__(
        self,
        engine: Engine,
        session: Callable[[], str | None],
        lease_ms: int,
        hang_s: float | None,
        heard: Callable[[str, Beat, float], None],
        may_cancel: Callable[[str], bool],
        distrusted: Callable[[], None] = lambda: None,
        troubled: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._session = session
        self._lease_ms = lease_ms
        self._hang_s = hang_s
        self._heard = heard
        self._may_cancel = may_cancel
        self._distrusted = distrusted
        self._troubled = troubled
        self.is_overdue = False
        self._stopping = threading.Event()
        self._ended = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._outage = Outage("heartbeat")
        self._lag = LoopLag()
        self._grace_s = _BEATS_OF_GRACE * lease_ms / 1000 / heartbeats_per_lease
        self._certain_at = 0.0
        self._known: set[str] = set()
        self._known_of = ""
        self._last_tick = time.monotonic()
        # Half a beat before its end a lease is not trusted any more.
        self._trusted_s = lease_ms / 1000 * (1 - 0.5 / heartbeats_per_lease)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def doubt_s(self) -> float:
        """For how many more seconds an outage may be why others are silent: then it is no sign of death."""
        return self._grace_s if self._outage.is_on else max(self._certain_at - time.monotonic(), 0.0)

    async def start(self) -> None:
        """Begin to beat."""
        self._last_tick = time.monotonic()
        self._stopping.clear()
        self._ended.clear()
        loop = asyncio.get_running_loop()
        self.renewed()
        self._thread = threading.Thread(
            target=self._beat_on, args=(loop,), name="arqlite:heartbeat", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """Stop beating; the lease runs out unless the session leaves."""
        self._stopping.set()
        self._forget_timer()
        thread, self._thread = self._thread, None
        if thread is not None:
            # Not by joining it in the loop's own threads: jobs may have them all.
            await self._ended.wait()
            thread.join()  # it has spoken its last word: this takes microseconds

    def renewed(self) -> None:
        """A new session was opened, with a full lease."""
        self._trust_lease_until(time.monotonic() + self._trusted_s)

    def _beat_on(self, loop: asyncio.AbstractEventLoop) -> None:
        interval = self._lease_ms / 1000 / heartbeats_per_lease
        pause = interval
        while not self._stopping.wait(pause):
            session = self._session()
            if session is None or self._is_hung():
                continue
            pause = interval if self._beat(session, loop) else min(self._outage.next_pause(), interval)
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(self._ended.set)

    def _beat(self, session: str, loop: asyncio.AbstractEventLoop) -> bool:
        began = time.monotonic()
        try:
            known = sorted(self._known) if session == self._known_of else []
            over = [job_id for job_id in known if not self._may_cancel(job_id)]
            vitals = write_vitals(resident_memory(), self._lag.ms)
            beat = self._engine.beat(session, self._lease_ms, over, vitals)
        except REDIS_TROUBLE as error:
            self._outage.begins(error)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(self._troubled)
            return False
        except Exception:
            logger.exception("heartbeat failed")
            return False
        if self._outage.is_on:
            self._certain_at = time.monotonic() + self._grace_s
            self._outage.is_over()
        self._known, self._known_of = set(beat.cancel), session
        try:
            self._lag.asked()
            loop.call_soon_threadsafe(self._deliver, session, beat, began)
        except RuntimeError:  # the loop was closed under us: the worker is gone
            self._stopping.set()
        return True

    def _deliver(self, session: str, beat: Beat, began: float) -> None:
        self._last_tick = time.monotonic()
        self._lag.answered()
        if beat.alive and session == self._session():
            self._trust_lease_until(began + self._trusted_s)
        self._heard(session, beat, began)

    def _trust_lease_until(self, end: float) -> None:
        self._forget_timer()
        left = end - time.monotonic()
        self.is_overdue = left <= 0
        if left > 0 and not self._stopping.is_set():
            self._timer = asyncio.get_running_loop().call_later(left, self._distrust_lease)

    def _distrust_lease(self) -> None:
        self.is_overdue = True
        self._distrusted()

    def _forget_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _is_hung(self) -> bool:
        if self._hang_s is None:
            return False
        stood = time.monotonic() - self._last_tick
        if stood < self._hang_s:
            return False
        logger.critical("the event loop stands still since %0.0fs; leaving the lease to end", stood)
        return True
