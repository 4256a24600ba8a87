"""Rows that are over, deleted in batches so small that nobody waits for them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from . import store
from .retention import Retention, Sweep
from .rows import JobRowMixin, utc_now

_MOST_AT_ONCE = 1_000
_FEWEST_AT_ONCE = 20
_SLOW_S = 0.1
_SHORTEST_PAUSE_S = 0.01

_FULL_EVERY = timedelta(hours=1)
_OVERLAP = timedelta(minutes=10)
"""Ends that were told late are found, too: by the next look at all rows at the latest."""


class Pace:
    """How many rows at once, and how long a pause after them.

    A batch that took long is followed by smaller ones; and pruning takes half of the time at most, so that
    others get to write where only one may.
    """

    def __init__(self) -> None:
        self.limit = _MOST_AT_ONCE

    def pause_after(self, seconds: float) -> float:
        """Note how long a batch took; returns the seconds to pause."""
        if seconds > _SLOW_S:
            self.limit = max(self.limit // 2, _FEWEST_AT_ONCE)
        elif seconds < _SLOW_S / 2:
            self.limit = min(self.limit * 2, _MOST_AT_ONCE)
        return max(seconds, _SHORTEST_PAUSE_S)


class Pruning:
    """Deletes what is over, and remembers how far it came, for the next time to begin there.

    Args:
        sessions: makes a session on the ledger.
        row_model: its table of jobs.
        keep: how long rows stay.
        clock: tells the time.
        pause: waits between two batches.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        row_model: type[JobRowMixin],
        keep: Retention,
        *,
        clock: Callable[[], datetime] = utc_now,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.keep = keep
        self._sessions = sessions
        self._row_model = row_model
        self._clock = clock
        self._pause = pause
        self._pace = Pace()
        self._done_before: dict[Sweep, datetime] = {}
        self._full_at: datetime | None = None

    async def run(self, told: Counter[str], may_go_on: Callable[[], bool] = lambda: True) -> None:
        """Delete all that is over now.

        Args:
            told: what is deleted is added here, by the name of what it is, also if it ends by an error.
            may_go_on: asked before each batch.
        """
        now = self._clock()
        is_full = self._full_at is None or now - self._full_at >= _FULL_EVERY
        if is_full:
            self._done_before.clear()
        for sweep in self.keep.sweeps():
            await self._prune_jobs(sweep, now - sweep.age, told, may_go_on)
        if is_full and self.keep.max_rows is not None:
            await self._prune_beyond(self.keep.max_rows, now, told, may_go_on)
        for kind, age in self.keep.others().items():
            await self._prune_others(kind, now - age, told, may_go_on)
        if is_full and may_go_on():
            self._full_at = now

    async def count(self) -> Counter[str]:
        """How much `run` would delete now; attempts are not counted, nor is what is over `max_rows` alone."""
        now = self._clock()
        told: Counter[str] = Counter()
        async with self._sessions() as db:
            for sweep in self.keep.sweeps():
                told["jobs"] += await store.count_ended(db, self._row_model, sweep, before=now - sweep.age)
            for kind, age in self.keep.others().items():
                told[kind] += await store.count_older(db, kind, before=now - age)
        return told

    async def _prune_jobs(
        self, sweep: Sweep, before: datetime, told: Counter[str], may_go_on: Callable[[], bool]
    ) -> None:
        since = self._done_before.get(sweep)
        while may_go_on():
            limit, began = self._pace.limit, time.monotonic()
            async with self._sessions.begin() as db:
                gone = await store.delete_ended(
                    db, self._row_model, sweep, since=since, before=before, limit=limit
                )
            told["jobs"] += gone.jobs
            told["attempts"] += gone.attempts
            if gone.jobs < limit:
                self._done_before[sweep] = before - _OVERLAP
                return
            since = gone.last
            await self._pause(self._pace.pause_after(time.monotonic() - began))

    async def _prune_beyond(
        self, max_rows: int, now: datetime, told: Counter[str], may_go_on: Callable[[], bool]
    ) -> None:
        before: datetime | None = now
        if max_rows:
            async with self._sessions() as db:
                before = await store.end_of_newest(db, self._row_model, max_rows)
        if before is not None:
            for status in store.ENDED:
                await self._prune_jobs(Sweep(status, timedelta(0)), before, told, may_go_on)

    async def _prune_others(
        self, kind: str, before: datetime, told: Counter[str], may_go_on: Callable[[], bool]
    ) -> None:
        while may_go_on():
            limit, began = self._pace.limit, time.monotonic()
            async with self._sessions.begin() as db:
                count = await store.delete_older(db, kind, before=before, limit=limit)
            told[kind] += count
            if count < limit:
                return
            await self._pause(self._pace.pause_after(time.monotonic() - began))
