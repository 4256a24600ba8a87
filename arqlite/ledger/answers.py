"""What the ledger answers: pages, counts, figures. Plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

from ..model.states import JobState
from .rows import JobRowMixin
from .tables import AttemptRow

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """A part of a list.

    Attributes:
        items: the rows. They may be fewer than were asked for, or none, although more are to come: a page
            looks only at so many rows.
        next: the cursor to go on with, as `after=`; None on the last page.
    """

    items: Sequence[ItemT]
    next: str | None


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """Whether the database of a ledger answers.

    Attributes:
        is_up: whether it did.
        took_ms: how long that took, or until this gave up.
        error: why it did not; None if it did.
    """

    is_up: bool
    took_ms: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are.

    Attributes:
        value: the number.
        precision: `exact`; `at least`, where counting stopped; `about`, where the database guessed.
    """

    value: int
    precision: Literal["exact", "at least", "about"] = "exact"

    def __str__(self) -> str:
        if self.precision == "exact":
            return f"{self.value:,}"
        return f"{_shortened(self.value)}+" if self.precision == "at least" else f"~{_shortened(self.value)}"


@dataclass(frozen=True, slots=True)
class JobHistory:
    """A job's row, and all of its attempts, the first one first."""

    row: JobRowMixin
    attempts: Sequence[AttemptRow]


@dataclass(frozen=True, slots=True)
class Ended:
    """Runs that ended within a time, added up.

    Attributes:
        at: when the time began; None if the whole time was asked for.
        queue, function: of which jobs; None for all together.
        counts: how many ended in each state, by the names that `JobStopped.state` has.
        run_ms, wait_ms: how long they ran, and had waited, on average.
        longest_run_ms, longest_wait_ms: the longest of them.
    """

    at: datetime | None
    queue: str | None
    function: str | None
    counts: dict[str, int]
    run_ms: float
    wait_ms: float
    longest_run_ms: int
    longest_wait_ms: int

    @property
    def total(self) -> int:
        """How many runs ended."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How long runs took, and how long they had waited; to within an eighth.

    Attributes:
        queue, function: of which jobs; None for all together.
        count: how many runs there were.
        run_ms, wait_ms: what half of them, 95 % and 99 % of them did not exceed.
    """

    queue: str | None
    function: str | None
    count: int
    run_ms: tuple[float, float, float]
    wait_ms: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """What is going on, and what went on.

    Attributes:
        since, until: the time that `ended` is about, in whole minutes.
        open: how many jobs are in each state that has not ended.
        open_is_exact: whether that were all; otherwise counting stopped.
        oldest_waiting: when the job that has waited longest for a free slot began to.
        ended: runs that ended, in the order of time, queue and function.
    """

    since: datetime
    until: datetime
    open: dict[JobState, int]
    open_is_exact: bool
    oldest_waiting: datetime | None
    ended: Sequence[Ended]


def _shortened(value: int) -> str:
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return str(value)
