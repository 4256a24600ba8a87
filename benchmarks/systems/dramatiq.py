"""dramatiq on Redis: 8 threads (the default of its command line), results by its Results middleware."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.roles import RESULT_TTL_S, BlockingSystem, Order, run

THREADS = 8


class Dramatiq(BlockingSystem):
    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self.broker = RedisBroker(url=order.url)
        backend = RedisBackend(url=order.url)
        self.broker.add_middleware(
            Results(backend=backend, store_results=True, result_ttl=RESULT_TTL_S * 1000)
        )
        dramatiq.set_broker(self.broker)
        self.actors = self._register()

    async def work(self) -> None:
        dramatiq.Worker(self.broker, worker_threads=THREADS).start()
        await asyncio.Event().wait()

    async def connect(self) -> None:
        """Its connection pool opens by itself."""

    def enqueue_now(self, job: str, arguments: dict[str, Any]) -> None:
        self.actors[job].send(**arguments)

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        # Its `group` is its way to send many; it enqueues one message after the other.
        actor = self.actors[job]
        dramatiq.group([actor.message(**arguments) for _ in range(count)]).run()

    async def enqueue_at(self, job: str, arguments: dict[str, Any], due_s: float) -> None:
        delay_ms = max(int((due_s - time.time()) * 1000), 0)
        self.actors[job].send_with_options(kwargs=arguments, delay=delay_ms)

    def _register(self) -> dict[str, Any]:
        recorder = self.recorder

        def noop() -> None:
            recorder.tick()

        def small(user_id: int, template: str) -> None:
            recorder.tick()

        def stamp(n: int) -> None:
            recorder.stamp(n)

        made = {"noop": noop, "small": small, "stamp": stamp}
        return {name: dramatiq.actor(body, actor_name=name) for name, body in made.items()}


if __name__ == "__main__":
    run(Dramatiq)
