"""The task that the README shows, as a program: `python invoicing.py`."""

import asyncio
import os
from typing import Any

from arqlite import Discard, Inspector, RedisSettings, Snooze, Unique, create_pool, task
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


class Mail:
    """Stands in for a mail server: it is busy at first, and then fails once."""

    calls = 0

    async def is_busy(self) -> bool:
        self.calls += 1
        return self.calls == 1

    async def send(self, invoice: str) -> str:
        if self.calls == 2:
            raise ConnectionError("connection lost")
        return f"sent {invoice}"


@task(max_attempts=5, timeout=30, backoff=[0.1, 120, 600], unique=Unique(period=3600), tags=["invoice"])
async def send_invoice(ctx: dict[str, Any], number: int) -> str:
    invoice = ctx["invoices"].get(number)
    if invoice is None:
        raise Discard(f"there is no invoice {number}")  # over, and kept for whoever looks into it
    if await ctx["mail"].is_busy():
        raise Snooze(0.1)  # runs later; costs no attempt
    receipt: str = await ctx["mail"].send(invoice)  # what it raises is tried again, five times in all
    return receipt


class WorkerSettings:
    functions = [send_invoice]
    rate_limit = (50, 1)  # over all workers: never more than 50 starts in any second
    ctx = {"invoices": {1: "invoice 1"}, "mail": Mail()}
    redis_settings = REDIS


async def main() -> None:
    pool = await create_pool(REDIS)
    job = await pool.enqueue(send_invoice, 1)
    again = await pool.enqueue(send_invoice, 1)
    unknown = await pool.enqueue(send_invoice, 999)
    worker = create_worker(WorkerSettings, burst=True, handle_signals=False)
    await worker.async_run()
    print(await job.result(), "again:", again.conflict, [error.message for error in await job.errors()])
    discarded = await Inspector(pool).jobs(state="discarded", tags="invoice")
    print([view.id for view in discarded] == [unknown.job_id])
    await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
