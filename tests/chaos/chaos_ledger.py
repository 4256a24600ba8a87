"""A worker with a ledger in this process, and an account of what it ran."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from chaos_wait import until
from sqlalchemy import func as sql
from sqlalchemy import select

from arqlite import ArqRedis, Worker, create_pool, func
from arqlite.connections import RedisSettings
from arqlite.ledger import JobRow, Ledger
from arqlite.ledger.tables import AttemptRow

QUICK, HELD = "quick", "held"


class Shop:
    """Workers of one queue with a ledger, and how often each job was started and returned.

    Args:
        redis_url: where the queue is.
        database: where the ledger is.
        mode: of the ledger.

    Attributes:
        starts, ends: how often, by the number that the job was given.
        held: the numbers of the jobs that waited for the gate.
        gate: jobs called `held` wait for it.
    """

    def __init__(self, redis_url: str, database: Any, mode: Any = "strict") -> None:
        self.settings = RedisSettings.from_dsn(redis_url)
        self.ledger = Ledger(database, mode=mode)
        self.starts: Counter[int] = Counter()
        self.ends: Counter[int] = Counter()
        self.held: set[int] = set()
        self.gate = asyncio.Event()
        self._numbers: dict[str, int] = {}
        self._workers: list[tuple[Worker, asyncio.Task[None]]] = []
        self.pool: ArqRedis

    async def open(self) -> None:
        await self.ledger.upgrade()
        self.pool = await create_pool(self.settings, ledger=self.ledger)

    async def accept(self, function: str, numbers: range) -> None:
        """Enqueue jobs; each has its row when this returns."""
        step = 500
        for start in range(numbers.start, numbers.stop, step):
            chunk = range(start, min(start + step, numbers.stop))
            jobs = await asyncio.gather(*(self.pool.enqueue_job(function, n) for n in chunk))
            self._numbers.update((job.job_id, n) for job, n in zip(jobs, chunk, strict=True) if job)
        await until(self._has_all_rows, 30, "each accepted job has its row")

    def hire(self, count: int = 1, **options: Any) -> None:
        """Start workers in this event loop."""
        for _ in range(count):
            worker = Worker(
                [func(self._quick(), name=QUICK), func(self._held(), name=HELD)],
                redis_settings=self.settings,
                ledger=self.ledger,
                handle_signals=False,
                **{"max_jobs": 50, "lease": 5.0, **options},
            )
            self._workers.append((worker, asyncio.create_task(worker.async_run())))

    def shut_gate(self) -> None:
        """Let jobs wait that start from now on."""
        self.gate = asyncio.Event()

    def all_at_work(self) -> bool:
        """Whether no worker has ended."""
        return not any(task.done() for _, task in self._workers)

    async def counted(self, status: str) -> int:
        """How many rows have a status."""
        async with self.ledger.sessions() as db:
            found = await db.execute(select(sql.count()).select_from(JobRow).where(JobRow.status == status))
            return int(found.scalar_one())

    async def _has_all_rows(self) -> bool:
        async with self.ledger.sessions() as db:
            rows = (await db.execute(select(sql.count()).select_from(JobRow))).scalar_one()
        return int(rows) == len(self._numbers)

    async def finished(self) -> set[int]:
        """The numbers of the jobs that succeeded by the ledger's word."""
        async with self.ledger.sessions() as db:
            found = await db.execute(select(JobRow.id).where(JobRow.status == "SUCCESS"))
            return {self._numbers[job_id] for job_id in found.scalars()}

    async def causes_of_attempts(self) -> Counter[str | None]:
        """How many attempts have which cause; None ended well."""
        async with self.ledger.sessions() as db:
            return Counter((await db.execute(select(AttemptRow.cause))).scalars())

    async def close(self) -> None:
        self.gate.set()
        for worker, task in self._workers:
            await worker.close()
            task.cancel()
        await asyncio.gather(*(task for _, task in self._workers), return_exceptions=True)
        await self.pool.aclose(close_connection_pool=True)
        await self.ledger.aclose()

    def _quick(self) -> Any:
        async def quick(ctx: dict[str, Any], number: int) -> int:
            self.starts[number] += 1
            self.ends[number] += 1
            return number

        return quick

    def _held(self) -> Any:
        async def held(ctx: dict[str, Any], number: int) -> int:
            self.starts[number] += 1
            self.held.add(number)
            await self.gate.wait()
            self.ends[number] += 1
            return number

        return held
