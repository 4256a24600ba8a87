"""arqlite as it comes, on uvloop: the settings are arq's, without `poll_delay`, which it does not need."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from typing import Any

from arqlite import create_pool, func
from arqlite.connections import ArqRedis, RedisSettings
from arqlite.worker import Worker
from benchmarks.roles import RESULT_TTL_S, Recorder, System, run

CHUNK = 10_000


async def _hook(ctx: dict[str, Any]) -> None: ...


# Counted at each start and each end, and never reached: what is measured is the counting.
LIMITS: dict[str, Any] = {
    "on_job_start": _hook,
    "on_job_end": _hook,
    "global_limit": 1_000,
    "rate_limit": (10_000_000, 60),
}


class Arqlite(System):
    pool: ArqRedis

    async def work(self) -> None:
        worker = Worker(
            functions=functions_of(self.recorder),
            redis_settings=RedisSettings.from_dsn(self.order.url),
            max_jobs=self.order.concurrency,
            keep_result=RESULT_TTL_S,
            handle_signals=False,
            **(LIMITS if self.order.options.get("limits") else {}),
        )
        await run_as_program(worker)

    async def connect(self) -> None:
        self.pool = await create_pool(RedisSettings.from_dsn(self.order.url))

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        await self.pool.enqueue_job(job, **arguments)

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        for start in range(0, count, CHUNK):
            share = min(CHUNK, count - start)
            await self.pool.enqueue_many([(job, (), arguments)] * share)

    async def enqueue_at(self, job: str, arguments: dict[str, Any], due_s: float) -> None:
        await self.pool.enqueue_job(job, _defer_until=datetime.fromtimestamp(due_s, UTC), **arguments)


async def run_as_program(worker: Worker) -> None:
    """Run a worker as `Worker.run` does, which hides what was imported from the garbage collector."""
    gc.collect()
    gc.freeze()
    await worker.async_run()


def functions_of(recorder: Recorder) -> list[Any]:
    async def noop(ctx: dict[str, Any]) -> None:
        recorder.tick()

    async def small(ctx: dict[str, Any], user_id: int, template: str) -> None:
        recorder.tick()

    async def stamp(ctx: dict[str, Any], n: int) -> None:
        recorder.stamp(n)

    return [func(noop, name="noop"), func(small, name="small"), func(stamp, name="stamp")]


if __name__ == "__main__":
    run(Arqlite)
