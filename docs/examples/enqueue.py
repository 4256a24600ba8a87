"""The page about enqueueing as a program: `python enqueue.py`."""

import asyncio
import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from arqlite import ArqRedis, Job, RedisSettings, Worker, call, create_pool, register_exception
from arqlite.embedded import EmbeddedServer
from arqlite.errors import InvalidArguments

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


@dataclass
class Invoice:
    number: int
    total: Decimal
    due: date


@register_exception
class CardDeclined(Exception):
    pass


async def charge(ctx: dict[str, Any], invoice: Invoice, *, tip: Decimal = Decimal(0)) -> Decimal:
    if invoice.total > 1000:
        raise CardDeclined("limit exceeded")
    return invoice.total + tip


async def label(ctx: dict[str, Any], /, **words: str) -> str:
    return " ".join(f"{key}={word}" for key, word in words.items())


async def enqueue_one(pool: ArqRedis, invoice: Invoice) -> None:
    job = await pool.enqueue(charge, invoice, tip=Decimal("0.50"))  # a Job[Decimal]
    total = await job.result(timeout=10)  # a Decimal
    print("charged", repr(total))


async def enqueue_wrongly(pool: ArqRedis) -> None:
    try:
        await pool.enqueue(charge, 12, tipp=1)  # type: ignore[call-arg, arg-type]  # mypy refuses it, too
    except InvalidArguments as error:
        print("refused", error)


async def enqueue_once(pool: ArqRedis, invoice: Invoice) -> Job[Decimal]:
    once = pool.options(job_id=f"charge-{invoice.number}", expires=3600)
    first = await once.enqueue(charge, invoice)
    again = await once.enqueue(charge, invoice)
    print("enqueued", not first.conflict, "enqueued again", not again.conflict)
    return first


async def enqueue_thousands(pool: ArqRedis, invoices: list[Invoice]) -> Decimal:
    calls = [call(charge, invoice, tip=Decimal(1)).options(delay=0.1) for invoice in invoices]
    jobs = await pool.options(priority=5).enqueue_many(calls)
    return sum(await asyncio.gather(*(job.result(timeout=30) for job in jobs)), Decimal(0))


async def enqueue_by_name(pool: ArqRedis) -> None:
    job = await pool.enqueue("label", colour="blue")  # a Job[Any]
    same = await pool.enqueue_job("label", colour="blue", _defer_by=0.1)  # arq's way: a Job or None
    assert same is not None
    print("labelled", await job.result(timeout=10), await same.result(timeout=10))


async def look_at_the_end(pool: ArqRedis) -> None:
    job = await pool.enqueue(charge, Invoice(3, Decimal(5000), date(2026, 4, 1)))
    try:
        await job.result(timeout=10)
    except CardDeclined as error:
        print("declined", error)
    ended = await job.result_info()
    assert ended is not None
    print(await job.status(), ended.success, ended.function, "try", ended.job_try)
    await job.delete()  # its id is free again
    print(await job.status())


async def main() -> None:
    pool = await create_pool(REDIS)
    worker = Worker([charge, label], redis_settings=REDIS, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    invoice = Invoice(1, Decimal("19.90"), date(2026, 4, 1))

    await enqueue_one(pool, invoice)
    await enqueue_wrongly(pool)
    once = await enqueue_once(pool, invoice)
    print("in all", await enqueue_thousands(pool, [Invoice(n, Decimal(1), invoice.due) for n in range(1200)]))
    await enqueue_by_name(pool)
    await look_at_the_end(pool)

    await once.result(timeout=10)
    await once.delete()
    await worker.close()
    await asyncio.gather(working, return_exceptions=True)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
