"""Rows that are over, deleted in batches so small that nobody waits for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from ..service import Ticker
from ..typing import SecondsTimedelta
from . import store
from .ledger import Ledger
from .outage import DATABASE_AWAY
from .retention import Retention, Sweep
from .rows import utc_now

logger = logging.getLogger("arqlite.ledger")

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
        ledger: whose rows.
        keep: how long they stay.
        clock: tells the time.
        pause: waits between two batches.
    """

    def __init__(
        self,
        ledger: Ledger,
        keep: Retention,
        *,
        clock: Callable[[], datetime] = utc_now,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.ledger = ledger
        self.keep = keep
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
        async with self.ledger.sessions() as db:
            for sweep in self.keep.sweeps():
                told["jobs"] += await store.count_ended(
                    db, self.ledger.row_model, sweep, before=now - sweep.age
                )
            for kind, age in self.keep.others().items():
                told[kind] += await store.count_older(db, kind, before=now - age)
        return told

    async def _prune_jobs(
        self, sweep: Sweep, before: datetime, told: Counter[str], may_go_on: Callable[[], bool]
    ) -> None:
        since = self._done_before.get(sweep)
        while may_go_on():
            limit, began = self._pace.limit, time.monotonic()
            async with self.ledger.sessions.begin() as db:
                gone = await store.delete_ended(
                    db, self.ledger.row_model, sweep, since=since, before=before, limit=limit
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
            async with self.ledger.sessions() as db:
                before = await store.end_of_newest(db, self.ledger.row_model, max_rows)
        if before is not None:
            for status in store.ENDED:
                await self._prune_jobs(Sweep(status, timedelta(0)), before, told, may_go_on)

    async def _prune_others(
        self, kind: str, before: datetime, told: Counter[str], may_go_on: Callable[[], bool]
    ) -> None:
        while may_go_on():
            limit, began = self._pace.limit, time.monotonic()
            async with self.ledger.sessions.begin() as db:
                count = await store.delete_older(db, kind, before=before, limit=limit)
            told[kind] += count
            if count < limit:
                return
            await self._pause(self._pace.pause_after(time.monotonic() - began))


class LedgerPruner(Ticker):
    """Deletes the rows that are over by the ledger's `keep`, in the leader's worker; what it deleted is told.

    Args:
        ledger: whose rows.
        interval: seconds or a timedelta between two looks.
        clock: tells the time.
    """

    def __init__(
        self, ledger: Ledger, *, interval: SecondsTimedelta = 60, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(interval, jitter=0.1, leader_only=True)
        self.ledger = ledger
        self._pruning = None if ledger.keep is None else Pruning(ledger, ledger.keep, clock=clock)

    async def tick(self) -> None:
        """Delete what is over, for as long as this worker leads."""
        if self._pruning is None:
            return
        told: Counter[str] = Counter()
        try:
            await self._pruning.run(told, self.may_tick)
        except DATABASE_AWAY as error:
            logger.warning("the ledger is away, old rows are pruned later: %r", error)
        finally:
            self.told.update(told)
