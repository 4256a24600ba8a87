"""saq on Redis: its own concurrency setting, blocking dequeue, results kept by the job's `ttl`."""

from __future__ import annotations

import asyncio
from typing import Any

from saq import Job, Queue, Worker

from benchmarks.roles import RESULT_TTL_S, Recorder, System, run

# saq has no bulk call; its own `Queue.map` gathers single enqueues, 20 of which it lets through at a time.
GATHER = 1000


class Saq(System):
    queue: Queue

    async def work(self) -> None:
        queue = Queue.from_url(self.order.url)
        await queue.connect()
        worker: Worker[Any] = Worker(
            queue, functions=_functions(self.recorder), concurrency=self.order.concurrency
        )
        await worker.start()

    async def connect(self) -> None:
        self.queue = Queue.from_url(self.order.url)
        await self.queue.connect()

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        await self.queue.enqueue(Job(job, kwargs=arguments, ttl=RESULT_TTL_S))

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        for start in range(0, count, GATHER):
            share = min(GATHER, count - start)
            await asyncio.gather(*(self.enqueue(job, arguments) for _ in range(share)))

    async def enqueue_at(self, job: str, arguments: dict[str, Any], due_s: float) -> None:
        await self.queue.enqueue(Job(job, kwargs=arguments, ttl=RESULT_TTL_S, scheduled=int(due_s)))


def _functions(recorder: Recorder) -> list[Any]:
    async def noop(ctx: dict[str, Any]) -> None:
        recorder.tick()

    async def small(ctx: dict[str, Any], *, user_id: int, template: str) -> None:
        recorder.tick()

    async def stamp(ctx: dict[str, Any], *, n: int) -> None:
        recorder.stamp(n)

    return [("noop", noop), ("small", small), ("stamp", stamp)]


if __name__ == "__main__":
    run(Saq)
