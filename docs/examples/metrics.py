"""Handlers of events: metrics, slow jobs, errors. `python metrics.py`."""

import asyncio
import logging
import os
import sys
from collections import Counter, defaultdict
from typing import Any

from arqlite import RedisSettings, Snooze, create_pool, task, telemetry
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.01
SLOW_MS = 300  # 30,000 in an application
log = logging.getLogger("shop.jobs")


class Metrics:
    """Counts runs by function and state, and their seconds; writes it as Prometheus reads it."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[str, str]] = Counter()
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    def count(self, event: telemetry.JobStopped) -> None:
        self.runs[event.function, event.state] += 1
        self.seconds[event.function, "run"] += event.duration_ms / 1000
        self.seconds[event.function, "wait"] += event.queue_time_ms / 1000

    def page(self) -> str:
        lines = [
            f'jobs_total{{function="{function}",state="{state}"}} {count}'
            for (function, state), count in sorted(self.runs.items())
        ]
        lines += [
            f'jobs_seconds_total{{function="{function}",kind="{kind}"}} {seconds:.3f}'
            for (function, kind), seconds in sorted(self.seconds.items())
        ]
        return "\n".join(lines)


def warn_if_slow(event: telemetry.JobStopped) -> None:
    if event.duration_ms > SLOW_MS:
        log.warning("slow: %s", event.function, extra={"job_id": event.job_id, "ms": event.duration_ms})


class Tracker:
    """Stands in for the client of an error tracker."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def report(self, report: telemetry.ErrorReport) -> None:
        tags = ",".join(report.job.tags)
        last = "for good" if report.is_last else "so far"
        self.sent.append(f"{report.job.function} [{tags}] attempt {report.attempt} {last}: {report.error!r}")


metrics, tracker = Metrics(), Tracker()


async def startup(ctx: dict[str, Any]) -> None:
    telemetry.attach("metrics", telemetry.JobStopped, metrics.count)
    telemetry.attach("slow", telemetry.JobStopped, warn_if_slow)
    ctx["stop_reporting"] = telemetry.report_errors(tracker.report)


async def shutdown(ctx: dict[str, Any]) -> None:
    for name in ("metrics", "slow"):
        telemetry.detach(name)
    ctx["stop_reporting"]()


@task(max_attempts=2, backoff=PAUSE_S, tags=["import"])
async def read_prices(ctx: dict[str, Any], supplier: str) -> None:
    if supplier == "broken":
        raise ValueError("no prices in there")
    if supplier == "late" and ctx["job"].snoozes == 0:
        raise Snooze(PAUSE_S)


@task
async def render_catalogue(ctx: dict[str, Any]) -> None:
    await asyncio.sleep(1.5 * SLOW_MS / 1000)


class WorkerSettings:
    functions = [read_prices, render_catalogue]
    on_startup = startup
    on_shutdown = shutdown
    redis_settings = REDIS
    log_results = False


async def main() -> None:
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("arqlite").setLevel(logging.CRITICAL)
    pool = await create_pool(REDIS)
    for supplier in ("good", "late", "broken"):
        await pool.enqueue(read_prices, supplier)
    await pool.enqueue(render_catalogue)
    worker = create_worker(WorkerSettings, burst=True)
    await worker.async_run()
    await worker.close()
    print(metrics.page())
    print("\n".join(tracker.sent))
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
