"""What there is to measure at a worker: its runs as they end, its queue now and then, its event loop."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

from ..inspector import Inspector
from ..runtime.outage import REDIS_TROUBLE
from ..service import Host, Ticker
from ..telemetry import JobsRescued, JobStopped, LeaderChanged, RedisFailed, attach, detach
from ..typing import SecondsTimedelta
from .catalogue import OTHER
from .looplag import LoopLag

_numbers = itertools.count(1)
# Who hears of a queue in this process, by kind. What no worker in particular did, only the first one counts.
_listening: dict[tuple[type, str], list[Watch]] = {}


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """A queue as its leader has seen it last.

    Attributes:
        depth: how many jobs have not ended, by state.
        latency_s: for how long the eldest job that could start has waited.
        slots: how many jobs can run at once, see `QueueInfo.slots`.
    """

    depth: dict[str, int]
    latency_s: float
    slots: int


class Watch(Ticker):
    """Hears what a worker does. Override `ended`, `rescued` and `redis_failed`, which are called in the loop.

    Args:
        interval: how often the leader looks at the queue.
        queue_label: what the queue is called in metrics; None is its name.
    """

    def __init__(self, interval: SecondsTimedelta, queue_label: str | None) -> None:
        super().__init__(interval, at_once=True)
        self.figures: QueueFigures | None = None
        self._queue_label = queue_label
        self._lag = LoopLag()
        self._sessions: set[str] = set()
        self._session = ""
        self._handler_id = f"arqlite.observe:{next(_numbers)}"
        self._changed = asyncio.Event()
        self._host: Host | None = None

    # -- what it is told

    def ended(self, task: str, state: str, run_s: float | None, wait_s: float | None) -> None:
        """A run ended, or a job did without one: then there are no times."""

    def rescued(self, cause: str, count: int) -> None:
        """Jobs were put back, or given up: `crash`, `shutdown` or `poison`."""

    def redis_failed(self, operation: str) -> None:
        """An attempt to reach Redis failed."""

    # -- what it knows

    @property
    def queue(self) -> str:
        """What the queue is called in metrics; empty before there is a worker."""
        if self._queue_label is not None:
            return self._queue_label
        return "" if self._host is None else self._host.queue

    @property
    def is_on(self) -> bool:
        """Whether it works for a worker now."""
        return self._task is not None

    @property
    def running(self) -> int:
        """How many jobs the worker runs now."""
        return 0 if self._host is None else self._host.running()

    @property
    def backlog(self) -> tuple[int, float]:
        """How many changes of rows wait, and for how many seconds the eldest does."""
        return (0, 0.0) if self._host is None else self._host.backlog()

    @property
    def loop_lag_s(self) -> float:
        """By how much the event loop is late."""
        return self._lag.seconds

    # -- the service

    def join(self, host: Host) -> None:
        """Hear of the worker."""
        self._host = host
        self._sessions.clear()
        self._session = ""

    async def start(self) -> None:
        """Begin to listen."""
        if self._task is None:
            events = [JobStopped, JobsRescued, RedisFailed, LeaderChanged]
            attach(self._handler_id, events, self._hear)
            self._peers().append(self)
            self._lag.start()
        await super().start()

    async def stop(self) -> None:
        """Listen no longer; what was counted stays."""
        detach(self._handler_id)
        if self in self._peers():
            self._peers().remove(self)
        self._lag.stop()
        await super().stop()
        self.figures = None

    async def tick(self) -> None:
        """Look at the queue, if this worker leads: told by each of them, its figures would be added up."""
        host = self._host
        if host is None or not host.is_leader():
            self.figures = None
            return
        inspector = Inspector(host.pool)
        try:
            depth = await inspector.depth(host.queue)
            info = await inspector.check_queue(host.queue)
        except REDIS_TROUBLE as error:
            self.figures = None  # what was there a while ago is no answer to what is there now
            self.redis_failed(type(self).__name__.lower())
            self.told["error"] = str(error)
            return
        self.figures = QueueFigures(
            {
                "available": depth.available,
                "scheduled": depth.waiting,
                "suspended": depth.suspended,
                "executing": depth.executing,
            },
            depth.oldest.total_seconds(),
            0 if info is None else info.slots,
        )

    async def pause(self) -> None:
        """Wait for the interval, or until somebody else leads."""
        try:
            async with asyncio.timeout(self.next_pause()):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    @property
    def tasks(self) -> list[str]:
        """All labels that functions have here, those that the worker does not know the last."""
        return [] if self._host is None else [*sorted(self._host.functions), OTHER]

    def task_of(self, function: str) -> str:
        """Name a function as a label: those that the worker knows, all others alike."""
        return function if self._host is not None and function in self._host.functions else OTHER

    def is_own(self, queue: str, worker: str) -> bool:
        """Tell whether an event is about this worker: others of the same process tell theirs, too."""
        if self._host is None or queue != self._host.queue:
            return False
        if not worker:
            return self._is_first()
        if worker == self._session:
            return True
        # A worker that lost its lease has a new session, and the end of a run may still name the old one.
        self._session = self._host.session() or self._session
        self._sessions.add(self._session)
        return worker in self._sessions

    def _hear(self, event: JobStopped | JobsRescued | RedisFailed | LeaderChanged) -> None:
        if isinstance(event, JobStopped):
            if self.is_own(event.queue, event.worker):
                self._hear_end(event)
        elif self._host is None or event.queue != self._host.queue:
            return
        elif isinstance(event, LeaderChanged):
            self._changed.set()
        elif not self._is_first():
            return
        elif isinstance(event, JobsRescued):
            self.rescued("crash", sum(event.jobs.values()))
        else:
            self.redis_failed(event.operation)

    def _peers(self) -> list[Watch]:
        return _listening.setdefault((type(self), "" if self._host is None else self._host.queue), [])

    def _is_first(self) -> bool:
        return self._peers()[:1] == [self]

    def _hear_end(self, event: JobStopped) -> None:
        task = self.task_of(event.function)
        if event.started_ms:
            self.ended(task, event.state, event.duration_ms / 1000, event.queue_time_ms / 1000)
        else:
            self.ended(task, event.state, None, None)
        if event.cause == "SHUTDOWN" and event.state == "available":
            self.rescued("shutdown", 1)
        elif event.cause == "LOST" and event.state == "discarded":
            self.rescued("poison", 1)
