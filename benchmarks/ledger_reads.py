"""``python -m benchmarks.ledger_reads``: how long pages of a large ledger and the locks of pruning take.

Run `python -m benchmarks.ledger_rows` first. Pages begin at times drawn at random, so that most of them are
far from what was read before. Pruning deletes rows for good.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import event, text

from arqlite.ledger import Ledger, Retention
from arqlite.ledger.cursors import Key, cursor_of
from arqlite.ledger.pruning import Pruning
from arqlite.ledger.rows import utc_now

BAR_MS = 100.0
LOCK_BAR_MS = 200.0
LIMIT = 50

INDEXED: list[dict[str, Any]] = [
    {},
    *({"status": status} for status in ("QUEUED", "RUNNING", "SUCCESS", "FAILED", "CANCELLED")),
    *({"state": state} for state in ("available", "scheduled", "retryable", "executing", "discarded")),
    *({"cause": cause} for cause in ("ERROR", "LOST")),
    *({"queue": queue} for queue in ("queue-0", "queue-7", "queue-old", "rare")),
    *({"function": function} for function in ("function_0", "function_59", "function_old", "rare")),
    {"function": ["function_0", "function_59", "rare"]},
    {"job_type": "function_59"},
    *({"tags": tag} for tag in ("tag-0", "tag-999", "plan-1", "rare", "none")),
    *({"triggered_by": who} for who in ("api", "user:77")),
    *({"user_id": user} for user in (0, 99_999)),
    {"parent": "parent-4711"},
    {"id_prefix": "abc"},
]
OTHERS: list[dict[str, Any]] = [
    {"worker": "host:3"},
    {"worker": "none"},
    {"kwargs": {"user_id": 4711}},
    {"error": "no luck"},
    {"function": "function_3", "status": "FAILED"},
    {"function": "function_old", "status": "QUEUED"},
    {"queue": "queue-3", "state": "retryable"},
    {"tags": ["tag-3", "plan-1"]},
]
"""What no index answers alone: a page is bounded by what it looks at."""


def main() -> None:
    """Read the command line, measure, and say whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--pages", type=int, default=200, help="of each question")
    parser.add_argument(
        "--prune", type=int, metavar="DAYS", help="delete what ended longer ago, and watch the locks"
    )
    options = parser.parse_args()
    raise SystemExit(asyncio.run(measure(options.url, options.pages, options.prune)))


async def measure(url: str, pages: int, prune_days: int | None) -> int:
    """Print the figures; 1 when a bar was missed."""
    ledger = Ledger(url, read_timeout=60)
    try:
        missed = [await _tell(ledger, "page", asked, pages, bar=BAR_MS) for asked in INDEXED]
        for asked in OTHERS:
            await _tell(ledger, "page", asked, max(pages // 5, 1))
        for asked in ({}, {"status": "FAILED"}, {"queue": "queue-7"}, {"tags": "tag-3"}):
            await _tell(ledger, "count", asked, max(pages // 10, 1))
        missed += [] if prune_days is None else [await _prune(ledger, prune_days)]
    finally:
        await ledger.aclose()
    return int(any(missed))


async def _tell(
    ledger: Ledger, verb: str, asked: dict[str, Any], times: int, bar: float | None = None
) -> bool:
    """Ask so often; returns whether the bar was missed."""
    took: list[float] = []
    found = 0
    for _ in range(times):
        after = None if asked.get("id_prefix") else _somewhere()
        began = time.perf_counter()
        if verb == "page":
            found += len((await ledger.jobs(after=after, limit=LIMIT, **asked)).items)
        else:
            found += (await ledger.count(**asked)).value
        took.append((time.perf_counter() - began) * 1_000)
    half, nearly_all = _percentile(took, 0.5), _percentile(took, 0.99)
    is_missed = bar is not None and nearly_all > bar
    words = ", ".join(f"{name}={value}" for name, value in asked.items()) or "all"
    print(
        f"{verb:5}  {words:45.45}  p50 {half:7.1f} ms  p99 {nearly_all:7.1f} ms  {found / times:9.1f} rows"
        f"{'  MISSED' if is_missed else ''}",
        flush=True,
    )
    return is_missed


def _somewhere() -> str:
    """A cursor anywhere in the last 90 days."""
    return cursor_of("at", Key(utc_now() - timedelta(days=90 * random.random()), "", ""))


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


async def _prune(ledger: Ledger, days: int) -> bool:
    """Delete what ended longer ago; a lock is held for as long as its transaction."""
    engine = ledger.engine.sync_engine
    began: dict[int, float] = {}
    took: list[float] = []

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        began[id(connection)] = time.perf_counter()

    @event.listens_for(engine, "commit")
    def _(connection: Any) -> None:
        took.append((time.perf_counter() - began.pop(id(connection))) * 1_000)

    age = timedelta(days=days)
    told: Counter[str] = Counter()
    start = time.perf_counter()
    keep = Retention(success=age, failed=age, cancelled=age)
    await Pruning(ledger.sessions, ledger.row_model, keep).run(told)
    seconds = time.perf_counter() - start
    longest = max(took)
    print(
        f"pruned {dict(told)} in {seconds:.0f} s, {len(took)} commits: p50 {_percentile(took, 0.5):.0f} ms, "
        f"p99 {_percentile(took, 0.99):.0f} ms, longest {longest:.0f} ms"
        f"{'  MISSED' if longest > LOCK_BAR_MS else ''}",
        flush=True,
    )
    if ledger.engine.dialect.name == "postgresql":
        async with ledger.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("VACUUM arqlite_jobs"))
    return longest > LOCK_BAR_MS


if __name__ == "__main__":
    main()
