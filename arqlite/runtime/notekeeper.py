"""Brings what running jobs tell of themselves to Redis: in batches, bounded, and never in a job's way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Iterator
from typing import assert_never

from redis.exceptions import ResponseError

from ..engine import Engine, Note
from ..model.notes import Report, encode_line, encode_progress
from ..model.outcomes import Again, End, Gone, Verdict
from ..service import Service
from ..utils import timestamp_ms
from .notes import Notes
from .outage import REDIS_TROUBLE, Outage
from .run import Run

logger = logging.getLogger("arqlite.worker")

_PAUSE_S = 0.1
# A flood pauses longer: at most 5,000 lines a second go to Redis from one worker.
_PAUSE_PER_LINE_S = 0.0002
# Runs that end do not wait their turn; their lines slow down those who go on, yet for no longer than this.
_LONGEST_SLOWED_S = 1.0
# How many lines one script call carries at most; it holds the server for less than a millisecond.
_BATCH_LINES = 1000
_BATCH_JOBS = 200
# How long the notes of a job are kept that has not ended, and when they are renewed while it runs.
UNENDED_KEEP_MS = 7 * 86_400_000
_RENEW_S = 86_400.0
# The result of a job ends by the clock of the turn that stores it, which comes after its last notes.
_AFTER_RESULT_MS = 60_000
# How long the end of a job waits for its last notes to be stored.
_PATIENCE_S = 1.0

_keepers: dict[str, NoteKeeper] = {}


def keeper_of(worker: str) -> NoteKeeper | None:
    """Find who keeps the notes of a session's jobs; None for a session that is over."""
    return _keepers.get(worker)


