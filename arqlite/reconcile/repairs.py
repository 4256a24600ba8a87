"""Carries out what was decided where rows and Redis differ, and counts it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ..engine import Place, RedisEngine, Restored, Retired
from ..ledger import Ledger, store
from ..ledger.audit import AuditEntry
from ..ledger.outage import is_away, is_conflict
from ..ledger.rows import utc_now
from ..ledger.store import comparing
from ..ledger.store.comparing import KnownRow, SettledRow
from ..ledger.store.waiting import StoredJob
from ..model import memory as memories
from ..model.codec import Codec
from ..model.memory import Memory
from ..model.states import Cause, JobState, LedgerStatus
from ..outbox.pushing import restored
from ..runtime.outage import REDIS_TROUBLE
from .ends import body_of, settled_row
from .opening import accepted_of, state_of
from .rules import Repair

logger = logging.getLogger("arqlite.ledger")

# How long the end of a job is kept in Redis that was taken out of where it waited.
_RETIRED_KEEP_MS = 3_600_000
# In front of all that waits, as jobs that a rescue puts back.
_IN_FRONT = "=0"
# The audit names the first of a batch.
_MOST_IDS = 20
_MOST_LEFT_OUT = 1_000
LEFT_BY_ITS_JOB = {
    "type": "JobLost",
    "message": "the job ended while this part of it ran, and nobody told how that went on",
    "traceback": "",
}
LOST_WITHOUT_RECORD = {
    "type": "JobLost",
    "message": "Redis lost the job, and its row does not keep what it could be made of again",
    "traceback": "",
}


class Difference(NamedTuple):
    """A job of which its row and Redis say different things.

    Attributes:
        job_id: which.
        repair: what is to be done.
        row: what the ledger says; None if nothing.
        place: where it is in Redis.
        record: of a job that waits, how Redis stores it, if that is at hand.
        job: what the ledger says of the job of which this is a part; None of any other.
    """

    job_id: str
    repair: Repair
    row: KnownRow | None
    place: Place
    record: bytes = b""
    job: KnownRow | None = None


@dataclass(slots=True)
class Mended:
    """How many jobs were mended, by how.

    Attributes:
        pushed: put into Redis again.
        failed: of those that could not be, FAILED now.
        requeued: rows that say QUEUED now.
        settled: rows that tell now how their jobs ended.
        retired: taken out of Redis, for they had ended.
        opened: rows written for jobs that had none.
    """

    pushed: int = 0
    failed: int = 0
    requeued: int = 0
    settled: int = 0
    retired: int = 0
    opened: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    def __str__(self) -> str:
        told = [(one.name, getattr(self, one.name)) for one in fields(self)]
        return ", ".join(f"{count} {name}" for name, count in told if count) or "nothing differs"

    def add(self, other: Mended) -> None:
        """Count those, too."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


_COUNTED_AS = {
    Repair.PUSH: "pushed",
    Repair.PUSH_LOST: "pushed",
    Repair.FAIL: "failed",
    Repair.REQUEUE: "requeued",
    Repair.SETTLE: "settled",
    Repair.RETIRE: "retired",
    Repair.OPEN: "opened",
    Repair.END_PART: "settled",
}


def counted(differences: Sequence[Difference]) -> Mended:
    """Count what would be done."""
    mended = Mended()
    for difference in differences:
        name = _COUNTED_AS.get(difference.repair)
        if name is not None:
            setattr(mended, name, getattr(mended, name) + 1)
    return mended


