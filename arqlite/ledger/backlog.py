"""What was told and is not in the database yet. No I/O."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ..telemetry import JobStarted, JobStopped
from ..utils import timestamp_ms
from .accepting import AcceptedJob
from .changes import EndedRun, Moment, Told, Values, accepted_values, end_of_run, told_of
from .redaction import Redaction

Run: TypeAlias = tuple[int, float, Told]
"""What waits to be written of a run: the number of its first event, when that was told, and its rows."""
Accepted: TypeAlias = tuple[int, float, Values, Mapping[str, Any]]
"""An accepted job: number and time as in `Run`, values of `ACCEPTED_COLUMNS`, and of further columns."""
_Key: TypeAlias = tuple[str, str, int, str]
_Place: TypeAlias = tuple[int, float]
_Start: TypeAlias = tuple[int, float, JobStarted]


class Backlog:
    """Runs and accepted jobs that wait to be written, and those that are being written.

    A run that ends while its start waits is written once. What has ended waits as the values of its rows, so
    that neither arguments nor results are kept alive.

    Args:
        moment: what a time in ms is to the database.
        redaction: what must not be held.
        clock: tells the time in seconds.

    Attributes:
        told: how many events were told so far, each accepted job being one.
        waiting: how many runs and accepted jobs wait, those included that are being written.
        dropped: how many entries were given up since this was last set to 0.
    """

    def __init__(
        self, moment: Moment, redaction: Redaction, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.told = 0
        self.waiting = 0
        self.dropped = 0
        self._moment = moment
        self._redaction = redaction
        self._clock = clock
        self._runs: deque[Run] = deque()
        self._accepted: deque[Accepted] = deque()
        # Runs that go on: those whose start waits, and those whose start was taken to be written.
        self._begun: dict[_Key, _Start] = {}
        self._going_on: dict[_Key, _Start] = {}
        self._out: list[Sequence[Run] | Sequence[Accepted]] = []

    def __len__(self) -> int:
        return self.waiting

    @property
    def has_more(self) -> bool:
        """Whether something waits that nobody is writing."""
        return bool(self._runs or self._begun or self._accepted)

    @property
    def runs_left(self) -> int:
        """How many runs wait that nobody is writing."""
        return len(self._runs) + len(self._begun)

    def written(self) -> int:
        """How many events, from the first on, wait no more."""
        waiting: list[Collection[Any]] = [self._runs, self._begun.values(), self._accepted, *self._out]
        return min((entry[0] for entries in waiting for entry in entries), default=self.told + 1) - 1

    @property
    def lag(self) -> float:
        """Seconds since the oldest event that still waits was told; 0.0 if none does."""
        now = self._clock()
        waiting: list[Collection[Any]] = [self._runs, self._begun.values(), self._accepted, *self._out]
        return max((now - next(iter(entries))[1] for entries in waiting if entries), default=0.0)

    def add(self, event: JobStarted | JobStopped) -> None:
        """Take what a worker told."""
        if isinstance(event, JobStopped):
            started, place = self._start_of(event.queue, event.job_id, event.attempt, event.worker)
            self._end(told_of(started, event, self._moment, self._redaction), place)
            return
        self.told += 1
        key = event.queue, event.job_id, event.attempt, event.worker
        if key not in self._begun:
            self.waiting += 1
        self._begun[key] = self.told, self._clock(), event

    def end(self, run: EndedRun, value: Any) -> bool:
        """Take a run that a worker has at hand and that ended well; False if only its event tells enough."""
        told = end_of_run(run, value, self._moment, self._redaction)
        if told is None:
            return False
        _, place = self._start_of(run.queue_name, run.job_id, run.job_try, run.worker)
        self._end(told, place)
        return True

    def _start_of(
        self, queue: str, job_id: str, attempt: int, worker: str
    ) -> tuple[JobStarted | None, _Place | None]:
        """Forget the start of a run that is over; tells it, and its number and time if it waits itself."""
        if not (self._begun or self._going_on):
            return None, None
        key = queue, job_id, attempt, worker
        if key in self._begun:
            number, told_at, started = self._begun.pop(key)
            self.waiting -= 1
            return started, (number, told_at)
        start = self._going_on.pop(key, None)
        return None if start is None else start[2], None

    def _end(self, told: Told, place: _Place | None) -> None:
        self.told += 1
        self.waiting += 1
        number, told_at = place or (self.told, self._clock())
        self._runs.append((number, told_at, told))

    def begin(self, starts: Iterable[JobStarted]) -> None:
        """Take the starts of runs that go on."""
        for start in starts:
            self.add(start)

    def accept(self, jobs: Iterable[AcceptedJob]) -> None:
        """Take jobs that Redis has accepted."""
        now, now_ms = self._clock(), timestamp_ms()
        for job in jobs:
            self.told += 1
            self.waiting += 1
            values = accepted_values(job, self._moment, self._redaction, now_ms)
            self._accepted.append((self.told, now, values, job.columns))

    def take_runs(self, limit: int) -> list[Run]:
        """Take the oldest runs out, to be written; they count as waiting until `settle` or `put_back`."""
        taken = [self._runs.popleft() for _ in range(min(limit, len(self._runs)))]
        for key in list(self._begun)[: limit - len(taken)]:
            number, told_at, started = self._going_on[key] = self._begun.pop(key)
            taken.append((number, told_at, told_of(started, None, self._moment, self._redaction)))
        if taken:
            self._out.append(taken)
        return taken

    def take_accepted(self, limit: int) -> list[Accepted]:
        """Take the oldest accepted jobs out, as `take_runs` does."""
        taken = [self._accepted.popleft() for _ in range(min(limit, len(self._accepted)))]
        if taken:
            self._out.append(taken)
        return taken

    def settle_runs(self, taken: list[Run], rest: Sequence[Run] = ()) -> None:
        """What was taken out is in its place, but for a rest, which waits again, as the oldest."""
        if self._settle(taken, rest):
            self._runs.extendleft(reversed(rest))

    def settle_accepted(self, taken: list[Accepted], rest: Sequence[Accepted] = ()) -> None:
        """As `settle_runs`."""
        if self._settle(taken, rest):
            self._accepted.extendleft(reversed(rest))

    def _settle(self, taken: Sequence[Any], rest: Sequence[Any]) -> bool:
        """Whether it was out at all; what was forgotten meanwhile does not come back."""
        if not any(other is taken for other in self._out):
            return False
        self._out = [other for other in self._out if other is not taken]
        self.waiting -= len(taken) - len(rest)
        return True

    def drop_oldest(self, bound: int) -> None:
        """Give up what is beyond a bound, the oldest first."""
        for entries in (self._runs, self._accepted):
            while entries and len(self) > bound:
                entries.popleft()
                self.waiting -= 1
                self.dropped += 1
        while self._begun and len(self) > bound:
            key = next(iter(self._begun))
            self._going_on[key] = self._begun.pop(key)
            self.waiting -= 1
            self.dropped += 1

    def clear(self) -> None:
        """Forget everything."""
        for entries in (self._runs, self._accepted, self._begun, self._going_on, self._out):
            entries.clear()
        self.waiting = 0
