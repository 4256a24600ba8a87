"""The page about telemetry as a program: `python telemetry.py`."""

import asyncio
import logging
import os
import sys
from collections import Counter
from typing import Any

from arqlite import RedisSettings, create_pool, telemetry
from arqlite.embedded import EmbeddedServer
from arqlite.service import Ticker
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


class Declined(Exception):
    """A card was declined: sad, but no bug."""


async def charge(ctx: dict[str, Any], cents: int) -> str:
    if cents > 1000:
        raise Declined("limit exceeded")
    fee = 100 / cents  # a bug: some things are free
    return f"charged {cents} cents, of them {fee:.0%} for us"


class Tracker:
    """Stands in for the client of an error tracker."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def capture(self, error: BaseException, tags: dict[str, str], extra: dict[str, Any]) -> None:
        await asyncio.sleep(0)  # the way to its server
        self.sent.append(f"{error!r} in {tags['function']}, attempt {extra['attempt']}")


tracker = Tracker()


async def send_report(report: telemetry.ErrorReport) -> None:
    await tracker.capture(
        report.error,
        tags={"queue": report.job.queue, "function": report.job.function},
        extra={
            "job_id": report.job.job_id,
            "attempt": report.attempt,
            "is_last": report.is_last,
            "meta": dict(report.job.meta),
        },
    )


ends: Counter[str] = Counter()


def count(event: telemetry.JobStopped) -> None:
    ends[f"{event.function} {event.state}"] += 1


def watch(event: telemetry.QueueShutdown | telemetry.JobsRescued) -> None:
    print(event.name, event.queue)


class Sweeper(Ticker):
    """Throws expired baskets away, each hour."""

    def __init__(self) -> None:
        super().__init__(interval=3600, at_once=True)

    async def tick(self) -> None:
        baskets = ["ada", "bob", "cy"]
        self.told["swept"] = len(baskets)


def import_prices() -> None:
    with telemetry.span("price import", source="supplier") as told:
        told["rows"] = 1200


def tell_rounds(event: telemetry.ServiceStopped) -> None:
    if event.service in ("Sweeper", "price import"):
        print(event.service, dict(event.meta))


async def startup(ctx: dict[str, Any]) -> None:
    telemetry.attach("shop.counts", "job.stop", count)
    telemetry.attach("shop.watch", [telemetry.QueueShutdown, "queue.rescue"], watch)
    telemetry.attach("shop.rounds", telemetry.ServiceStopped, tell_rounds)
    telemetry.attach_default_logger(logging.INFO, events=["job", "queue", "cron"])
    ctx["stop_reporting"] = telemetry.report_errors(send_report, only_last=True, ignore=(Declined,))


class WorkerSettings:
    functions = [charge]
    services = [Sweeper()]
    on_startup = startup
    redis_settings = REDIS
    queue_name = "shop"
    log_results = False


async def main() -> None:
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("arqlite.events").setLevel(logging.INFO)
    logging.getLogger("arqlite.worker").setLevel(logging.CRITICAL)  # arq's lines would tell it all again
    pool = await create_pool(REDIS, default_queue_name="shop")
    for cents in (500, 5000, 0):
        await pool.enqueue(charge, cents)
    worker = create_worker(WorkerSettings, burst=True)
    await worker.async_run()
    await worker.close()
    import_prices()
    print(sorted(ends.items()))
    print("reported", tracker.sent)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
