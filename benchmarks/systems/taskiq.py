"""taskiq on Redis: the stream broker of its README (acknowledges), or its list broker (does not)."""

from __future__ import annotations

import asyncio
from typing import Any

from taskiq.api import run_receiver_task
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.roles import RESULT_TTL_S, Order, System, run

# taskiq has no bulk call, and its pool blocks beyond 50 connections.
GATHER = 50


class Taskiq(System):
    def __init__(self, order: Order) -> None:
        super().__init__(order)
        kind = ListQueueBroker if order.options.get("list_broker") else RedisStreamBroker
        results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(
            order.url, result_ex_time=RESULT_TTL_S
        )
        self.broker = kind(order.url).with_result_backend(results)
        self.tasks = self._register()

    async def work(self) -> None:
        # What `taskiq worker` runs in each of its processes, with its --max-async-tasks.
        await run_receiver_task(self.broker, max_async_tasks=self.order.concurrency, run_startup=True)

    async def connect(self) -> None:
        await self.broker.startup()

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        await self.tasks[job].kiq(**arguments)

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        task = self.tasks[job]
        for start in range(0, count, GATHER):
            share = min(GATHER, count - start)
            await asyncio.gather(*(task.kiq(**arguments) for _ in range(share)))

    def _register(self) -> dict[str, Any]:
        recorder = self.recorder

        async def noop() -> None:
            recorder.tick()

        async def small(user_id: int, template: str) -> None:
            recorder.tick()

        async def stamp(n: int) -> None:
            recorder.stamp(n)

        made = {"noop": noop, "small": small, "stamp": stamp}
        return {name: self.broker.register_task(body, task_name=name) for name, body in made.items()}


if __name__ == "__main__":
    run(Taskiq)
