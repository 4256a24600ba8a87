"""An application in miniature, for the page about testing."""

from datetime import timedelta
from typing import Any

from arqlite import ArqRedis, Retry


class PaymentDown(Exception):
    pass


async def pay(ctx: dict[str, Any], order: int) -> str:
    try:
        receipt: str = await ctx["payments"].charge(order)
    except PaymentDown as error:
        raise Retry(defer=ctx["job_try"] * 10) from error
    return receipt


async def remind(ctx: dict[str, Any], order: int) -> None: ...


async def place_order(pool: ArqRedis, order: int) -> None:
    await pool.options(job_id=f"pay-{order}").enqueue(pay, order)
    await pool.options(delay=timedelta(days=7)).enqueue(remind, order)
