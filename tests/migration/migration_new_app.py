"""The same application after the move."""

from __future__ import annotations

import os
from typing import Any

from arqlite.connections import RedisSettings
from arqlite.migration import ArqBridge


async def count(ctx: dict[str, Any], number: int, pair: Any) -> int:
    """Count that this job ran, and where."""
    assert list(pair) == [number, "two"]
    await ctx["redis"].hincrby("runs", ctx["job_id"], 1)
    await ctx["redis"].incr("ran-in-arqlite")
    return number


class WorkerSettings:
    """Without a bridge."""

    functions = (count,)
    redis_settings = RedisSettings.from_dsn(os.environ["ACROSS_URL"])


class BridgedSettings(WorkerSettings):
    """With one."""

    services = (ArqBridge(),)
