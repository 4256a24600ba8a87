"""The page about workflows as a program: `python workflows.py`."""

import asyncio
import os
from typing import Any

from arqlite import PREVIOUS, Inspector, RedisSettings, Workflow, call, chain, create_pool, group
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
SOLD_OUT = {"ladder"}


async def reserve(ctx: dict[str, Any], item: str) -> str:
    print("reserved", item)
    return f"reservation of {item}"


async def charge(ctx: dict[str, Any], customer: str, reservation: str) -> int:
    print("charged", customer, "for the", reservation)
    return 4711


async def ship(ctx: dict[str, Any], item: str, payment: int) -> str:
    if item in SOLD_OUT:
        raise RuntimeError(f"no {item} in the warehouse")
    return f"{item} is on its way, payment {payment}"


async def release(ctx: dict[str, Any], reservation: str) -> None:
    print("released the", reservation)


async def refund(ctx: dict[str, Any], payment: int, reason: str) -> None:
    print("refunded payment", payment, f"({reason})")


async def tell(ctx: dict[str, Any], customer: str, shipment: str | None) -> None:
    print("told", customer, "that", shipment or "nothing comes")


def order(customer: str, item: str) -> Workflow:
    flow = Workflow(f"order of {customer}")
    reserved = flow.add("reserve", call(reserve, item), compensate=release)
    charged = flow.add(
        "charge",
        call(charge, customer, reserved.result),
        compensate=call(refund, PREVIOUS, reason="not shipped"),
    )
    shipped = flow.add("ship", call(ship, item, charged.result))
    flow.add("tell", call(tell, customer, shipped.result), even_if_failed=True)
    return flow


async def fetch(ctx: dict[str, Any], page: int) -> str:
    return f"the text of page {page}"


async def count_words(ctx: dict[str, Any], text: str) -> int:
    return len(text.split())


async def add_up(ctx: dict[str, Any], counts: list[int], label: str = "words") -> str:
    return f"{sum(counts)} {label}"


class WorkerSettings:
    functions = [reserve, charge, ship, release, refund, tell, fetch, count_words, add_up]
    redis_settings = REDIS


async def main() -> None:
    pool = await create_pool(REDIS)
    worker = create_worker(WorkerSettings, burst=True)

    good = await pool.enqueue_workflow(order("Ada", "hammer"))
    await worker.async_run()
    print(await good.wait(timeout=10), "-", await good.result("ship"))

    bad = await pool.enqueue_workflow(order("Bob", "ladder"))
    await worker.async_run()
    print(await bad.wait(timeout=10))

    inspector = Inspector(pool)
    view = await inspector.workflow(bad.id)
    assert view is not None
    for name, step in view.steps.items():
        print(name, step.state, step.error or "")
    print(view.graph())

    SOLD_OUT.clear()
    await inspector.retry_workflow(bad.id)
    await worker.async_run()
    print(await bad.status())

    pages = [chain(call(fetch, page), count_words) for page in range(1, 4)]
    counted = await pool.enqueue_workflow(group(pages, callback=call(add_up, PREVIOUS, label="words in all")))
    await worker.async_run()
    print(await counted.result())

    await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
