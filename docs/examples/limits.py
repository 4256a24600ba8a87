import asyncio
import logging
import os
from collections import Counter

from arqlite import GlobalLimit, Inspector, RateLimit, RedisSettings, Worker, create_pool
from arqlite.embedded import EmbeddedServer

# Your own Redis or Valkey, or without one a real Valkey that is started for you.
URL = os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url()
REDIS = RedisSettings.from_dsn(URL)
logging.getLogger("arqlite").setLevel(logging.ERROR)

running: Counter[str] = Counter()
most: Counter[str] = Counter()
synced: list[str] = []


async def sync_package(ctx, name: str) -> None:
    synced.append(name)


async def import_orders(ctx, tenant: str, page: int) -> None:
    running[tenant] += 1
    most[tenant] = max(most[tenant], running[tenant])
    await asyncio.sleep(0.01)
    running[tenant] -= 1


class Packages:
    functions = [sync_package]
    queue_name = "packages"
    redis_settings = REDIS
    rate_limit = (5, 0.5)  # the registry allows 5 calls in half a second


class Orders:
    functions = [import_orders]
    queue_name = "orders"
    redis_settings = REDIS
    global_limit = GlobalLimit(2, partition_by="args.tenant")
    rate_limit = RateLimit(100, 60, partition_by="args.tenant")


def worker(settings) -> Worker:
    options = {name: value for name, value in vars(settings).items() if name[0] != "_"}
    return Worker(**options, burst=True, handle_signals=False)


async def main() -> None:
    pool = await create_pool(REDIS)
    inspector = Inspector(pool)

    began = asyncio.get_running_loop().time()
    for number in range(12):
        await pool.enqueue_job("sync_package", f"p{number}", _queue_name="packages")
    three = [worker(Packages) for _ in range(3)]
    await asyncio.gather(*(one.async_run() for one in three))
    took = asyncio.get_running_loop().time() - began
    print(f"{len(synced)} packages, in more than a second: {took > 1}")

    for page in range(4):
        for tenant in ("acme", "umbrella"):
            await pool.enqueue_job("import_orders", tenant, page, _queue_name="orders")
    two = [worker(Orders) for _ in range(2)]
    await asyncio.gather(*(one.async_run() for one in two))
    print(f"at once at most: {dict(sorted(most.items()))}")

    await inspector.pause_queue("orders")
    await pool.enqueue_job("import_orders", "acme", 5, _queue_name="orders")
    await inspector.scale_queue("orders", limit=20, global_limit=GlobalLimit(5, "args.tenant"))
    queue = await inspector.check_queue("orders")
    print(f"paused: {queue.paused}, waiting: {queue.waiting}, each worker: {queue.limit}")
    print(f"over all: {queue.global_limit.allowed} by {queue.global_limit.partition_by[0]}")

    await inspector.resume_queue("orders")
    await inspector.scale_queue("orders", limit=None, global_limit=None)
    still_running = await inspector.drain_queue("orders", timeout=30)
    print(f"drained: {not still_running}")

    for one in three + two:
        await one.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
