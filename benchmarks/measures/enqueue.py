"""Enqueue: one caller that waits for each job, 32 concurrent callers, and the system's own bulk way."""

from __future__ import annotations

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System

FIRST_GUESS = 6000.0
BULK_GUESS = {"floor": 150_000.0, "arqlite": 100_000.0}


def rates(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Time the three ways, each on an empty server."""
    return {how: rate(bench, system, how) for how in ("single", "callers", "bulk")}


def rate(bench: Bench, system: System, how: str) -> float:
    """Time one way; return jobs/s."""
    guess = BULK_GUESS.get(system.name, FIRST_GUESS) if how == "bulk" else FIRST_GUESS
    count = bench.count_for(system, how, guess, bench.scale.enqueue_s)
    count -= count % 32  # equal shares for the callers
    bench.renew(system)
    with bench.producer(system, "enqueue", job="small", count=count, how=how) as child:
        seconds = child.expect("enqueued", STEP_TIMEOUT_S)["seconds"]
    bench.learn(system, how, count / seconds)
    return float(count / seconds)
