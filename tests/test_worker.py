"""The worker, seen from outside: results, counters, hooks."""

from __future__ import annotations

from typing import Any

from arqlite import ArqRedis, Retry


async def add(ctx: dict[str, Any], a: int, b: int = 2) -> int:
    return a + b


async def test_job_runs_and_its_result_is_kept(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job runs once and its result can be read."""
    job = await arq_redis.enqueue_job("add", 1, b=5)

    assert await make_worker([add]).run_check() == 1

    assert await job.result() == 6
