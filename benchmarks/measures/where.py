"""Where: which functions arqlite's worker spends its processor time in while it drains."""

from __future__ import annotations

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System

SECONDS = 4.0
PREFIX = "where: "


def time_goes(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Drain once more under the sampler; return µs of client CPU per job and function."""
    count = bench.count_for(system, "drain100", system.expected_rate, SECONDS)
    bench.server.flush()
    bench.fill(system, "noop", count)
    with bench.worker(system, count, sample=1.0) as worker:
        done = worker.expect("finished", STEP_TIMEOUT_S)
    total = sum(done["samples"].values())
    us_per_sample = done["cpu_s"] / count * 1e6 / total
    return {f"{PREFIX}{name}": n * us_per_sample for name, n in done["samples"].items()}
