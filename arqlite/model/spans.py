"""Spans of time in the words of people: one way of rounding for all who show them. No I/O."""

from __future__ import annotations

from typing import Final

UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
"""The units of a span, the largest first, each with its seconds."""


def in_one_unit(seconds: float) -> tuple[int, str]:
    """How many there are in full of the largest unit that there is one of; `(0, "s")` below a second.

    Args:
        seconds: the span; its sign does not count.
    """
    length = abs(seconds)
    return next(((int(length // size), unit) for unit, size in UNITS if length >= size), (0, "s"))
