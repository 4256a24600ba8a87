"""oban as its documentation has it: embedded, one queue with a limit, the pool that it makes itself."""

from __future__ import annotations

import asyncio
from typing import Any

from oban import Oban, worker
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

from benchmarks.roles import Recorder, System, run

CHUNK = 1_000
QUEUE = "default"


class ObanSystem(System):
    pool: AsyncConnectionPool[Any]
    oban: Oban

    async def work(self) -> None:
        _declare(self.recorder)
        pool = await Oban.create_pool(self.order.database)
        async with Oban(pool=pool, queues={QUEUE: self.order.concurrency}):
            await asyncio.Event().wait()

    async def install(self) -> None:
        pool = await Oban.create_pool(self.order.database)
        await install(pool)
        await pool.close()

    async def connect(self) -> None:
        self.jobs = _declare(self.recorder)
        self.pool = await Oban.create_pool(self.order.database)
        self.oban = Oban(pool=self.pool)

    async def close(self) -> None:
        await self.pool.close()

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        await self.oban.enqueue(self.jobs[job].new(arguments))

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        for start in range(0, count, CHUNK):
            share = min(CHUNK, count - start)
            await self.oban.enqueue_many([self.jobs[job].new(arguments) for _ in range(share)])


def _declare(recorder: Recorder) -> dict[str, Any]:
    @worker(queue=QUEUE)
    class Noop:
        async def process(self, job: Any) -> None:
            recorder.tick()

    @worker(queue=QUEUE)
    class Small:
        async def process(self, job: Any) -> None:
            recorder.tick()

    return {"noop": Noop, "small": Small}


if __name__ == "__main__":
    run(ObanSystem)
