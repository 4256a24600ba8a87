"""Claim: what claiming costs with a deep backlog against a shallow one (arqlite only)."""

from __future__ import annotations

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System

SHALLOW = 1_000


def cost(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Time claims of 100 with both backlogs: µs per job of the server, of both sides, and of the wall."""
    figures: dict[str, float | list[float]] = {"claim_depth": bench.scale.deep}
    for name, backlog in (("shallow", SHALLOW), ("deep", bench.scale.deep)):
        bench.server.flush()
        with bench.program("arqlite_claim", system, role="claim", count=backlog) as child:
            told = child.expect("claimed", STEP_TIMEOUT_S + backlog / 20_000)
        figures[f"claim_{name}_us"] = told["server_us"]
        figures[f"claim_{name}_whole_us"] = told["whole_us"]
        figures[f"claim_{name}_wall_us"] = told["wall_us"]
    bench.server.flush()
    return figures
