"""Rows held against Redis, page by page; what differs is decided here and mended elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from ..engine import UPKEEP_CHUNK, RedisEngine
from ..ledger import Ledger
from ..ledger.rows import utc_now
from ..ledger.store import comparing
from ..ledger.store.comparing import KnownRow
from ..model.codec import Codec
from ..model.states import LedgerStatus
from .ends import job_of
from .repairs import Difference
from .rules import NO_JOB, Repair, decide, decide_part

# Jobs that run come first: they have waited already.
STATUSES = (LedgerStatus.RUNNING, LedgerStatus.QUEUED)

PART_GRACE = timedelta(minutes=15)
"""So long may a part go on in a task when its job is over: to end its row sooner would undo its work."""

Mark = tuple[LedgerStatus, tuple[datetime, str] | None]
"""Where to go on: the status that is looked at, and the last row of the page before."""


class Comparison:
    """Finds the jobs of which rows and Redis say different things.

    Args:
        engine: the queue.
        ledger: its ledger.
        codec: how the queue is written.
        grace_s: what changed less than so many seconds ago may be under way.
        clock: tells the time.
    """

    def __init__(
        self,
        engine: RedisEngine,
        ledger: Ledger,
        codec: Codec,
        *,
        grace_s: float = 2.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.engine = engine
        self.ledger = ledger
        self._codec = codec
        self._grace = timedelta(seconds=grace_s)
        self._clock = clock

    async def rows(self, mark: Mark, *, with_fresh: bool = False) -> tuple[list[KnownRow], Mark | None]:
        """Read a page of rows of one status, and tell where the next one begins, None after the last.

        Args:
            mark: where this one begins.
            with_fresh: whether rows are read as well that have changed just now.
        """
        status, after = mark
        since = None if with_fresh else self._clock() - self._grace
        async with self.ledger.sessions() as db:
            page = await comparing.open_rows_after(
                db, self.ledger.row_model, self.engine.queue, status, after,
                unchanged_since=since, limit=UPKEEP_CHUNK,
            )  # fmt: skip
        is_last = len(page) < UPKEEP_CHUNK
        return page, None if is_last else (status, (page[-1].created_at, page[-1].job_id))

    async def of_rows(self, rows: Sequence[KnownRow]) -> list[Difference]:
        """Look where the jobs of these rows are."""
        jobs, parts = [row for row in rows if not row.is_part], [row for row in rows if row.is_part]
        # Redis is asked after the rows were read: what ended meanwhile has left its end there.
        places = await self.engine.compare([row.job_id for row in jobs])
        found = await self._of_parts(parts)
        for row, place in zip(jobs, places, strict=True):
            job = job_of(place.record, self._codec) if place.record else NO_JOB
            found.append(Difference(row.job_id, decide(row, place, job), row, place))
        return [one for one in found if one.repair is not Repair.NOTHING]

    async def _of_parts(self, parts: Sequence[KnownRow]) -> list[Difference]:
        """Look whether the jobs go on of which these are parts; the queue knows only those."""
        if not parts:
            return []
        since = self._clock() - PART_GRACE
        job_ids = sorted({part.parent or "" for part in parts})
        places = dict(zip(job_ids, await self.engine.compare(job_ids), strict=True))
        async with self.ledger.sessions() as db:
            jobs = await comparing.rows_of(db, self.ledger.row_model, self.engine.queue, job_ids)
        found = []
        for part in parts:
            job, place = jobs.get(part.parent or ""), places[part.parent or ""]
            if job is not None and job.finished_at is not None and job.finished_at > since:
                continue
            found.append(Difference(part.job_id, decide_part(job, place), part, place, job=job))
        return found

    async def of_records(self, page: Sequence[tuple[str, bytes]]) -> list[Difference]:
        """Look what rows say of jobs that were read from Redis and had not ended there."""
        async with self.ledger.sessions() as db:
            rows = await comparing.rows_of(
                db, self.ledger.row_model, self.engine.queue, [job_id for job_id, _ in page]
            )
        odd = [(job_id, record) for job_id, record in page if _may_differ(rows.get(job_id))]
        places = await self.engine.compare([job_id for job_id, _ in odd])
        found = []
        for (job_id, record), place in zip(odd, places, strict=True):
            row, job = rows.get(job_id), job_of(record, self._codec)
            if not self._is_fresh(row, job.enqueued_ms):
                found.append(Difference(job_id, decide(row, place, job), row, place, record))
        return [one for one in found if one.repair is not Repair.NOTHING]

    async def again(self, found: Sequence[Difference]) -> list[Difference]:
        """Look once more; those count of which nothing has changed."""
        confirmed: list[Difference] = []
        for start in range(0, len(found), UPKEEP_CHUNK):
            chunk = found[start : start + UPKEEP_CHUNK]
            async with self.ledger.sessions() as db:
                rows = await comparing.rows_of(
                    db, self.ledger.row_model, self.engine.queue, [one.job_id for one in chunk]
                )
            confirmed += await self._parts_again(chunk, rows)
            jobs = [one for one in chunk if one.repair is not Repair.END_PART]
            places = await self.engine.compare([one.job_id for one in jobs])
            for one, place in zip(jobs, places, strict=True):
                row = rows.get(one.job_id)
                job = job_of(place.record or one.record, self._codec)
                if _is_same(row, one.row) and decide(row, place, job) is one.repair:
                    confirmed.append(one._replace(row=row, place=place))
        return confirmed

    async def _parts_again(
        self, found: Sequence[Difference], rows: Mapping[str, KnownRow]
    ) -> list[Difference]:
        before = {one.job_id: one.row for one in found if one.repair is Repair.END_PART}
        parts = [row for job_id, row in rows.items() if job_id in before and _is_same(row, before[job_id])]
        return [one for one in await self._of_parts(parts) if one.repair is Repair.END_PART]

    async def all(self, *, is_emptied: bool = False) -> AsyncIterator[list[Difference]]:
        """Look at all open rows, and then at all jobs in Redis that have not ended.

        Args:
            is_emptied: whether Redis was empty before: then it has nothing that the rows do not know.
        """
        for status in STATUSES:
            mark: Mark | None = (status, None)
            while mark is not None:
                rows, mark = await self.rows(mark, with_fresh=True)
                yield await self.of_rows(rows)
        if is_emptied:
            return
        cursor = -1
        while cursor != 0:
            cursor, page = await self.engine.open_page(max(cursor, 0))
            for start in range(0, len(page), UPKEEP_CHUNK):
                yield await self.of_records(page[start : start + UPKEEP_CHUNK])

    def _is_fresh(self, row: KnownRow | None, enqueued_ms: int | None) -> bool:
        """Whether a row may just have been written, or may be about to be."""
        since = self._clock() - self._grace
        if row is not None:
            return row.updated_at > since
        return enqueued_ms is not None and enqueued_ms / 1000 > since.timestamp()


def _may_differ(row: KnownRow | None) -> bool:
    return row is None or not row.is_open


def _is_same(row: KnownRow | None, before: KnownRow | None) -> bool:
    if row is None or before is None:
        return row is before
    return (row.status, row.attempt, row.enqueued_at) == (before.status, before.attempt, before.enqueued_at)
