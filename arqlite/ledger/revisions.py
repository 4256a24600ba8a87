"""Which revision are the tables at, and can this version work with them? Pure decisions, no SQL."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from .migrations import HEAD

_GENERATION = 1000
"""Revisions of one thousand only add to each other: code that knows some of them can work with all."""


class Standing(Enum):
    """How the tables are to the code."""

    MISSING = auto()
    """There are none."""
    FOREIGN = auto()
    """There are tables of these names, but no revision: something else made them."""
    OLD = auto()
    """They lack what later revisions added."""
    CURRENT = auto()
    """They are what the code knows."""
    AHEAD = auto()
    """A later version of arqlite added to them; this one can work with them."""
    TOO_NEW = auto()
    """A later version of arqlite changed them so that this one cannot work with them."""

    @property
    def is_usable(self) -> bool:
        """Whether a worker may start on such tables."""
        return self in (Standing.CURRENT, Standing.AHEAD)

    @property
    def is_upgradable(self) -> bool:
        """Whether an upgrade has something to do, and may."""
        return self in (Standing.MISSING, Standing.OLD)


def standing_of(found: str | None, *, has_tables: bool = False, head: str = HEAD) -> Standing:
    """Tell how tables are to the code.

    Args:
        found: the revision that the database tells; None is none.
        has_tables: whether it has any of the ledger's tables.
        head: the last revision that the code knows.
    """
    if found is None:
        return Standing.FOREIGN if has_tables else Standing.MISSING
    if not found.isdecimal():
        return Standing.TOO_NEW
    if int(found) <= int(head):
        return Standing.CURRENT if int(found) == int(head) else Standing.OLD
    is_additive = int(found) // _GENERATION == int(head) // _GENERATION
    return Standing.AHEAD if is_additive else Standing.TOO_NEW


def in_words(standing: Standing, found: str | None, tables: Iterable[str] = (), head: str = HEAD) -> str:
    """Tell what is the matter with tables that are not usable, and what to do."""
    match standing:
        case Standing.MISSING:
            return "the ledger's tables are missing: run `arqlite db upgrade`"
        case Standing.FOREIGN:
            return (
                f"the database has tables of the ledger's names that its migrations did not make "
                f"({', '.join(sorted(tables))}): drop or rename them, then run `arqlite db upgrade`"
            )
        case Standing.OLD:
            return (
                f"the ledger's tables are at revision {found}, this version of arqlite needs {head}: "
                f"run `arqlite db upgrade`"
            )
        case Standing.TOO_NEW:
            return (
                f"the ledger's tables are at revision {found}, with which this version of arqlite cannot "
                f"work, it knows those up to {head}: install the version that ran `arqlite db upgrade`"
            )
        case _:
            return f"the ledger's tables are at revision {found}"
