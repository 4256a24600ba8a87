"""Says which job blocks the event loop, and where: no timeout can end such a job, and all others wait for it.

A thread asks the loop now and then, and is answered at once unless something holds it. A process that
was stopped, or a machine that gave it no time, blocks nothing: then the thread itself came late,
and no time of the processor was spent.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ..model.context import running_job
from ..service import Service
from ..telemetry import LoopBlocked, execute, has_handlers
from ..utils import timestamp_ms
from .run import Run

logger = logging.getLogger("arqlite.worker")

# Twice a second is often enough for a limit of a second, and costs an idle worker nothing to speak of.
_LONGEST_PAUSE_S = 0.5
# The thread came late if its pause took so much longer than asked for.
_LATE_S = 0.25
# Somebody who looks around in a debugger knows that the loop stands still.
_DEBUGGERS = frozenset({"bdb", "pdb", "ipdb", "pudb", "pydevd", "debugpy", "_pydevd_bundle"})


@dataclass(slots=True)
class Clocks:
    """What time it is: for everybody, and for the processors that this process had."""

    now: Callable[[], float] = time.monotonic
    spent: Callable[[], float] = time.process_time


@dataclass(slots=True)
class _Question:
    """One question to the loop: since when it counts, and whether it was answered.

    Attributes:
        culprit: who held the loop, once that was noticed; empty when nobody is to be told.
    """

    asked_at: float
    since: float
    is_answered: bool = False
    culprit: str | None = None


class Watchdog(Service):
    """Warns once for each time that the event loop stands still, with the stack and the job.

    Args:
        queue: the worker's queue, for the event.
        limit_s: seconds that the loop may stand still; noticed at most half a second later.
        active: tells the jobs that run.
        clocks: for tests.
    """

    def __init__(
        self, queue: str, limit_s: float, active: Callable[[], Collection[Run]], clocks: Clocks | None = None
    ) -> None:
        super().__init__()
        self._queue = queue
        self._limit_s = limit_s
        self._active = active
        self._clocks = clocks or Clocks()
        self._pause_s = min(limit_s / 2, _LONGEST_PAUSE_S)
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._question: _Question | None = None
        self._due_at = self._spent = 0.0

    async def start(self) -> None:
        """Begin to watch."""
        if self._thread is None:
            self._stopping.clear()
            self._plan(self._clocks.now(), self._pause_s)
            self._thread = threading.Thread(target=self._watch, name="arqlite:watchdog", daemon=True)
            self._thread.start()

    async def stop(self) -> None:
        """End; the thread does nothing that takes long."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def look(self) -> float:
        """Look once whether the loop has answered; returns in how many seconds to look again."""
        now = self._clocks.now()
        was_held_up = self._was_held_up(now)
        question = self._question
        pause = self._pause_s
        if question is None or question.is_answered:
            self._ask(now)
        elif question.culprit is None:
            if was_held_up:
                question.since = now
            left = question.since + self._limit_s - now
            if left > 0:
                pause = min(left, pause)
            else:
                self._tell(question, now - question.since)
        self._plan(now, pause)
        return pause

    def _watch(self) -> None:
        pause = self._pause_s
        while not self._stopping.wait(pause):
            try:
                pause = self.look()
            except RuntimeError:  # the loop is closed
                return
            except Exception:  # what warns of trouble must not make any
                logger.exception("watching the event loop failed")
                pause = _LONGEST_PAUSE_S

    def _ask(self, now: float) -> None:
        question = self._question = _Question(now, now)
        self._loop.call_soon_threadsafe(self._answer, question)

    def _answer(self, question: _Question) -> None:
        """The loop turns (again)."""
        question.is_answered = True
        if question.culprit:
            seconds = self._clocks.now() - question.asked_at
            logger.info("%s held the event loop for %0.1fs in all", question.culprit, seconds)

    def _plan(self, now: float, pause: float) -> None:
        self._due_at, self._spent = now + pause, self._clocks.spent()

    def _was_held_up(self, now: float) -> bool:
        """Whether this process had no processor since the last look: stopped, or on a full machine."""
        late_s = now - self._due_at
        # Code that holds Python's lock makes this thread late as well, but spends time.
        return late_s > _LATE_S and self._clocks.spent() - self._spent < late_s / 2

    def _tell(self, question: _Question, seconds: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        if _is_in_debugger(frame):
            question.culprit = ""
            return
        run, question.culprit = self._culprit()
        stack = "".join(traceback.format_stack(frame)).rstrip()
        running_job.set(run)  # of this thread, so that the line has the job's fields
        logger.warning(
            "the event loop stands still since %0.1fs, and with it every other job: %s holds it. Await what "
            "takes long, or move it to a thread (asyncio.to_thread). It stands here:\n%s",
            seconds, question.culprit, stack,
        )  # fmt: skip
        if has_handlers(LoopBlocked):
            job_id, function, worker = (run.job_id, run.function, run.worker) if run else ("", "", "")
            execute(LoopBlocked(self._queue, worker, job_id, function, seconds, stack, timestamp_ms()))

    def _culprit(self) -> tuple[Run | None, str]:
        task = asyncio.current_task(self._loop)
        if task is None:
            return None, "a callback, which is no job,"
        run = self._run_of(task)
        if run is not None:
            return run, f"job {run.ref}"
        return None, f"task {task.get_name()!r}, which is not a job itself,"

    def _run_of(self, task: asyncio.Task[Any]) -> Run | None:
        # From Python 3.12 on, a task that a job made is known by its context as well.
        if hasattr(task, "get_context"):
            run = task.get_context().get(running_job)
            return run if isinstance(run, Run) else None
        return next((run for run in tuple(self._active()) if run.task is task), None)


def _is_in_debugger(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False
