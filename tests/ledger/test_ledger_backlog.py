"""What waits to be written, and what is counted of it."""

from __future__ import annotations

from typing import Any

import pytest
from recorder_toys import START_MS, started, stopped

from arqlite.ledger.backlog import Backlog
from arqlite.ledger.batches import batch_of
from arqlite.ledger.redaction import NOTHING_HIDDEN
from arqlite.model.functions import func
from arqlite.model.memory import NOTHING
from arqlite.runtime.run import Run


async def work(ctx: dict[str, Any]) -> None:
    """Never called."""


def ended(job_id: str = "job-1", took: int = 40) -> Run:
    """A run that ended well, as a worker has it at hand."""
    stored = {"f": "work", "et": START_MS}
    run = Run(
        job_id, "work", func(work), (), {}, b"{}", 1, NOTHING, START_MS, START_MS, "arq:queue", "host:1:a",
        stored=stored,
    )  # fmt: skip
    run.started_ms, run.finished_ms, run.has_begun = START_MS + 10, START_MS + 10 + took, True
    return run


@pytest.fixture
def backlog() -> Backlog:
    """One whose clock tells how often it was asked."""
    ticks = iter(range(1_000))
    return Backlog(int, NOTHING_HIDDEN, lambda: float(next(ticks)))


@pytest.mark.parametrize("is_at_hand", [True, False])
def test_end_takes_the_place_of_its_start(backlog: Backlog, is_at_hand: bool) -> None:
    """A run whose start waits is one entry, as old as its start; both were told."""
    backlog.add(started())
    _end(backlog, is_at_hand)

    assert (backlog.told, backlog.waiting, backlog.written()) == (2, 1, 0)
    [(number, told_at, told)] = backlog.take_runs(10)
    assert (number, told_at, told[0][0]) == (1, 0.0, "job-1")


@pytest.mark.parametrize("is_at_hand", [True, False])
def test_end_after_a_written_start_is_an_entry_of_its_own(backlog: Backlog, is_at_hand: bool) -> None:
    """The start was taken to be written: the end is what was told last, and nothing of the run is left."""
    backlog.add(started())
    backlog.settle_runs(backlog.take_runs(10))
    _end(backlog, is_at_hand)

    assert (backlog.told, backlog.waiting, backlog.written()) == (2, 1, 1)
    [(number, _, _)] = taken = backlog.take_runs(10)
    backlog.settle_runs(taken)
    assert (number, backlog.waiting, backlog.written(), backlog.has_more) == (2, 0, 2, False)
    assert not backlog._going_on


def test_alike_ends_count_as_often_as_they_are(backlog: Backlog) -> None:
    """Ends of the same times are counted together, others beside them, and what needs its event with them."""
    for run in (ended("a"), ended("b"), ended("c", took=90)):
        backlog.end(run, None)
    backlog.add(stopped(job_id="d", attempt=2, took=200))

    batch = batch_of(told for _, _, told in backlog.take_runs(10))

    [(_, sums)] = batch.minutes.items()
    assert sums == [4, 40 + 40 + 90 + 200, 10 + 10 + 10, 200, 10]
    [(ran, waited)] = batch.spreads.values()
    assert (sum(ran.values()), sorted(ran.values()), sum(waited.values())) == (4, [1, 1, 2], 4)
    assert [end[0][0] for end in batch.ends] == ["a", "b", "c"]


def _end(backlog: Backlog, is_at_hand: bool) -> None:
    if is_at_hand:
        assert backlog.end(ended(), None)
    else:
        backlog.add(stopped())
