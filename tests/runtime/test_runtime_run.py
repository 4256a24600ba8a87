"""What a claimed job can tell of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arqlite import Discard, Retry, Snooze, task
from arqlite.model.context import CancelReason
from arqlite.model.functions import func
from arqlite.model.memory import NOTHING
from arqlite.runtime.limits import Limits
from arqlite.runtime.run import Run


def never_asked(failed: Any) -> float:
    raise AssertionError("the back-off was asked")


@task(max_attempts=2, backoff=never_asked, discard_on=(KeyError,))
async def patient(ctx: dict[str, Any]) -> None:
    """A job function by Oban's rules."""


async def plain(ctx: dict[str, Any]) -> None:
    """A job function by arq's."""


def made(function: Any, *, attempt: int = 1, retry_jobs: bool = True) -> Run:
    registered = func(function)
    limits = Limits(None, 0, 5, 3, 0, retry_jobs=retry_jobs)
    memory = NOTHING._replace(tries=attempt - 1)
    terms = limits.terms_of(registered)
    return Run("id", "f", registered, (), {}, b"", attempt, memory, 0, 0, "q", "w", terms)


@pytest.mark.parametrize(
    ("run", "error", "runs_again"),
    [
        (made(plain), ValueError(), False),
        (made(plain), Retry(), True),
        (made(plain), Snooze(1), True),
        (made(plain, retry_jobs=False), Retry(), False),
        (made(patient), ValueError(), True),
        (made(patient), KeyError(), False),
        (made(patient), Discard(), False),
        (made(patient, attempt=2), ValueError(), False),
        (made(patient, attempt=2), Retry(), False),
        (made(patient, retry_jobs=False), ValueError(), False),
    ],
)
def test_job_knows_whether_it_runs_again(run: Run, error: BaseException, runs_again: bool) -> None:
    """What the executor will decide is told beforehand, and the back-off is not asked for that."""
    assert run.runs_again(error) is runs_again


@pytest.mark.parametrize(
    ("reason", "retry_jobs", "runs_again"),
    [
        ("abort", True, False),
        ("timeout", True, False),
        ("shutdown", True, True),
        ("shutdown", False, False),
        ("lost_lease", False, True),
    ],
)
def test_interrupted_job_knows_whether_it_runs_again(
    reason: CancelReason, retry_jobs: bool, runs_again: bool
) -> None:
    """Why it was cancelled decides what becomes of it."""
    run = made(plain, retry_jobs=retry_jobs)
    run.cancel_reason = reason

    assert run.runs_again(asyncio.CancelledError()) is runs_again
