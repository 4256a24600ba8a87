"""What the tests of reconciling share: jobs with rows, and a reconciler that ticks when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from arqlite.engine import Ended, NewJob, RedisEngine
from arqlite.ledger import Ledger
from arqlite.ledger.rows import JobRowMixin
from arqlite.ledger.store import audit_page
from arqlite.ledger.tables import AttemptRow, QueueRow
from arqlite.model.codec import Codec, queued_record
from arqlite.model.states import JobState, LedgerStatus
from arqlite.reconcile import Reconciler
from arqlite.runtime.trust import Trust
from arqlite.service import Host
from arqlite.utils import timestamp_ms

CODEC = Codec()
LEASE_MS = 60_000
LONG_AGO = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
ENQUEUED_MS = round(LONG_AGO.timestamp() * 1000)


def record_of(function: str = "work", enqueued_ms: int = ENQUEUED_MS, priority: int = 0, *args: Any) -> bytes:
    return queued_record(priority, CODEC.encode_job(function, args, {}, None, enqueued_ms))


def ended_body(
    record: bytes, state: JobState = JobState.COMPLETED, value: Any = 42, keep: bool = True
) -> bytes:
    """How a job ended an hour after it was enqueued."""
    at = ENQUEUED_MS + 3_600_000
    return CODEC.encode_end(state, value, 1, at, at + 10, record[2:] if keep else b"")


class Desk:
    """A queue and its ledger, with short words for what tests do often.

    Attributes:
        waits: what the reconciler was told to wait for; it never does.
    """

    def __init__(self, engine: RedisEngine, ledger: Ledger) -> None:
        self.engine = engine
        self.ledger = ledger
        self.client: Any = engine.client
        self.trust = Trust(is_firm=False)
        self.leads = True
        self.lag_s = 0.0
        self.waits: list[float] = []
        self.stand_in_after = 3600.0
        self.while_waiting: Any = None
        self.reconciler = self.make_reconciler()

    def make_reconciler(self) -> Reconciler:
        made = Reconciler(
            self.ledger,
            self.engine,
            self.trust,
            lag_s=lambda: self.lag_s,
            compare_every=0.0,
            stand_in_after=self.stand_in_after,
            sleep=self._wait,
        )
        made.introduce(Host(self.client, self.engine.queue, frozenset(), None, None, lambda: self.leads))
        return made

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self.while_waiting is not None:
            await self.while_waiting()

    async def settle(self) -> None:
        """Tick until a new queue is known on both sides, and trusted."""
        await self.tick(2)
        assert self.trust.is_firm
        self.waits.clear()

    async def tick(self, times: int = 1) -> None:
        for _ in range(times):
            await self.reconciler.tick()

    # -- rows

    async def row(self, job_id: str, **values: Any) -> None:
        """Write a row of a job that was pushed long ago."""
        record = values.pop("record", record_of())
        status = values.pop("status", LedgerStatus.QUEUED)
        state = {
            LedgerStatus.QUEUED: JobState.AVAILABLE,
            LedgerStatus.RUNNING: JobState.EXECUTING,
            LedgerStatus.SUCCESS: JobState.COMPLETED,
            LedgerStatus.FAILED: JobState.DISCARDED,
            LedgerStatus.CANCELLED: JobState.CANCELLED,
        }[status]
        moments = dict.fromkeys(
            ("created_at", "queued_at", "enqueued_at", "updated_at", "pushed_at"), LONG_AGO
        )
        if status not in (LedgerStatus.QUEUED, LedgerStatus.RUNNING):
            moments["finished_at"] = LONG_AGO + timedelta(hours=1)
        told = {
            "id": job_id, "queue": "q", "job_type": "work", "function": "work",
            "status": status, "state": state,
            "attempt": 0 if status is LedgerStatus.QUEUED else 1, "record": record, **moments, **values,
        }  # fmt: skip
        async with self.ledger.sessions.begin() as db:
            await db.execute(insert(self.ledger.row_model), told)

    async def read(self, job_id: str) -> JobRowMixin | None:
        async with self.ledger.sessions() as db:
            model: Any = self.ledger.row_model
            found: JobRowMixin | None = (
                await db.execute(select(model).where(model.id == job_id, model.queue == "q"))
            ).scalar_one_or_none()
            return found

    async def status(self, job_id: str) -> LedgerStatus | None:
        row = await self.read(job_id)
        return None if row is None else row.status

    async def count(self, status: LedgerStatus) -> int:
        async with self.ledger.sessions() as db:
            model: Any = self.ledger.row_model
            counted = await db.execute(select(func.count()).where(model.status == status, model.queue == "q"))
            return int(counted.scalar_one())

    async def attempt(self, job_id: str, number: int = 1) -> None:
        """Write that an attempt runs."""
        async with self.ledger.sessions.begin() as db:
            await db.execute(
                insert(AttemptRow),
                {
                    "job_id": job_id,
                    "queue": "q",
                    "attempt": number,
                    "state": "executing",
                    "started_at": LONG_AGO,
                },
            )

    async def attempts(self, job_id: str) -> list[tuple[int, str, str | None]]:
        async with self.ledger.sessions() as db:
            found = await db.execute(select(AttemptRow).where(AttemptRow.job_id == job_id))
            return [(row.attempt, row.state, row.cause) for row in found.scalars()]

    async def queue_row(self) -> QueueRow | None:
        async with self.ledger.sessions() as db:
            return await db.get(QueueRow, "q")

    async def change_queue_row(self, **values: Any) -> None:
        async with self.ledger.sessions.begin() as db:
            await db.execute(update(QueueRow).values(**values))

    async def audited(self) -> list[str]:
        async with self.ledger.sessions() as db:
            return [entry.action for entry in await audit_page(db)]

    # -- Redis

    async def enqueue(self, job_id: str, record: bytes | None = None, when: str = "") -> bytes:
        record = record_of() if record is None else record
        assert not await self.engine.enqueue([NewJob(job_id, when, record)])
        return record

    async def claim(self, session: str = "s", want: int = 100) -> list[str]:
        if await self.client.zscore(self.engine.keys.live, session) is None:
            await self.engine.open(session, LEASE_MS)
        turn = await self.engine.turn(session, want, {}, ())
        return [raw.decode() for raw in turn.job_ids]

    async def end(
        self, job_id: str, record: bytes, session: str = "s", keep_ms: int = 0, **told: Any
    ) -> None:
        await self.engine.turn(session, 0, {keep_ms: Ended([job_id], [ended_body(record, **told)])}, ())

    async def home(self, job_id: str) -> str:
        return (await self.engine.peek(job_id)).home

    async def memory(self, job_id: str) -> str:
        return (await self.engine.peek(job_id)).memory

    async def wipe(self) -> None:
        await self.client.flushall()


def now_ms() -> int:
    return timestamp_ms()
