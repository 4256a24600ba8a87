"""procrastinate as its guide to production has it: the psycopg connector, `concurrency`, jobs kept."""

from __future__ import annotations

from typing import Any

from procrastinate import App, PsycopgConnector

from benchmarks.roles import Recorder, System, run

CHUNK = 1_000


class Procrastinate(System):
    app: App

    async def work(self) -> None:
        app = _app(self.order.database, self.recorder)
        async with app.open_async():
            await app.run_worker_async(concurrency=self.order.concurrency, install_signal_handlers=False)

    async def install(self) -> None:
        app = _app(self.order.database, self.recorder)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def connect(self) -> None:
        self.app = _app(self.order.database, self.recorder)
        await self.app.open_async()

    async def close(self) -> None:
        await self.app.close_async()

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        await self.app.tasks[job].defer_async(**arguments)

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        for start in range(0, count, CHUNK):
            share = min(CHUNK, count - start)
            await self.app.tasks[job].batch_defer_async(*[arguments] * share)


def _app(database: str, recorder: Recorder) -> App:
    # The pool's default of four connections would serve a hundred slots; more are of no use on one core
    # (of 4, 10, 20 and 50 the default was the fastest here).
    app = App(connector=PsycopgConnector(conninfo=database))

    @app.task(name="noop")
    async def noop() -> None:
        recorder.tick()

    @app.task(name="small")
    async def small(user_id: int, template: str) -> None:
        recorder.tick()

    return app


if __name__ == "__main__":
    run(Procrastinate)
