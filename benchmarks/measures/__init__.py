"""The measures. Each takes the bench and one system, and returns its figures by name."""

from __future__ import annotations

from collections.abc import Callable

from ..bench import Bench
from ..catalogue import OUR_OWN, System
from ..ledgers import ACCEPT, DRAIN
from . import accept, claim, deferred, drain, enqueue, features, idle, ledger, memory, pickup, where

Figures = dict[str, float | list[float]]

MEASURES: dict[str, Callable[[Bench, System], Figures]] = {
    "drain": drain.at_100,
    "drain10": drain.at_10,
    "enqueue": enqueue.rates,
    "pickup": pickup.latencies,
    "deferred": deferred.lateness,
    "idle": idle.traffic,
    "memory": memory.per_job,
    "claim": claim.cost,
    "where": where.time_goes,
    "features": features.cost,
    DRAIN: ledger.drain,
    ACCEPT: accept.rates,
}

OF_LEDGERS = (DRAIN, ACCEPT)
"""What `python -m benchmarks ledger` measures; without the word it is all the others."""

SUITES: dict[str, tuple[str, ...]] = {
    "queue": tuple(name for name in MEASURES if name not in OF_LEDGERS),
    "ledger": OF_LEDGERS,
}

ONCE = frozenset({"idle", "memory", "claim", "where", "features"})
"""Figures of the server's own counters: they barely move between rounds, and they are long."""

OURS_ONLY = frozenset({"claim", "where", "features"})


def takes_part(system: System, measure: str) -> bool:
    """Tell whether this measure makes sense for this system."""
    if system.measures is not None and measure.removesuffix("10") not in system.measures:
        return False
    if measure in OF_LEDGERS:
        return system.name == OUR_OWN or bool(system.database)
    if measure == "drain10":
        return system.has_coroutines
    if measure == "deferred":
        return system.can_defer
    return system.name == OUR_OWN if measure in OURS_ONLY else True
