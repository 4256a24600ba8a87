"""What the bench knows of a program under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .wire import Wire

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Fact:
    """What a database says when all jobs of a run are final.

    Attributes:
        text: in words, for who reads that it does not hold.
        question: SQL whose one value is compared.
        per_job: the value is the number of jobs; else it is 0.
    """

    text: str
    question: str
    per_job: bool = False

    def holds(self, value: int, count: int) -> bool:
        """Tell whether this value is as it should be after so many jobs."""
        return int(value) == (count if self.per_job else 0)


@dataclass(frozen=True)
class Rows:
    """The facts of one system's tables.

    Attributes:
        final: these hold once everything is in SQL: the clock runs until then. The cheapest comes first.
        sound: these hold as well, a moment later: nothing ran twice, nothing is missing.
    """

    final: tuple[Fact, ...]
    sound: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class System:
    """One program under test.

    Attributes:
        name: what the tables call it.
        adapter: module under `benchmarks.systems` that runs it.
        installs: what pip puts into its environment; empty for what runs in the project's own.
        prints: distributions whose versions belong into the report.
        expected_rate: jobs/s of a first guess, for sizing the first drain.
        left: how many jobs the server still holds for it, acknowledgements included.
        kept: how many results it keeps; None when it keeps none.
        setup: what the report says about its configuration.
        measures: measures it takes part in; None for all that it can.
        options: settings handed to the adapter.
        database: where its rows are: `sqlite`, `postgresql`, or with a driver, `postgresql+psycopg`; empty
            for a system without.
        rows: what they say after a run.
        python: the oldest version that it runs on.
    """

    name: str
    adapter: str
    installs: tuple[str, ...]
    prints: tuple[str, ...]
    expected_rate: int
    left: Callable[[Wire], int]
    kept: Callable[[Wire], int] | None
    setup: str
    can_defer: bool = True
    has_coroutines: bool = True
    measures: frozenset[str] | None = None
    options: dict[str, float] = field(default_factory=dict)
    database: str = ""
    rows: Rows | None = None
    python: tuple[int, int] = OLDEST_PYTHON

    @property
    def venv(self) -> str:
        """Name of the environment: variants of one system share it."""
        return self.adapter
