"""Features: what hooks, annotations, progress and the like cost a job that uses them (arqlite only)."""

from __future__ import annotations

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System

PREFIX = "feature: "
RUNS = 75  # variants times rounds, see systems/arqlite_features.py


def cost(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Drain with each feature and without; return µs of client CPU per job that each adds."""
    count = max(round(bench.scale.drain_s * 4_000), 2_000)
    bench.server.flush()
    with bench.program("arqlite_features", system, role="features", count=count) as child:
        told = child.expect("measured", STEP_TIMEOUT_S + RUNS * count / 2_000)
    bench.server.flush()
    return {f"{PREFIX}{name}": us for name, us in told["costs"].items()}
