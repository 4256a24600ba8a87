"""pgqueuer as its performance guide has it: one asyncpg connection for the worker, `autovac`, durable."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.roles import Recorder, System, run

CHUNK = 10_000


class Pgqueuer(System):
    pool: asyncpg.Pool
    queries: Queries

    async def work(self) -> None:
        connection = await asyncpg.connect(self.order.database)
        worker = PgQueuer(AsyncpgDriver(connection))
        _register(worker, self.recorder)
        # It refuses a batch of more than half of what may run at once. Without a cap its dequeue has less to
        # do, but then nothing bounds how many run.
        slots = self.order.concurrency
        batch = int(self.order.options.get("batch", slots // 2))
        capped = None if self.order.options.get("uncapped") else slots
        await worker.run(batch_size=batch, max_concurrent_tasks=capped)

    async def install(self) -> None:
        connection = await asyncpg.connect(self.order.database)
        queries = Queries(AsyncpgDriver(connection))
        await queries.install()
        await queries.optimize_autovacuum()
        await connection.close()

    async def connect(self) -> None:
        self.pool = await asyncpg.create_pool(self.order.database, min_size=1, max_size=10)
        self.queries = Queries(AsyncpgPoolDriver(self.pool))

    async def close(self) -> None:
        await self.pool.close()

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        await self.queries.enqueue(job, json.dumps(arguments).encode())

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        payload = json.dumps(arguments).encode()
        for start in range(0, count, CHUNK):
            share = min(CHUNK, count - start)
            await self.queries.enqueue([job] * share, [payload] * share, [0] * share)


def _register(worker: PgQueuer, recorder: Recorder) -> None:
    @worker.entrypoint("noop")
    async def noop(job: Job) -> None:
        recorder.tick()

    @worker.entrypoint("small")
    async def small(job: Job) -> None:
        recorder.tick()


if __name__ == "__main__":
    run(Pgqueuer)
