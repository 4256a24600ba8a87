"""A bad day of a queue, and who sets it right: `python operations.py`."""

import asyncio
import logging
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from arqlite import ArqRedis, Inspector, JobView, RedisSettings, Worker, call, create_pool, task, telemetry
from arqlite.embedded import EmbeddedServer

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
logging.getLogger("arqlite").setLevel(logging.CRITICAL)  # failures are expected here


class Supplier:
    """Stands in for a service that is down, and that takes two calls at once when it is up."""

    is_up = False
    calls = most = 0


supplier = Supplier()


class Ends:
    """Hears how runs end."""

    def __init__(self) -> None:
        self.states: asyncio.Queue[str] = asyncio.Queue()

    def hear(self, event: telemetry.JobStopped) -> None:
        self.states.put_nowait(event.state)

    async def wait_for(self, number: int) -> None:
        for _ in range(number):
            await self.states.get()


@task(queue="imports", max_attempts=5, tags=["supplier"])
async def fetch_stock(ctx: dict[str, Any], shop: int) -> int:
    if not supplier.is_up:
        raise ConnectionError("the supplier does not answer")
    supplier.calls += 1
    supplier.most = max(supplier.most, supplier.calls)
    await asyncio.sleep(0.01)
    supplier.calls -= 1
    return shop


async def bad_night(pool: ArqRedis, ends: Ends) -> None:
    """Leave five jobs without attempts, and five that wait for another one."""
    given_up = pool.options(max_attempts=1, tags=["supplier", "critical"])
    await given_up.enqueue_many(call(fetch_stock, shop) for shop in range(5))
    await pool.enqueue_many(call(fetch_stock, shop) for shop in range(5, 10))
    await ends.wait_for(10)


async def what_is_stuck(inspector: Inspector) -> list[JobView]:
    """Find jobs that failed and are not due for some seconds yet."""
    soon = datetime.now(UTC) + timedelta(seconds=5)
    failed = await inspector.jobs(state="retryable", with_errors=True)
    return [job for job in failed if job.scheduled_at > soon]


async def set_right(inspector: Inspector) -> None:
    await inspector.pause_queue("imports")
    await inspector.scale_queue("imports", global_limit=2)  # the supplier is weak still
    print("discarded, tried again:", await inspector.retry_jobs(state="discarded", tags="critical"))
    print("waiting, brought forward:", await inspector.retry_jobs(state="retryable", function=fetch_stock))
    print("not any more:", await inspector.cancel_jobs(function=fetch_stock, args={"shop": 7}))
    await inspector.resume_queue("imports")


async def main() -> None:
    ends = Ends()
    telemetry.attach("ends", telemetry.JobStopped, ends.hear)
    pool = await create_pool(REDIS, default_queue_name="imports")
    inspector = Inspector(pool)
    worker = Worker([fetch_stock], queue_name="imports", redis_settings=REDIS, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    await bad_night(pool, ends)
    for job in (await what_is_stuck(inspector))[:1]:
        print(f"shop {job.args[0]}: {job.errors[-1].type} at attempt {job.attempt}")

    supplier.is_up = True
    await set_right(inspector)
    await ends.wait_for(10)  # the cancelled one, too
    print("running still:", await inspector.drain_queue("imports", timeout=10))
    counts = await inspector.count_by_state()
    print({state.value: number for state, number in counts.items() if number})
    print("at once at most:", supplier.most)
    await worker.close()
    await asyncio.gather(working, return_exceptions=True)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
