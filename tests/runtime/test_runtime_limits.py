"""What holds for the jobs of a function: its own limits before the worker's."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite import func, task
from arqlite.model.states import JobState
from arqlite.runtime.limits import Limits

HOUR, WEEK = 3_600_000, 7 * 86_400_000


async def work(ctx: Any) -> None: ...


def limits(**options: Any) -> Limits:
    given = {"timeout_s": 300, "keep_ms": HOUR, "max_tries": 5, "max_rescues": 3, "unknown_ttl_ms": 0}
    return Limits(**{**given, **options})


def kept(function: Any, **options: Any) -> list[int]:
    """Tell how long the end of a completed, a discarded and a cancelled job is kept."""
    terms = limits(**options).terms_of(function)
    states = (JobState.COMPLETED, JobState.DISCARDED, JobState.CANCELLED)
    return [terms.keep_ms_of(state) for state in states]


@pytest.mark.parametrize(
    ("of_worker", "of_task", "ms"),
    [
        ({}, {}, [HOUR, WEEK, WEEK]),
        ({"keep_ms": 0}, {}, [0, WEEK, WEEK]),
        ({"keep_ms": -1}, {}, [-1, -1, -1]),
        ({"keep_ms": 2 * WEEK}, {}, [2 * WEEK, 2 * WEEK, 2 * WEEK]),
        ({}, {"keep_result": 5}, [5000, WEEK, WEEK]),
        ({}, {"keep_result_forever": True}, [-1, -1, -1]),
        ({"keep_discarded_ms": 7}, {}, [HOUR, 7, WEEK]),
        ({"keep_cancelled_ms": 0}, {}, [HOUR, WEEK, 0]),
    ],
)
def test_ends_of_tasks_are_kept(of_worker: dict[str, Any], of_task: dict[str, Any], ms: list[int]) -> None:
    """What did not complete is kept a week, or as long as a result or the worker says."""
    assert kept(task(**of_task)(work), **of_worker) == ms


@pytest.mark.parametrize(
    ("of_worker", "of_function", "ms"),
    [
        ({}, {}, [HOUR, HOUR, HOUR]),
        ({"keep_ms": 0}, {}, [0, 0, 0]),
        ({}, {"keep_result": 5}, [5000, 5000, 5000]),
        ({"keep_discarded_ms": 7, "keep_cancelled_ms": 8}, {}, [HOUR, 7, 8]),
    ],
)
def test_ends_of_bare_functions_are_kept(
    of_worker: dict[str, Any], of_function: dict[str, Any], ms: list[int]
) -> None:
    """All ends of a bare function are kept as long as its result, unless the worker says otherwise."""
    assert kept(func(work, **of_function), **of_worker) == ms


def test_time_limits() -> None:
    """The worker's time limit is for bare functions; a task has only its own."""
    assert limits().terms_of(func(work)).timeout_s == 300
    assert limits().terms_of(func(work, timeout=5)).timeout_s == 5
    assert limits().terms_of(task(work)).timeout_s is None
    assert limits().terms_of(task(timeout=5)(work)).timeout_s == 5


def test_attempts() -> None:
    """A task's jobs have its attempts, those of a bare function its tries or the worker's."""
    assert limits().terms_of(func(work)).max_attempts == 5
    assert limits().terms_of(func(work, max_tries=2)).max_attempts == 2
    assert limits().terms_of(task(work)).max_attempts == 20
