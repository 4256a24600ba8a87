"""Whether a ledger lacks rows: known at once where there are few, and by and by where there are many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from arqlite.console import census as census_module
from arqlite.console.census import KEPT_S, Census
from arqlite.ledger.answers import Count

Eventually = Callable[..., Awaitable[Any]]


class Rows:
    """A ledger with so many open rows, which counts how often it was asked."""

    identity = "rows"

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.asked: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def count(self, *, status: Any, most: int) -> Count:
        self.asked.append(most)
        if self.error is not None:
            raise self.error
        if most > census_module.FEW_ROWS:
            await self.gate.wait()
        return Count(min(self.rows, most), "exact" if self.rows <= most else "at least")


class Here:
    """A census at a time of its own, of jobs that are so many."""

    def __init__(self, rows: int, jobs: int | None) -> None:
        self.now = 0.0
        self.rows: Any = Rows(rows)
        self.jobs = jobs
        self.census = Census(lambda: self.now)

    async def lacks(self, *, is_urgent: bool = False) -> bool:
        return await self.census.lacks_rows(self.rows, self._count_jobs, is_urgent=is_urgent)

    async def _count_jobs(self) -> int | None:
        return self.jobs


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census_module, "FEW_ROWS", 10)
    monkeypatch.setattr(census_module, "MOST_ROWS", 1_000)


@pytest.mark.parametrize(
    ("rows", "jobs", "lacks"), [(5, 5, False), (5, 6, True), (6, 5, False), (5, None, True)]
)
async def test_few_rows_are_counted_at_once(rows: int, jobs: int | None, lacks: bool) -> None:
    """Of few rows it is known each time; a queue that cannot be asked may have any number of jobs."""
    here = Here(rows, jobs)

    assert await here.lacks() is lacks
    assert await here.lacks() is lacks


async def test_nobody_waits_until_many_rows_are_counted(eventually: Eventually) -> None:
    """Pages go by what is known, which is nothing at first, and later by what was found out beside them."""
    here = Here(100, 101)
    here.rows.gate.clear()

    first = [await here.lacks(), await here.lacks()]
    here.rows.gate.set()
    await eventually(here.lacks)
    await here.census.close()

    assert first == [False, False]
    assert here.rows.asked == [10, 1_000]


async def test_many_rows_are_counted_once_a_minute(eventually: Eventually) -> None:
    """What was found out holds for a while, and is then found out again."""
    here = Here(100, 101)
    await here.lacks()
    await eventually(here.lacks)

    here.jobs = 100
    here.now = KEPT_S - 1
    before = await here.lacks()
    here.now = KEPT_S + 1

    async def is_found_out() -> bool:
        return not await here.lacks()

    await eventually(is_found_out)
    await here.census.close()

    assert before is True
    assert here.rows.asked.count(1_000) == 2


async def test_who_must_know_waits() -> None:
    """What is done to jobs is done to all of them, whatever was known before."""
    here = Here(100, 101)

    assert await here.lacks(is_urgent=True) is True
    here.jobs = 100
    assert await here.lacks(is_urgent=True) is False


async def test_more_rows_than_can_be_counted_lack_none() -> None:
    """Nothing is said of what cannot be known."""
    assert await Here(2_000, 5_000).lacks(is_urgent=True) is False


async def test_what_was_known_holds_while_the_ledger_is_away(eventually: Eventually) -> None:
    """A count that fails changes nothing, and is tried again later."""
    here = Here(100, 101)
    await here.lacks()
    await eventually(here.lacks)
    here.now = KEPT_S + 1
    here.rows.gate.clear()
    await here.lacks()
    here.rows.error = OSError("away")
    here.rows.gate.set()
    await here.census.close()

    assert await here.lacks() is True


async def test_closing_ends_what_is_under_way() -> None:
    """Nothing is counted any more for a console that was closed."""
    here = Here(100, 101)
    here.rows.gate.clear()
    await here.lacks()

    await here.census.close()

    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
