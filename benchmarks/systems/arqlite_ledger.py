"""arqlite with a ledger: the worker and the pool of the bench without one, and one setting more."""

from __future__ import annotations

from typing import Any

from arqlite import create_pool
from arqlite.connections import RedisSettings
from arqlite.ledger import Ledger
from arqlite.worker import Worker
from benchmarks.roles import RESULT_TTL_S, run
from benchmarks.systems.arqlite import Arqlite, functions_of, run_as_program

SESSION_CHUNK = 1_000
"""Jobs in one of the caller's transactions, in bulk."""


class ArqliteLedger(Arqlite):
    ledger: Ledger

    async def work(self) -> None:
        worker = Worker(
            functions=functions_of(self.recorder),
            redis_settings=RedisSettings.from_dsn(self.order.url),
            max_jobs=self.order.concurrency,
            keep_result=RESULT_TTL_S,
            handle_signals=False,
            ledger=self._ledger("strict" if self.order.options.get("strict") else "behind"),
        )
        await run_as_program(worker)

    async def install(self) -> None:
        ledger = self._ledger("behind")
        await ledger.upgrade()
        await ledger.aclose()

    async def connect(self) -> None:
        """Open a pool that accepts jobs with their rows, unless the worker is to open those."""
        self.ledger = self._ledger("strict")
        settings = RedisSettings.from_dsn(self.order.url)
        rowless = bool(self.order.options.get("rowless"))
        self.pool = await create_pool(settings, ledger=None if rowless else self.ledger)

    async def close(self) -> None:
        await self.pool.aclose()
        await self.ledger.aclose()

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        if not self.order.options.get("session"):
            await super().enqueue(job, arguments)
            return
        async with self.ledger.sessions.begin() as session:
            await self.pool.options(session=session).enqueue(job, **arguments)

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        if not self.order.options.get("session"):
            await super().enqueue_bulk(job, arguments, count)
            return
        for start in range(0, count, SESSION_CHUNK):
            share = min(SESSION_CHUNK, count - start)
            async with self.ledger.sessions.begin() as session:
                await self.pool.options(session=session).enqueue_many([(job, (), arguments)] * share)

    def _ledger(self, mode: Any) -> Ledger:
        return Ledger(self.order.database, mode=mode)


if __name__ == "__main__":
    run(ArqliteLedger)
