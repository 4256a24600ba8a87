"""Features: what hooks, annotations, progress and the like cost a job that uses them (arqlite only)."""

from __future__ import annotations

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System

PREFIX = "feature: "
"""Stands before the name of each variant."""

SERVER = "feature on the server: "
"""The same for what it costs the server."""

RUNS = 135
"""Variants times rounds of systems/arqlite_features.py, roughly: for how long the bench is patient."""


def cost(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Drain with each feature and without; return µs of CPU per job that each adds."""
    count = max(round(bench.scale.drain_s * 6_000), 3_000)
    bench.server.flush()
    with bench.program("arqlite_features", system, role="features", count=count) as child:
        told = child.expect("measured", STEP_TIMEOUT_S + RUNS * count / 2_000)
    bench.server.flush()
    ours = {f"{PREFIX}{name}": us for name, us in told["costs"].items()}
    return {**ours, **{f"{SERVER}{name}": us for name, us in told["server"].items()}}