class NoteKeeper(Service):
    """Gathers the notes of all jobs of a worker, from any thread, and stores them in one call.

    Args:
        engine: where they go.
        least_level: from which level on what is told to `ctx["log"]` is attached to its job.

    Attributes:
        least_level: as given.
    """

    def __init__(self, engine: Engine, least_level: int = logging.INFO) -> None:
        super().__init__()
        self.least_level = least_level
        self._engine = engine
        self._session = ""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        # Reentrant: a finalizer or a signal handler may log in the middle of it.
        self._lock = threading.RLock()
        self._dirty: dict[Run, None] = {}
        self._closing: dict[Run, asyncio.Future[None]] = {}
        self._open: set[Run] = set()
        self._signal = asyncio.Event()
        self._hurry = asyncio.Event()
        self._next_at = 0.0
        self._latest_at = 0.0
        self._serial = itertools.count(1)
        self._outage = Outage("job notes")
        self._told: set[str] = set()

    # -- what others tell the keeper

    def opened(self, session: str) -> None:
        """A session was opened: from now on the notes of its jobs are kept, and of no older one's."""
        _keepers.pop(self._session, None)
        self._session = session
        _keepers[session] = self

    def report(self, run: Run, report: Report) -> None:
        """Take down how far a job is; may be called in any thread."""
        with self._lock:
            notes = self._notes_of(run)
            if not notes.is_closed:
                notes.report(report)
                self._mark(run)

    def add_line(self, run: Run, level: int, logger_name: str, message: str) -> None:
        """Take down a line of a job; may be called in any thread."""
        line = encode_line(timestamp_ms(), level, logger_name, message, run.job_try)
        with self._lock:
            notes = self._notes_of(run)
            if not notes.is_closed:
                notes.add_line(line)
                self._mark(run)

    async def conclude(self, run: Run, verdict: Verdict) -> None:
        """A run that told something is over: store the last of it before its end is known.

        Waits for a second at most, and only until an attempt fails: the end comes first.
        """
        notes = run.notes
        if notes is None or self._is_lost(run):
            self._let_go(run)
            return
        with self._lock:
            match verdict:
                case End(state):
                    keep_ms = run.terms.keep_ms_of(state)
                    keep_ms += _AFTER_RESULT_MS if keep_ms > 0 else 0
                    notes.close(keep_ms, is_reset=False)
                case Again(delay_ms, _):
                    notes.close(UNENDED_KEEP_MS + max(delay_ms or 0, 0), is_reset=True)
                case Gone():
                    self._let_go(run)
                    return
                case _:  # pragma: no cover
                    assert_never(verdict)
            self._dirty[run] = None
        stored = self._closing[run] = self._loop.create_future()
        self._signal.set()
        self._hurry.set()
        await asyncio.wait([stored], timeout=_PATIENCE_S)

    # -- the service

    async def stop(self) -> None:
        """End; what is not stored by now belongs to jobs that are over."""
        await super().stop()
        _keepers.pop(self._session, None)
        self._release(list(self._closing))

    async def run(self) -> None:
        """Store notes whenever there are some."""
        while True:
            over, others = await self._next_runs()
            # A run that ends while this is on its way has more to say, and waits for the next one.
            try:
                for runs in filter(None, (over, others)):
                    taken = [note for run in runs if (note := self._take(run)) is not None]
                    self._slow_down(sum(len(note.lines) for note in taken), is_of_ends=runs is over)
                    for batch in _batches(taken):
                        await self._store(batch)
                    self._release(over)
            except Exception:  # what jobs tell is not worth the keeper, which their ends wait for
                logger.exception("storing the notes of jobs failed")
            self._release(over)

    async def _next_runs(self) -> tuple[list[Run], list[Run]]:
        """Wait for notes: those of runs that are over go at once, those of others in their time."""
        while True:
            self._signal.clear()
            over = list(self._closing)
            others = self._whose_time_has_come()
            if over or others:
                return over, others
            wait: float | None = _RENEW_S if self._open else None
            if self._dirty:
                wait = self._next_at - self._loop.time()
            try:
                async with asyncio.timeout(wait):
                    await self._signal.wait()
            except TimeoutError:
                if not self._dirty:
                    self._renew()

    def _whose_time_has_come(self) -> list[Run]:
        if not self._dirty or not self._is_time():
            return []
        with self._lock:
            runs = [run for run in self._dirty if run not in self._closing]
            self._dirty.clear()
        return runs

    def _is_time(self) -> bool:
        return self._loop.time() >= self._next_at

    def _slow_down(self, lines: int, *, is_of_ends: bool) -> None:
        """Decide when those who run may store again: the later, the more lines went."""
        now, pause = self._loop.time(), lines * _PAUSE_PER_LINE_S
        if is_of_ends:
            # What ends at all times must not put off for ever what others tell.
            self._next_at = min(max(self._next_at, now) + pause, max(self._latest_at, self._next_at))
        else:
            self._next_at = max(self._next_at, now + _PAUSE_S) + pause
            self._latest_at = max(self._next_at, now + _LONGEST_SLOWED_S)

    def _renew(self) -> None:
        """Have the notes kept on of runs that told nothing new for long."""
        self._open = {run for run in self._open if run.task is not None and not run.task.done()}
        with self._lock:
            self._dirty.update(dict.fromkeys(self._open))

    def _take(self, run: Run) -> Note | None:
        with self._lock:
            self._dirty.pop(run, None)
            notes = run.notes
            if notes is None or self._is_lost(run):
                return None
            report, lines, lost = notes.take()
        keep_ms = notes.keep_ms
        if keep_ms is None:
            self._open.add(run)
            keep_ms = UNENDED_KEEP_MS
        progress = b"-" if notes.is_reset else self._encoded(run, report)
        return Note(run.job_id, run.enqueue_ms, progress, keep_ms, lost, lines)

    def _encoded(self, run: Run, report: Report | None) -> bytes:
        if report is None:
            return b""
        try:
            return encode_progress(report, run.job_try)
        except (TypeError, OverflowError) as error:
            if run.function not in self._told:
                self._told.add(run.function)
                logger.warning("job %s: its progress cannot be kept: %s", run.ref, error)
            return b""

    async def _store(self, batch: list[Note]) -> None:
        stamp = str(next(self._serial))
        session = self._session
        while session == self._session:
            try:
                await self._engine.note(session, stamp, batch)
            except REDIS_TROUBLE as error:
                self._outage.begins(error)
                self._release(list(self._closing))
                await self._pause()
                if isinstance(error, ResponseError):  # it would be refused again
                    return
            else:
                self._outage.is_over()
                return

    async def _pause(self) -> None:
        """Wait before the next attempt; where a run ends, its last notes must be tried before its end."""
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._outage.next_pause()):
                await self._hurry.wait()

    # -- the runs

    def _notes_of(self, run: Run) -> Notes:
        if run.notes is None:
            run.notes = Notes()
            # What is told in `after_job_end`, or by what a job left running, comes too late.
            run.notes.is_closed = run.acknowledged is not None or run.task is None or run.task.done()
        return run.notes

    def _mark(self, run: Run) -> None:
        is_first = not self._dirty
        self._dirty[run] = None
        if not is_first:
            return
        if threading.get_ident() == self._thread:
            self._signal.set()
        else:
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                self._loop.call_soon_threadsafe(self._signal.set)

    def _is_lost(self, run: Run) -> bool:
        return run.worker != self._session or run.cancel_reason == "lost_lease"

    def _release(self, runs: list[Run]) -> None:
        """Let the ends wait no longer of runs whose last notes are stored, or cannot be."""
        for run in runs:
            stored = self._closing.pop(run, None)
            if stored is not None:
                self._let_go(run)
                if not stored.done():
                    stored.set_result(None)

    def _let_go(self, run: Run) -> None:
        self._open.discard(run)
        with self._lock:
            if run.notes is not None:
                run.notes.is_closed = True


def _batches(notes: list[Note]) -> Iterator[list[Note]]:
    """Cut what is to be stored into calls that hold the server only for a moment."""
    batch: list[Note] = []
    lines = 0
    for note in notes:
        if batch and (lines + len(note.lines) > _BATCH_LINES or len(batch) == _BATCH_JOBS):
            yield batch
            batch, lines = [], 0
        batch.append(note)
        lines += len(note.lines)
    if batch:
        yield batch
