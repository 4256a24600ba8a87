"""`Recorder`: rows follow what workers tell and clients enqueue, many in a transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from .. import telemetry
from ..errors import LedgerError
from ..service import Service, end_task
from ..telemetry import (
    JobStarted,
    JobStopped,
    LedgerWritten,
    execute,
    has_handlers,
)
from ..utils import timestamp_ms
from . import hearing
from .accepting import AcceptedJob
from .backlog import Accepted, Backlog, Run
from .changes import COMPLETED, EndedRun
from .leaving import leave_accepted_out, leave_packet_out, leave_run_out, report_overflow
from .milestones import Milestones
from .outage import Absence, is_away, is_conflict
from .overflow import Overflow
from .spiller import Spiller
from .writer import Books, Writer, write_parts

logger = logging.getLogger("arqlite.ledger")

_GOES_ON = "jobs go on and are recorded later"
_WAITS = "what has ended waits, and nothing more is begun until it is back"
_ENDED = "the recorder ended before it could write this"
_SHORTEST_BACKOFF_S = 0.02
_SHORTEST_LOOK_S = 0.005

_ENTRIES_AT_ONCE = 2_000
"""In one transaction: enough to share its cost, few enough not to hold up jobs while it is made."""
_PACKETS_AT_ONCE = 20


class Beginnings(Protocol):
    """Where the starts of runs are asked for.

    Attributes:
        heard: called when there is one.
    """

    heard: Callable[[], None]

    def take(self) -> list[JobStarted]:
        """Hand out the starts of the runs that go on, but for those handed out before."""


class Recorder(Service):
    """Keeps the rows of jobs, and a row for each of their attempts, and counts what ends in each minute.

    One writer per process puts what was told within a few ms into one transaction. Jobs never wait for it:
    while the database is slow or away, events wait in memory, up to `capacity`. The oldest beyond go to the
    `overflow`, and come back from there when the database does; without one they are dropped, and counted in
    the log. In a strict ledger none of that happens: events wait however many they are, and `is_full` says
    that no more should be made.

    A job that nobody wrote a row for gets one here. Rows that a `JobRunner` keeps are left alone while it
    keeps them: it closes them before the worker tells that the job stopped.

    Args:
        ledger: where the rows are.
        queue: the one queue whose events are recorded; None is every queue of the process.
        overflow: where events go that find no room.
        beginnings: where the starts of runs are asked for, just before something is written: of a run that is
            over by then only its end is told. None hears of each start from telemetry.
        window: seconds to gather changes before they are written.
        capacity: how many runs and accepted jobs may wait in memory.
        max_backoff: seconds between two tries while the database is away, at most.
        flush_timeout: seconds that `stop` waits for the last changes to be written.
        replay_interval: seconds between two looks into the overflow.

    Attributes:
        sessions: the sessions of the worker that it is of. What other workers of the process run in the queue
            their own recorders record; what nobody's worker did, the first of all of them does.
    """

    def __init__(
        self,
        ledger: Books,
        queue: str | None = None,
        *,
        overflow: Overflow | None = None,
        beginnings: Beginnings | None = None,
        window: float = 0.002,
        capacity: int = 20_000,
        max_backoff: float = 5.0,
        flush_timeout: float = 5.0,
        replay_interval: float = 1.0,
    ) -> None:
        super().__init__()
        self.ledger = ledger
        self.queue = queue
        self.sessions: set[str] = set()
        self.overflow = overflow
        self.beginnings = beginnings
        self.window = window
        self.capacity = capacity
        self.max_backoff = max_backoff
        self.flush_timeout = flush_timeout
        self.replay_interval = replay_interval
        self._is_listening = False
        self._writer = Writer(ledger)
        self._backlog = Backlog(self._writer.moment, ledger.redaction)
        self._milestones = Milestones(self._backlog.written)
        self._absence = Absence(queue or "", _WAITS if ledger.is_strict else _GOES_ON)
        self._spiller = (
            None if overflow is None else Spiller(self._backlog, overflow, capacity, self._milestones.look)
        )
        self._helping: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()

    # What others ask.

    @property
    def waiting(self) -> int:
        """How many runs and accepted jobs are not written yet."""
        return len(self._backlog)

    @property
    def lag(self) -> float:
        """Seconds since the oldest event that is not written was told; 0.0 if none waits."""
        return self._backlog.lag

    @property
    def is_full(self) -> bool:
        """Whether no more jobs should be started, for what is told of them finds no room."""
        return len(self._backlog) >= self.capacity

    @property
    def is_away(self) -> bool:
        """Whether the database could not be reached when this last tried."""
        return self._absence.is_on

    @property
    def mark(self) -> int:
        """How many events were told so far; see `reached`."""
        return self._backlog.told

    async def reached(self, mark: int) -> None:
        """Return when all events up to a mark are committed, however long the database is away.

        Raises:
            LedgerError: the recorder ended before.
        """
        if self._milestones.is_reached(mark):
            return
        if self._task is None:
            raise LedgerError(_ENDED)
        if len(self._backlog):
            await self._milestones.wait(mark)

    # What it is told.

    def take(self, event: JobStarted | JobStopped) -> None:
        """Remember what a worker told; called by telemetry, in the event loop."""
        if self._is_meant(event.queue, event.worker):
            self._backlog.add(event)
            self._has_more()

    def take_run(self, run: EndedRun, state: str, value: object, memory: object) -> bool:
        """Remember a run that a worker has at hand, if it ended as most do; False asks for its event."""
        if state != COMPLETED:
            return False
        if self._is_meant(run.queue_name, run.worker):
            if not self._backlog.end(run, value):
                return False
            self._has_more()
        return True

    def answers_for(self, worker: str) -> bool:
        """Whether it records what this worker runs, by the name of its session."""
        return worker in self.sessions

    def _is_meant(self, queue: str, worker: str) -> bool:
        if self.queue is None or queue != self.queue:
            return self.queue is None
        return worker in self.sessions or hearing.is_up_to(self, self.queue, worker)

    def tell(self, event: JobStopped) -> None:
        """Remember the end of a job of any queue, which telemetry did not tell this one of."""
        self._backlog.add(event)
        self._has_more()

    def accept(self, jobs: Sequence[AcceptedJob]) -> None:
        """Remember jobs that Redis has just accepted, for their QUEUED rows; some may be further already."""
        self._backlog.accept(jobs)
        self._has_more()

    def _has_more(self) -> None:
        if not self._arrived.is_set():
            self._arrived.set()
        if self._backlog.waiting > self.capacity and not self.ledger.is_strict:
            if self._spiller is None:
                self._backlog.drop_oldest(self.capacity)
            else:
                self._spiller.crowded()
                self._backlog.drop_oldest(2 * self.capacity)

    # Its life.

    async def start(self) -> None:
        """Begin to listen and to write."""
        if self._task is None:
            # Anew at each start: one settings class may serve several loops, one after the other.
            self._arrived = asyncio.Event()
            self._closing = asyncio.Event()
            if self.beginnings is None:
                telemetry.attach(self._handler_id, (JobStarted, JobStopped), self.take)
            else:
                telemetry.attach(self._handler_id, JobStopped, self.take, shortcut=self.take_run)
                self.beginnings.heard = self._has_more
            hearing.begin(self, self.queue)
            self._is_listening = True
            if self._spiller is not None:
                await self._spiller.start()
        await super().start()

    async def stop(self) -> None:
        """Stop listening, write what was told, and end; what cannot be written goes to the overflow."""
        telemetry.detach(self._handler_id)
        if self._is_listening:
            hearing.end(self, self.queue)
            self._is_listening = False
        self._closing.set()
        self._arrived.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self.flush_timeout)
        await super().stop()
        # Again: whoever was cancelled twice could not end it.
        await self._end_help()
        await self._writer.rest()
        if self._spiller is not None:
            await self._spiller.stop()
        # Before the rest goes elsewhere: that is not committed.
        self._milestones.end(_ENDED)
        await self._leave_rest()

    async def run(self) -> None:
        """Write what arrives, one transaction at a time, until told to stop."""
        looked_at = -self.replay_interval
        while len(self._backlog) or not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), self._look_again(looked_at))
            self._arrived.clear()
            await self._pause(self.window)
            self._ask_for_starts()
            if len(self._backlog):
                await self._write_all()
            if self.overflow is not None and self._look_again(looked_at) == 0:
                await self._replay(self.overflow)
                looked_at = time.monotonic()

    def _ask_for_starts(self) -> None:
        if self.beginnings is not None:
            self._backlog.begin(self.beginnings.take())

    @property
    def _handler_id(self) -> str:
        return f"arqlite.ledger.recorder:{id(self)}"

    def _look_again(self, looked_at: float) -> float | None:
        """In how many seconds the overflow is to be looked into."""
        if self.overflow is None:
            return None
        return max(looked_at + self.replay_interval - time.monotonic(), 0.0)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when the worker is waiting for us to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    # Writing.

    async def _write_all(self) -> None:
        """Write until nothing waits; during an outage try again, and say so once."""
        try:
            await self._write_until_done()
        finally:
            await self._end_help()
            await self._writer.rest()
        if self._backlog.dropped:
            logger.error("the ledger missed %d changes: more came than could wait", self._backlog.dropped)
            self._backlog.dropped = 0

    async def _write_until_done(self) -> None:
        delay = _SHORTEST_BACKOFF_S
        while len(self._backlog):
            if not self._backlog.has_more:
                # Others have it all in hand, and may bring some of it back.
                await asyncio.sleep(max(self.window, _SHORTEST_LOOK_S))
                continue
            if self._needs_help() and (self._helping is None or self._helping.done()):
                self._helping = asyncio.create_task(self._help(), name="arqlite:recorder:help")
            try:
                # Accepted jobs go by themselves: with runs in the same transaction, rows would not be locked
                # in the order of ids, and two writers could wait for each other.
                is_done = await self._write_accepted() and await self._write_runs()
            except Exception as error:
                if not (is_away(error) or is_conflict(error)):
                    logger.exception("the ledger's recorder failed and tries again")
                self._absence.begin(error)
                is_done = False
            if is_done:
                delay = _SHORTEST_BACKOFF_S
                self._absence.end()
            else:
                await self._pause(delay)
                await asyncio.sleep(_SHORTEST_BACKOFF_S)  # also while closing, which ends every pause at once
                delay = min(delay * 2, self.max_backoff)

    def _needs_help(self) -> bool:
        """Whether many runs wait that nobody writes, and the database takes two transactions at once."""
        is_much = self._backlog.runs_left > _ENTRIES_AT_ONCE // 4
        return is_much and self._writer.takes_two and not self._absence.is_on

    async def _end_help(self) -> None:
        if self._helping is not None:
            await end_task(self._helping)
            self._helping = None

    async def _help(self) -> None:
        """Write beside the other writer, so that the database has work while that prepares the next."""
        with suppress(Exception):  # (what is the matter the other one meets, too)
            while self._needs_help() and await self._write_runs():
                pass

    async def _write_accepted(self) -> bool:
        """Write some accepted jobs; False if some of them wait again."""
        taken = self._backlog.take_accepted(_ENTRIES_AT_ONCE)
        if not taken:
            return True
        rest: Sequence[Accepted] = taken
        try:
            with self._reporting(taken):
                rest = await write_parts(taken, self._writer.write_accepted, leave_accepted_out)
        finally:
            self._backlog.settle_accepted(taken, rest)
            self._milestones.look()
        return not rest

    async def _write_runs(self) -> bool:
        """Write what was told of some runs; False if some of them wait again."""
        self._ask_for_starts()
        taken = self._backlog.take_runs(_ENTRIES_AT_ONCE)
        if not taken:
            return True
        rest: Sequence[Run] = taken
        try:
            with self._reporting(taken):
                rest = await write_parts(taken, self._writer.write_runs, leave_run_out)
        finally:
            self._backlog.settle_runs(taken, rest)
            self._milestones.look()
        return not rest

    @contextmanager
    def _reporting(self, taken: Sequence[Run | Accepted]) -> Iterator[None]:
        """Tell telemetry of a transaction that went well."""
        began, lag = time.monotonic(), self._backlog.lag
        yield
        if has_handlers(LedgerWritten):
            took_ms = (time.monotonic() - began) * 1_000
            waiting = self.waiting - len(taken)
            execute(
                LedgerWritten(self.queue or "", len(taken), took_ms, lag * 1_000, waiting, timestamp_ms())
            )

    # The overflow.

    async def _replay(self, overflow: Overflow) -> None:
        """Write what found no room earlier, as long as what is told now does."""
        while not self._closing.is_set() and len(self._backlog) <= self.capacity // 2:
            try:
                packets = await overflow.take(_PACKETS_AT_ONCE)
                for token, packet in packets:
                    await write_parts([packet], self._writer.write_packets, leave_packet_out)
                    await overflow.forget([token])
            except Exception as error:  # noqa: BLE001 (what was not forgotten is there the next time)
                if is_away(error) or is_conflict(error):
                    self._absence.begin(error)
                else:
                    report_overflow(error)
                return
            if not packets:
                return
            await self._write_all()

    async def _leave_rest(self) -> None:
        """Nobody writes any more: what waits goes into the overflow, or is lost."""
        if self._spiller is not None:
            await self._spiller.spill_all()
        if len(self._backlog):
            logger.error(
                "the ledger missed %d changes: it was away when the worker ended", len(self._backlog)
            )
        self._backlog.clear()
