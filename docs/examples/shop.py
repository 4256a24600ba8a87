"""An application in miniature, for the page about testing."""

from datetime import timedelta
from typing import Any

from arqlite import ArqRedis, cron, task


class PaymentDown(Exception):
    pass


@task(max_attempts=5, timeout=10)
async def pay(ctx: dict[str, Any], order: int) -> str:
    receipt: str = await ctx["payments"].charge(order)
    return receipt


async def remind(ctx: dict[str, Any], order: int) -> None: ...


async def report(ctx: dict[str, Any]) -> None: ...


async def place_order(pool: ArqRedis, order: int) -> None:
    await pool.options(meta={"shop": "north"}).enqueue(pay, order)
    await pool.options(delay=timedelta(days=7)).enqueue(remind, order)


class WorkerSettings:
    functions = [pay, remind]
    cron_jobs = [cron(report, name="report", hour=9, minute=0, second=0, microsecond=0)]
