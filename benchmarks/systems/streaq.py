"""streaq: its own concurrency setting and prefetch (as many again), results kept by the task's `ttl`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from streaq import Worker

from benchmarks.roles import RESULT_TTL_S, Order, System, run

CHUNK = 1000


class Streaq(System):
    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self.worker: Worker[Any] = Worker(redis_url=order.url, concurrency=order.concurrency)
        self.tasks = self._register()
        self.stack = AsyncExitStack()

    async def work(self) -> None:
        await self.worker.run_async()

    async def connect(self) -> None:
        await self.stack.enter_async_context(self.worker)

    async def close(self) -> None:
        await self.stack.aclose()

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        await self.tasks[job].enqueue(**arguments)

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        task = self.tasks[job]
        for start in range(0, count, CHUNK):
            share = min(CHUNK, count - start)
            await self.worker.enqueue_many([task.enqueue(**arguments) for _ in range(share)])

    async def enqueue_at(self, job: str, arguments: dict[str, Any], due_s: float) -> None:
        await self.tasks[job].enqueue(**arguments).start(schedule=datetime.fromtimestamp(due_s, UTC))

    def _register(self) -> dict[str, Any]:
        recorder = self.recorder

        async def noop() -> None:
            recorder.tick()

        async def small(user_id: int, template: str) -> None:
            recorder.tick()

        async def stamp(n: int) -> None:
            recorder.stamp(n)

        # `silent` is its switch for per-job log lines.
        made = {"noop": noop, "small": small, "stamp": stamp}
        return {
            name: self.worker.task(name=name, ttl=RESULT_TTL_S, silent=True)(body)
            for name, body in made.items()
        }


if __name__ == "__main__":
    run(Streaq)
