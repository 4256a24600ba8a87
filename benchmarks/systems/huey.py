"""huey on Redis: 8 threads, blocking pops, results kept, the scheduler at its shortest interval (1 s)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from huey import RedisHuey
from huey.consumer import Consumer

from benchmarks.roles import BlockingSystem, Order, run

THREADS = 8


class Huey(BlockingSystem):
    def __init__(self, order: Order) -> None:
        super().__init__(order)
        # None is a result like any other for the rest of the field; huey keeps it only when told to.
        self.huey = RedisHuey(url=order.url, results=True, store_none=True)
        self.tasks = self._register()

    async def work(self) -> None:
        Consumer(self.huey, workers=THREADS, worker_type="thread", periodic=False).run()

    async def connect(self) -> None:
        """Its connection pool opens by itself."""

    def enqueue_now(self, job: str, arguments: dict[str, Any]) -> None:
        self.tasks[job](**arguments)

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        # Its `map` enqueues one task after the other, as this loop does.
        task = self.tasks[job]
        for _ in range(count):
            task(**arguments)

    async def enqueue_at(self, job: str, arguments: dict[str, Any], due_s: float) -> None:
        self.tasks[job].schedule(kwargs=arguments, eta=datetime.fromtimestamp(due_s, UTC).astimezone())

    def _register(self) -> dict[str, Any]:
        recorder = self.recorder

        def noop() -> None:
            recorder.tick()

        def small(user_id: int, template: str) -> None:
            recorder.tick()

        def stamp(n: int) -> None:
            recorder.stamp(n)

        made = {"noop": noop, "small": small, "stamp": stamp}
        return {name: self.huey.task(name=name)(body) for name, body in made.items()}


if __name__ == "__main__":
    run(Huey)
