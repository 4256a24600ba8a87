"""The page about observing workers as a program: `python observability.py`."""

import asyncio
import logging
import os
import sys
import urllib.request
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from arqlite import RedisSettings, create_pool, task
from arqlite.embedded import EmbeddedServer
from arqlite.observe import JobFilter, OpenTelemetry, Prometheus, Sentry
from arqlite.observe.otel import trace_enqueues
from arqlite.observe.structlog import add_job
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())

spans = InMemorySpanExporter()  # an application has an OTLP exporter here
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

structlog.configure(processors=[add_job, structlog.processors.JSONRenderer()])


@task
async def charge(ctx: dict[str, Any], amount: int) -> None:
    structlog.get_logger().info("charged", amount=amount)
    logging.getLogger("shop").warning("sent a receipt")


metrics = Prometheus(port=0)  # 9100 in an application


class WorkerSettings:
    functions = [charge]
    queue_name = "shop"
    redis_settings = REDIS
    services = [metrics, OpenTelemetry(), Sentry(send_args=False)]
    log_results = False


def set_up_logging() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(queue)s %(function)s attempt %(attempt)s] %(message)s"))
    handler.addFilter(JobFilter())
    logging.getLogger("shop").addHandler(handler)


def scrape() -> list[str]:
    """Do what Prometheus does."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics") as page:
        return page.read().decode().splitlines()  # type: ignore[no-any-return]  # urllib's own types


async def main() -> None:
    logging.getLogger("arqlite").setLevel(logging.CRITICAL)
    set_up_logging()
    stop = trace_enqueues()
    pool = await create_pool(REDIS, default_queue_name="shop")
    with trace.get_tracer("shop").start_as_current_span("POST /orders"):
        job = await pool.enqueue(charge, 500)
    worker = create_worker(WorkerSettings, handle_signals=False)
    working = asyncio.create_task(worker.async_run())
    await job.result(timeout=10)
    page = await asyncio.to_thread(scrape)
    await worker.close()
    await working
    await pool.aclose()
    stop()
    print(next(line for line in page if line.startswith("arqlite_jobs_total")))
    for span in spans.get_finished_spans():
        print(span.name, span.kind.name, "links:", len(span.links))


if __name__ == "__main__":
    asyncio.run(main())
