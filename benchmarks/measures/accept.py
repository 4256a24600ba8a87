"""Accept: how fast jobs are taken when each is taken together with its row."""

from __future__ import annotations

from ..bench import Bench
from ..catalogue import System
from .enqueue import rate

PREFIX = "accept."


def rates(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Time the three ways of enqueueing a small job, each on an empty server and a bare database."""
    return {f"{PREFIX}{how}": rate(bench, system, how) for how in ("single", "callers", "bulk")}
