"""The little arithmetic of a benchmark: medians, percentiles, ratios with their spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A median and the range it was taken from."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Sum up one figure over the rounds."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share (0 to 1) of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Divide round by round (neighbours in time saw the same machine) and sum up the quotients."""
    return spread([a / b for a, b in zip(ours, theirs, strict=False)])
