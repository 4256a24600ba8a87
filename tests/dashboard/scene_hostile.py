"""A scene where everything that users write is an attack on whoever reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scene import FAR_DB, Scene

from arqlite import Inspector, Worker, Workflow, call, create_pool, cron, func
from arqlite.connections import RedisSettings
from arqlite.console import Console
from arqlite.embedded import EmbeddedServer
from arqlite.ledger import Ledger


class Hostile(Scene):
    """A queue that is called by attacks, with a worker on a node that is called so, too.

    For each payload there are jobs that complete, fail, run and are scheduled, with it in each field.
    """

    def __init__(self, server: EmbeddedServer, folder: Path, payloads: list[str]) -> None:
        super().__init__(server, folder)
        self.payloads = payloads

    @property
    def settings(self) -> list[dict[str, Any]]:
        return [self._settings(FAR_DB, self.queue, []) | {"ledger": self.ledger_url}]

    @property
    def queue(self) -> str:
        """All of it in one name: a key stands in links, forms, ids and headings."""
        return " ".join(self.payloads[:3])

    async def _start(self) -> None:
        self.ledger = Ledger(self.ledger_url)
        await self.ledger.upgrade()
        redis_settings = RedisSettings.from_dsn(self.server.url(FAR_DB))
        pool = await create_pool(redis_settings, default_queue_name=self.queue, ledger=self.ledger)
        self.pools = {"mail": pool}
        await pool.flushall()
        self.console = Console(self.settings)
        functions = [function for one in self.payloads for function in _functions(one)]
        worker = Worker(
            functions,
            queue_name=self.queue,
            redis_settings=redis_settings,
            ledger=self.ledger,
            node=self.payloads[2],
            cron_jobs=[
                cron(_told, name=f"cron {one}", crontab="0 9 * * *", args=(one,))
                for one in self.payloads
                if one.isprintable()  # others are no names of cron jobs
            ],
            ctx={"gates": self.gates},
            handle_signals=False,
            capture_logs="INFO",
            max_jobs=100,
        )
        self._at_work[worker] = asyncio.create_task(worker.async_run())
        await _enqueue(self)


async def _told(ctx: dict[str, Any], text: str, **options: Any) -> dict[str, Any]:
    ctx["log"].info("%s", text)
    return {text: [text]}


async def _runs(ctx: dict[str, Any], text: str, **options: Any) -> None:
    ctx["log"].info("%s", text)
    await ctx["progress"](1, 3, text)
    await ctx["gates"].wait(ctx["job_id"])


async def _fails(ctx: dict[str, Any], text: str, **options: Any) -> None:
    raise type(text, (Exception,), {})(text)


def _functions(payload: str) -> list[Any]:
    return [
        func(_told, name=f"{payload} told"),
        func(_runs, name=f"{payload} runs"),
        func(_fails, name=f"{payload} fails"),
    ]


async def _enqueue(scene: Hostile) -> None:
    pool = scene.pools["mail"]
    for number, payload in enumerate(scene.payloads):
        options: dict[str, Any] = {
            "tags": [payload], "meta": {payload: payload}, "triggered_by": payload, "parent": payload,
        }  # fmt: skip
        for verb in ("told", "runs", "fails"):
            asked = pool.options(job_id=f"{verb} {number} {payload}", **options)
            await asked.enqueue(f"{payload} {verb}", payload, **{"x " + payload: payload})
        await pool.options(job_id=f"later {number}", delay=9_999, **options).enqueue(
            f"{payload} told", payload
        )
    for number in range(0, len(scene.payloads), 8):  # the audit tells who did it, to which job
        await Inspector(pool, by=scene.payloads[number]).delete_job(f"later {number}")
    flow = Workflow(scene.payloads[0])
    for payload in scene.payloads[:8]:
        flow.add(f"step {payload}", call(f"{payload} told", payload).options(delay=9_999))
    await pool.enqueue_workflow(flow)


@contextmanager
def hostile_scene(server: EmbeddedServer, folder: Path, payloads: list[str]) -> Iterator[Hostile]:
    """Such a scene, when all that ends has ended."""
    made = Hostile(server, folder, payloads)
    made.start()
    try:
        made.until(lambda: _is_settled(made), 30)
        yield made
    finally:
        made.end()


async def _is_settled(scene: Hostile) -> bool:
    counts = await scene.console.counts()
    many = len(scene.payloads)
    return [counts[state].value for state in ("completed", "discarded", "executing")] == [many] * 3
