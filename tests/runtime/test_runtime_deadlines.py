"""Timeouts: one timer for all runs, and each ends at its own time."""

from __future__ import annotations

import asyncio
from typing import Any

from arqlite.model.functions import func
from arqlite.model.memory import NOTHING
from arqlite.runtime.deadlines import Deadlines
from arqlite.runtime.run import Run


async def job(ctx: Any) -> None: ...


def run(timeout_s: float | None) -> Run:
    made = Run("j", "job", func(job), (), {}, b"", 1, NOTHING, 0, 0, "q", "w")
    made.timeout_s = timeout_s
    return made


async def test_run_over_its_time_is_cancelled(eventually: Any) -> None:
    """A run is cancelled when its time is over, a shorter one before a longer one, whoever came first."""
    long, short, none = run(0.1), run(0.02), run(None)
    deadlines = Deadlines(lambda: [long, short, none])
    loop = asyncio.get_running_loop()
    for one in (long, short, none):
        deadlines.watch(one, loop)

    order: list[str] = []
    await eventually(lambda: short.cancel_reason)
    order += [name for name, one in (("short", short), ("long", long)) if one.cancel_reason]
    await eventually(lambda: long.cancel_reason)

    assert order == ["short"]
    assert {one.cancel_reason for one in (short, long)} == {"timeout"}
    assert none.cancel_reason is None


async def test_run_that_ended_is_left_alone(eventually: Any) -> None:
    """A run that ended in time is not cancelled when the timer fires for it."""
    ended, other = run(0.01), run(0.03)
    deadlines = Deadlines(lambda: [ended, other])
    for one in (ended, other):
        deadlines.watch(one, asyncio.get_running_loop())
    ended.deadline = None

    await eventually(lambda: other.cancel_reason)

    assert ended.cancel_reason is None


async def test_endless_limit_needs_no_timer() -> None:
    """An endless limit is none (in arq it is an OverflowError)."""
    deadlines = Deadlines(list)

    deadlines.watch(run(float("inf")), asyncio.get_running_loop())

    assert deadlines._timer is None


async def test_one_timer_for_many_runs(eventually: Any) -> None:
    """However many runs are watched, one timer runs; stopped, it fires no more."""
    runs = [run(30 + n) for n in range(50)]
    deadlines = Deadlines(lambda: runs)
    loop = asyncio.get_running_loop()
    for one in runs:
        deadlines.watch(one, loop)
    timer = deadlines._timer
    assert timer is not None
    assert abs(timer.when() - loop.time() - 30) < 1

    deadlines.stop()

    assert timer.cancelled()


async def test_first_reason_stays() -> None:
    """A run is cancelled once, and for the first reason."""
    one = run(None)

    assert one.cancel("abort")
    assert not one.cancel("timeout")
    assert one.cancel_reason == "abort"
