"""All systems under test."""

from __future__ import annotations

from .ledgers import LEDGERS
from .queues import OUR_LIMITED, OUR_OWN, QUEUES
from .system import System

__all__ = ["OUR_LIMITED", "OUR_OWN", "SYSTEMS", "System", "select"]

SYSTEMS: tuple[System, ...] = (*QUEUES, *LEDGERS)


def select(names: list[str] | None) -> list[System]:
    """Pick systems by name, in the catalogue's order; all when no name is given.

    Raises:
        ValueError: a name that the catalogue does not have.
    """
    if not names:
        return list(SYSTEMS)
    known = {system.name for system in SYSTEMS}
    if unknown := set(names) - known:
        raise ValueError(f"unknown systems {sorted(unknown)}; there are {sorted(known)}")
    return [system for system in SYSTEMS if system.name in names]
