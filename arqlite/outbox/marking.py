"""What rows are told of the push of their jobs: in the background, many at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from ..engine import Holder
from ..ledger import Ledger, store
from ..ledger.outage import is_away, is_conflict
from .parcels import Parcel, words_of

logger = logging.getLogger("arqlite.outbox")

_WINDOW_S = 0.05
_AT_ONCE = 500
_PAUSE_S = 1.0
_CAPACITY = 100_000
"""Marks in memory; what is left out beyond is pushed once more by the relay, and nothing comes of it."""


class Refusal(NamedTuple):
    """A job that was committed, and that its queue did not take."""

    parcel: Parcel
    holder: Holder


class Marks:
    """Tells rows that their jobs are in Redis, or never will be.

    Nobody waits for it. What it cannot tell, the relay finds out again.

    Args:
        ledger: whose rows.
        withdrawn: called with jobs that somebody cancelled in their rows meanwhile.
    """

    def __init__(self, ledger: Ledger, withdrawn: Callable[[Sequence[Parcel]], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._withdrawn = withdrawn
        self._pushed: deque[Parcel] = deque(maxlen=_CAPACITY)
        self._refused: deque[Refusal] = deque(maxlen=_CAPACITY)
        self._task: asyncio.Task[None] | None = None

    def pushed(self, parcels: Iterable[Parcel]) -> None:
        """Note that jobs are in Redis."""
        self._pushed.extend(parcels)
        self._write_soon()

    def refused(self, parcel: Parcel, holder: Holder) -> None:
        """Note that a job is not, and which one is there instead."""
        self._refused.append(Refusal(parcel, holder))
        self._write_soon()

    async def flush(self, patience_s: float) -> None:
        """Write what waits, as far as that takes no longer than this."""
        task = self._task
        if task is not None:
            await asyncio.wait([task], timeout=patience_s)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _write_soon(self) -> None:
        if (self._pushed or self._refused) and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write(), name="arqlite:marks")

    async def _write(self) -> None:
        await asyncio.sleep(_WINDOW_S)
        while self._pushed or self._refused:
            pushed, refused = _taken(self._pushed), _taken(self._refused)
            try:
                withdrawn = await write_marks(self._ledger, pushed, refused)
                if withdrawn:
                    await self._withdrawn(withdrawn)
            except Exception as error:
                if is_away(error) or is_conflict(error):
                    self._pushed.extendleft(reversed(pushed))
                    self._refused.extendleft(reversed(refused))
                    await asyncio.sleep(_PAUSE_S)
                else:
                    logger.exception("%d rows could not be told of the push of their jobs", len(pushed))


async def write_marks(
    ledger: Ledger, pushed: Sequence[Parcel], refused: Sequence[Refusal] = ()
) -> list[Parcel]:
    """Tell rows what became of their jobs, in one transaction.

    Returns:
        The jobs that somebody cancelled in their rows while they were being pushed.
    """
    table = store.table_of(ledger.row_model)
    withdrawn: list[Parcel] = []
    async with ledger.sessions() as db, db.begin():
        for queue, parcels in _by_queue(pushed):
            ids, newest = [one.job.job_id for one in parcels], max(one.enqueued_at for one in parcels)
            await store.mark_pushed(db, table, queue, ids, newest)
            late = await store.withdrawn(db, table, queue, ids)
            withdrawn += [one for one in parcels if (one.job.job_id, one.enqueued_at) in late]
        for parcel, holder in refused:
            reason = words_of(parcel.function, holder)
            await store.close_duplicate(
                db, table, parcel.queue, parcel.job.job_id, parcel.enqueued_at, reason
            )
    return withdrawn


def _by_queue(parcels: Sequence[Parcel]) -> Iterable[tuple[str, list[Parcel]]]:
    """Sorted, for two writers must lock their rows in the same order."""
    of_queue: dict[str, list[Parcel]] = {}
    for parcel in parcels:
        of_queue.setdefault(parcel.queue, []).append(parcel)
    for queue, its in sorted(of_queue.items()):
        yield queue, sorted(its, key=lambda one: one.job.job_id)


def _taken(waiting: deque[Parcel] | deque[Refusal]) -> list:  # type: ignore[type-arg]
    return [waiting.popleft() for _ in range(min(len(waiting), _AT_ONCE))]
