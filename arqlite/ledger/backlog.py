"""What was told and is not in the database yet, in the order it was told. No I/O."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..telemetry import JobStarted, JobStopped
from .accepting import AcceptedJob
from .changes import ToldRun


@dataclass(slots=True, eq=False)
class Accepted:
    """A job that was accepted; `number` and `told_at` as in `ToldRun`."""

    number: int
    told_at: float
    job: AcceptedJob


Entry: TypeAlias = ToldRun | Accepted


class Backlog:
    """Runs and accepted jobs that wait to be written, and those that are being written.

    A run whose end comes while its start still waits is one entry with it.

    Args:
        clock: tells the time in seconds.

    Attributes:
        told: how many events were told so far, each accepted job being one.
        dropped: how many entries were given up since this was last set to 0.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.told = 0
        self.dropped = 0
        self._clock = clock
        self._runs: deque[ToldRun] = deque()
        self._accepted: deque[Accepted] = deque()
        self._out: list[Sequence[Entry]] = []
        # Runs whose end was not told yet: it needs to know when they began.
        self._begun: dict[tuple[str, str], ToldRun] = {}

    def __len__(self) -> int:
        return len(self._runs) + len(self._accepted) + sum(map(len, self._out))

    @property
    def written(self) -> int:
        """How many events, from the first on, wait no more."""
        oldest = self._oldest()
        return self.told if oldest is None else oldest.number - 1

    @property
    def lag(self) -> float:
        """Seconds since the oldest event that still waits was told; 0.0 if none does."""
        oldest = self._oldest()
        return 0.0 if oldest is None else max(self._clock() - oldest.told_at, 0.0)

    def add(self, event: JobStarted | JobStopped) -> None:
        """Take what a worker told."""
        self.told += 1
        key = event.queue, event.job_id
        if isinstance(event, JobStarted):
            run = ToldRun(self.told, self._clock(), event)
            self._begun[key] = run
            self._runs.append(run)
            return
        begun = self._begun.pop(key, None)
        started = None if begun is None else begun.started
        if started is not None and (started.attempt != event.attempt or started.worker != event.worker):
            started = None
        elif begun is not None and not begun.is_taken:
            begun.stopped = event
            return
        self._runs.append(ToldRun(self.told, self._clock(), started, event))

    def accept(self, jobs: Iterable[AcceptedJob]) -> None:
        """Take jobs that were accepted."""
        now = self._clock()
        for job in jobs:
            self.told += 1
            self._accepted.append(Accepted(self.told, now, job))

    def take_runs(self, limit: int) -> list[ToldRun]:
        """Take the oldest runs out, to be written; they count as waiting until `settle` or `put_back`."""
        taken = [self._runs.popleft() for _ in range(min(limit, len(self._runs)))]
        for run in taken:
            run.is_taken = True
        self._out.append(taken)
        return taken

    def take_accepted(self, limit: int) -> list[Accepted]:
        """Take the oldest accepted jobs out, as `take_runs` does."""
        taken = [self._accepted.popleft() for _ in range(min(limit, len(self._accepted)))]
        self._out.append(taken)
        return taken

    def take_oldest(self, limit: int) -> Sequence[Entry]:
        """Take entries of one kind out, the kind whose oldest entry is the older one."""
        return self.take_accepted(limit) if self._accepted_are_older() else self.take_runs(limit)

    def settle(self, taken: Sequence[Entry]) -> None:
        """What was taken out is in its place."""
        self._out = [other for other in self._out if other is not taken]

    def put_back(self, taken: Sequence[Entry], rest: Sequence[Entry]) -> None:
        """What was taken out is in its place but for a rest: that goes in front of what was told meanwhile."""
        self.settle(taken)
        for entry in reversed(rest):
            if isinstance(entry, ToldRun):
                self._runs.appendleft(entry)
            else:
                self._accepted.appendleft(entry)

    def drop_oldest(self, bound: int) -> None:
        """Give up what is beyond a bound, the oldest first."""
        while len(self) > bound and (self._runs or self._accepted):
            if self._accepted_are_older():
                self._accepted.popleft()
            else:
                self._runs.popleft().is_taken = True
            self.dropped += 1

    def clear(self) -> None:
        """Forget everything."""
        self._runs.clear()
        self._accepted.clear()
        self._begun.clear()
        self._out = []

    def _accepted_are_older(self) -> bool:
        if not (self._accepted and self._runs):
            return bool(self._accepted)
        return self._accepted[0].number < self._runs[0].number

    def _oldest(self) -> Entry | None:
        firsts = [entries[0] for entries in (*self._out, self._runs, self._accepted) if entries]
        return min(firsts, key=lambda entry: entry.number, default=None)
