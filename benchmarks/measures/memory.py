"""Memory: what the server needs for each queued small job."""

from __future__ import annotations

from ..bench import Bench
from ..catalogue import System


def per_job(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Compare the server's allocated bytes before and after a large bulk of small jobs."""
    count = bench.scale.queued
    bench.server.flush()
    before = bench.server.used_memory()
    bench.fill(system, "small", count)
    after = bench.server.used_memory()
    bench.server.flush()
    return {"queued_bytes": (after - before) / count}
