"""``python -m benchmarks.dashboard_pages``: how long pages of the dashboard take where there are many jobs.

Run `python -m benchmarks.ledger_rows --attempts` first, for the rows. The jobs are put into a Redis of its
own. Each page is asked for when what was read for the one before is told to nobody any more.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
import urllib.request
from datetime import timedelta
from html import unescape
from random import Random
from urllib.parse import quote, urljoin

from arqlite import create_pool
from arqlite.connections import RedisSettings
from arqlite.dashboard.sharing import FRESH_S
from arqlite.ledger import Ledger

from .machine import cores
from .server import open_server
from .stats import percentile
from .watched import FOUR, QUEUES, shown

BAR_MS = 150.0
CHUNK = 10_000
SHARES = (0.7, 0.15, 0.1, 0.05)
"""Of the jobs, in the order of the queues."""

QUERIES = (
    "",
    "state:available",
    "state:scheduled",
    "state:executing",
    "state:discarded",
    "state:completed",
    "state:completed queue:queue-3",
    "queue:queue-0",
    "function:function_0",
    "function:function_59",
    "function:rare",
    "tag:tag-0",
    "tag:vip",
    "tag:none",
    "status:FAILED",
    "cause:TIMEOUT",
    "by:api",
    "since:1h",
    "since:2d until:1d",
    "priority:0",
)
OTHERS = (
    "/queues",
    "/queues/queue-0",
    "/errors",
    "/workers",
    "/metrics",
    "/metrics?since=7d",
    "/crons",
    "/system",
    "/audit",
)


def main() -> None:
    """Read the command line, measure, and say whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="auto", help="as for `python -m benchmarks`")
    parser.add_argument("--ledger", required=True, metavar="URL", help="one that `ledger_rows` has filled")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=20, help="of each kind")
    options = parser.parse_args()
    server = open_server(options.server)
    try:
        asyncio.run(fill(server.url, options.ledger, options.jobs))
        with shown(FOUR, server.url, options.ledger, cores()) as (url, _):
            raise SystemExit(measure(url, options.pages))
    finally:
        server.stop()


async def fill(url: str, ledger_url: str, jobs: int) -> None:
    """Put jobs into the queues, with rows: of three two may start, one is due later; a tenth has a tag."""
    began = time.perf_counter()
    dice = Random(1)
    ledger = Ledger(ledger_url, mode="strict")
    await ledger.upgrade()
    for queue, share in zip(QUEUES, SHARES, strict=True):
        pool = await create_pool(RedisSettings.from_dsn(url), default_queue_name=queue, ledger=ledger)
        for start in range(0, round(jobs * share), CHUNK):
            number = start // CHUNK
            delay = timedelta(days=1) if number % 3 == 2 else None
            tags = () if number % 10 else ("vip",)
            many = [
                (f"function_{int(60 * dice.random() ** 3)}", (start + n,), {"user_id": n, "kind": "daily"})
                for n in range(CHUNK)
            ]
            await pool.options(delay=delay, tags=tags).enqueue_many(many)
        await pool.aclose(close_connection_pool=True)
    await ledger.aclose()
    print(f"{jobs:,} jobs enqueued in {time.perf_counter() - began:.0f} s", flush=True)


def measure(url: str, pages: int) -> int:
    """Print the figures; 1 when a bar was missed."""
    jobs = [f"/jobs?q={quote(query)}" for query in QUERIES]
    jobs.append(_next_page(url, "/jobs"))
    jobs.append(_next_page(url, "/jobs?q=state:completed"))
    overview = _ask_often(url, "/", pages)
    of_jobs = [took for path in jobs for took in _ask_often(url, path, pages)]
    for path in OTHERS:
        _ask_often(url, path, max(pages // 4, 2))
    missed = [_judge("Overview", overview), _judge("Jobs, all questions together", of_jobs)]
    return 1 if any(missed) else 0


def _ask_often(url: str, path: str, times: int) -> list[float]:
    took = []
    for _ in range(times):
        time.sleep(FRESH_S)
        took.append(_ask(url, path)[0])
    p50, p95 = percentile(took, 0.5), percentile(took, 0.95)
    print(f"{path:60} p50 {p50:7.1f}  p95 {p95:7.1f}  longest {max(took):7.1f} ms", flush=True)
    return took


def _ask(url: str, path: str) -> tuple[float, str]:
    """How many ms a page took until its last byte, and the page."""
    began = time.perf_counter()
    with urllib.request.urlopen(urljoin(url, path)) as answer:
        page = answer.read()
    return (time.perf_counter() - began) * 1000, page.decode()


def _next_page(url: str, path: str) -> str:
    found = re.search(r'href="([^"]+after=[^"]+)"', _ask(url, path)[1])
    if found is None:
        raise RuntimeError(f"{path} has no second page")
    return urljoin(path, unescape(found[1]))


def _judge(what: str, took: list[float]) -> bool:
    """Whether a bar was missed."""
    p95 = percentile(took, 0.95)
    is_missed = p95 >= BAR_MS
    verdict = "FAIL" if is_missed else "PASS"
    print(f"{verdict}  {what}: p95 {p95:.1f} ms of {len(took)} pages (bar: {BAR_MS:.0f} ms)")
    return is_missed


if __name__ == "__main__":
    main()