class Mender:
    """Makes rows and Redis agree.

    Args:
        engine: the queue.
        ledger: its ledger.
        codec: how the queue is written.
    """

    def __init__(self, engine: RedisEngine, ledger: Ledger, codec: Codec) -> None:
        self._engine = engine
        self._ledger = ledger
        self._codec = codec
        self._left_out: set[str] = set()

    async def mend(self, differences: Sequence[Difference], actor: str = "arqlite") -> Mended:
        """Do what was decided of some jobs, at most some 500, and note it in the audit.

        What the database refuses is left as it is, and told in the log.

        Args:
            differences: what differs.
            actor: who asked for it.

        Raises:
            Exception: Redis or the database is away.
        """
        by_repair: dict[Repair, list[Difference]] = {}
        for difference in differences:
            by_repair.setdefault(difference.repair, []).append(difference)
        mended = Mended()
        for repair, group in by_repair.items():
            mended.add(await self._mend_parts(repair, group, actor))
        return mended

    async def _mend_parts(self, repair: Repair, group: list[Difference], actor: str) -> Mended:
        """One row that the database refuses must not keep those of others from being mended."""
        mended, parts = Mended(), deque([group])
        while parts:
            part = parts.popleft()
            try:
                job_ids = await self._mend_group(repair, part, actor)
            except Exception as error:
                if isinstance(error, REDIS_TROUBLE) or is_away(error) or is_conflict(error):
                    raise
                if len(part) == 1:
                    self._leave_out(repair, part[0].job_id, error)
                else:
                    middle = len(part) // 2
                    parts.extendleft((part[middle:], part[:middle]))
            else:
                mended.add(_count(repair, len(job_ids)))
        return mended

    async def _mend_group(self, repair: Repair, group: list[Difference], actor: str) -> list[str]:
        """In one transaction, which closes by itself what it holds where it fails."""
        async with self._ledger.sessions() as db:
            job_ids = await self._mend_alike(db, repair, group)
            if job_ids:
                await store.audit(db, [_audited(self._engine.queue, repair, actor, job_ids)])
                await db.commit()
        return job_ids

    def _leave_out(self, repair: Repair, job_id: str, error: Exception) -> None:
        """Say it once: the job is met again and again."""
        if job_id not in self._left_out and len(self._left_out) < _MOST_LEFT_OUT:
            self._left_out.add(job_id)
            told = getattr(error, "orig", None) or error
            logger.error("job %s: its row and Redis differ (%s), and it is left so: %r", job_id, repair, told)

    async def _mend_alike(self, db: AsyncSession, repair: Repair, group: list[Difference]) -> list[str]:
        """Returns the jobs that were mended."""
        row_model, queue = self._ledger.row_model, self._engine.queue
        rows = [one.row for one in group if one.row is not None]
        match repair:
            case Repair.PUSH | Repair.PUSH_LOST:
                return await self._push(db, repair, rows)
            case Repair.FAIL:
                await comparing.fail_lost(db, row_model, queue, rows, LOST_WITHOUT_RECORD)
            case Repair.REQUEUE:
                await comparing.note_waiting(
                    db, row_model, queue, [(one.row, *_waiting(one)) for one in group if one.row is not None]
                )
            case Repair.SETTLE:
                now_ms = comparing.ms_of(utc_now()) or 0
                ends = [
                    settled_row(one.row, one.place.record, self._codec, now_ms)
                    for one in group
                    if one.row is not None
                ]
                await comparing.settle_rows(db, row_model, queue, ends)
            case Repair.END_PART:
                parts = [_left_part(one.row, one.job) for one in group if one.row is not None]
                await comparing.settle_rows(db, row_model, queue, parts)
            case Repair.RETIRE:
                return await self._retire(db, group)
            case Repair.OPEN:
                jobs = [
                    accepted_of(queue, one.job_id, one.record, one.place, self._codec, self._ledger.redaction)
                    for one in group
                ]
                states = [state_of(one.place) for one in group]
                await comparing.insert_missing(db, row_model, jobs, states)
            case Repair.NOTHING:
                return []
        return [one.job_id for one in group]

    async def _push(self, db: AsyncSession, repair: Repair, rows: list[KnownRow]) -> list[str]:
        stored = await comparing.stored_jobs(
            db, self._ledger.row_model, self._engine.queue, [row.job_id for row in rows]
        )
        # No transaction stays open while Redis is asked.
        await db.commit()
        known = [row for row in rows if row.job_id in stored]
        jobs = [
            _as_lost(row, stored[row.job_id])
            if repair is Repair.PUSH_LOST
            else restored(stored[row.job_id], was_accepted=row.was_accepted)
            for row in known
        ]
        unrestored = await self._engine.restore(jobs)
        is_out = unrestored.others.keys() | unrestored.over.keys()
        pushed = [
            (row, job)
            for place, (row, job) in enumerate(zip(known, jobs, strict=True))
            if place not in is_out
        ]
        if repair is Repair.PUSH_LOST:
            lost = [(row, job.memory, memories.decode(job.memory).crashes) for row, job in pushed]
            await comparing.note_lost_runs(db, self._ledger.row_model, self._engine.queue, lost)
        else:
            unnoted = [row.job_id for row, _ in pushed if row.pushed_at is None]
            if unnoted:
                await comparing.note_pushed(db, self._ledger.row_model, self._engine.queue, unnoted)
        return [row.job_id for row, _ in pushed]

    async def _retire(self, db: AsyncSession, group: list[Difference]) -> list[str]:
        by_id = {one.job_id: one for one in group}
        outcomes = await comparing.outcomes_of(db, self._ledger.row_model, self._engine.queue, list(by_id))
        await db.commit()
        over = [
            Retired(
                outcome.job_id,
                by_id[outcome.job_id].record,
                by_id[outcome.job_id].place.memory,
                body_of(outcome, self._codec),
            )
            for outcome in outcomes
        ]
        return await self._engine.retire(over, _RETIRED_KEEP_MS)


def _left_part(row: KnownRow, job: KnownRow | None) -> SettledRow:
    """A part of a job that is over: cancelled with it, or lost."""
    ended_at = utc_now() if job is None or job.finished_at is None else job.finished_at
    if job is not None and job.status is LedgerStatus.CANCELLED:
        return SettledRow(row, job.status, job.cause, None, None, row.attempt, None, ended_at)
    error = LEFT_BY_ITS_JOB
    return SettledRow(row, LedgerStatus.FAILED, Cause.LOST, None, error, row.attempt, None, ended_at)


def _as_lost(row: KnownRow, job: StoredJob) -> Restored:
    """A job whose run is lost, through no fault of its own: counted as a crash, and pardoned."""
    past = _past_of(row, job.memory)
    memory = past._replace(crashes=past.crashes + 1, pardoned=past.pardoned + 1, is_retryable=0)
    return restored(job, was_accepted=True)._replace(memory=memory.encode(), when=_IN_FRONT)


def _past_of(row: KnownRow, memory: str) -> Memory:
    """What is remembered of a job's runs, at least as many as its row counts."""
    past = memories.decode(memory)
    # The row's attempt is the one that was lost.
    missing = row.attempt - 1 - past.tries - past.crashes
    return past._replace(tries=past.tries + missing) if missing > 0 else past


def _waiting(one: Difference) -> tuple[JobState, str, int]:
    return state_of(one.place), one.place.memory, memories.decode(one.place.memory).crashes


def _audited(queue: str, repair: Repair, actor: str, job_ids: list[str]) -> AuditEntry:
    detail = {"jobs": len(job_ids), "ids": job_ids[:_MOST_IDS]}
    return AuditEntry(f"reconcile.{repair}", queue, actor, job_ids[0] if len(job_ids) == 1 else None, detail)


def _count(repair: Repair, jobs: int) -> Mended:
    return Mended(**{_COUNTED_AS[repair]: jobs})
