"""The look before the run: what is over by the ledger is not run, and an outage costs a moment or a wait."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from arqlite.ledger.store import FinalRow
from arqlite.model.memory import NOTHING, Memory
from arqlite.model.states import JobState
from arqlite.runtime.precheck import Precheck
from arqlite.runtime.run import Run
from arqlite.runtime.trust import Trust

ENQUEUED_MS = 1_000


class Job:
    """As much of a run as is asked for."""

    def __init__(self, job_id: str, memory: Memory = NOTHING) -> None:
        self.job_id = job_id
        self.memory = memory
        self.enqueue_ms = ENQUEUED_MS


class Bench:
    """A precheck, a ledger that may be away, and what became of jobs."""

    def __init__(self, patience_s: float | None = 0.0, *, is_firm: bool = False) -> None:
        self.rows: dict[str, FinalRow] = {}
        self.asked: list[Sequence[str]] = []
        self.is_away = False
        self.went: list[str] = []
        self.over: list[str] = []
        self.trust = Trust(is_firm)
        self.precheck = Precheck(self.trust, self._ask, patience_s)

    def put(self, *jobs: Job) -> None:
        for job in jobs:
            run = cast("Run", job)
            self.precheck.put(
                run,
                lambda job=job: self.went.append(job.job_id),  # type: ignore[misc]
                lambda run, row: self.over.append(run.job_id),
            )

    def wants(self, job: Job) -> bool:
        return self.precheck.wants(cast("Run", job))

    async def _ask(self, job_ids: Sequence[str]) -> Mapping[str, FinalRow]:
        self.asked.append(job_ids)
        if self.is_away:
            raise ConnectionRefusedError
        return {job_id: self.rows[job_id] for job_id in job_ids if job_id in self.rows}


def row(enqueued_ms: int = ENQUEUED_MS, finished_ms: int = 2_000) -> FinalRow:
    return FinalRow(JobState.COMPLETED, enqueued_ms, None, None, 1, finished_ms, finished_ms)


@asynccontextmanager
async def at_work(bench: Bench) -> AsyncIterator[None]:
    await bench.precheck.start()
    yield
    await bench.precheck.stop()


@pytest.mark.parametrize(
    ("is_firm", "memory", "wanted"),
    [
        (True, NOTHING, False),
        (True, Memory(tries=3), False),
        (True, Memory(crashes=1), True),
        (False, NOTHING, True),
        (False, Memory(crashes=1), True),
    ],
)
def test_jobs_that_are_looked_up(is_firm: bool, memory: Memory, wanted: bool) -> None:
    """A job is looked up if its worker died, and any while Redis may be an older one."""
    assert Bench(is_firm=is_firm).wants(Job("a", memory)) is wanted


async def test_all_that_waits_is_asked_for_at_once(eventually: Any) -> None:
    """The jobs of a turn cost one question; those that are over end, the others start."""
    bench = Bench()
    bench.rows["b"] = row()
    bench.put(Job("a"), Job("b"), Job("c"))
    async with at_work(bench):
        await eventually(lambda: not len(bench.precheck))

    assert bench.asked == [["a", "b", "c"]]
    assert (bench.went, bench.over) == (["a", "c"], ["b"])


@pytest.mark.parametrize(
    ("job", "known", "is_over"),
    [
        (Job("a"), row(), True),
        (Job("a"), row(enqueued_ms=999), False),
        (Job("a"), row(enqueued_ms=1_001), False),
        (Job("a", Memory(crashes=1)), row(), True),
        (Job("a", Memory(revived_ms=1_999)), row(), True),
        (Job("a", Memory(revived_ms=2_000)), row(), False),
        (Job("a", Memory(revived_ms=2_001)), row(), False),
    ],
)
async def test_rows_that_count(job: Job, known: FinalRow, is_over: bool, eventually: Any) -> None:
    """A row tells of the job that was enqueued at its time, unless that was revived since it ended."""
    bench = Bench()
    bench.rows["a"] = known
    bench.put(job)
    async with at_work(bench):
        await eventually(lambda: not len(bench.precheck))

    assert (bool(bench.over), bool(bench.went)) == (is_over, not is_over)


async def test_job_that_was_taken_back_does_not_start(eventually: Any) -> None:
    """A job that was cancelled or given back while it waited has no answer."""
    bench = Bench()
    job = Job("a")
    bench.put(job, Job("b"))

    assert bench.precheck.take(cast("Run", job))
    assert not bench.precheck.take(cast("Run", job))
    async with at_work(bench):
        await eventually(lambda: bench.went)

    assert bench.went == ["b"]


async def test_ledger_away_holds_no_job_up(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """When the ledger is away, jobs start after the patience, and the next at once; it is told once."""
    caplog.set_level(logging.INFO)
    bench = Bench(patience_s=0.0)
    bench.is_away = True
    async with at_work(bench):
        bench.put(Job("a"))
        await eventually(lambda: bench.went == ["a"])

        assert not bench.wants(Job("b"))
        bench.put(Job("c"))
        await eventually(lambda: bench.went == ["a", "c"])

    assert len(caplog.messages) == 1
    assert "run all the same" in caplog.messages[0]


async def test_strict_waits_for_the_ledger(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """In strict mode no job starts before the ledger has answered."""
    caplog.set_level(logging.INFO)
    bench = Bench(patience_s=None)
    bench.is_away = True
    bench.rows["b"] = row()
    async with at_work(bench):
        bench.put(Job("a"), Job("b"))
        await eventually(lambda: len(bench.asked) > 2)
        assert (bench.went, bench.over) == ([], [])
        assert bench.wants(Job("c"))

        bench.is_away = False
        await eventually(lambda: bench.went == ["a"] and bench.over == ["b"])

    assert ["wait until it is back" in caplog.messages[0], len(caplog.messages)] == [True, 2]


def test_doubt_that_came_meanwhile_is_not_confirmed() -> None:
    """Who confirms a doubt that is not the last one confirms nothing."""
    trust = Trust()
    trust.doubt()
    seen = trust.doubts
    trust.doubt()
    trust.confirm(seen)
    assert not trust.is_firm

    trust.confirm(trust.doubts)
    assert trust.is_firm
