"""The wiring: what a worker's parts are told of one another."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite import func, task
from arqlite.crew import _hang_limit
from arqlite.settings import WorkerOptions


async def job(ctx: dict[Any, Any]) -> None: ...


@pytest.mark.parametrize(
    ("functions", "job_timeout", "limit"),
    [
        ([job], 300, 315.0),
        ([job, func(job, name="long", timeout=1000)], 300, 1015.0),
        ([func(job, timeout=5)], 300, 20.0),
        ([job, func(job, name="endless", timeout=float("inf"))], 300, float("inf")),
        ([job, func(job, name="short", timeout=5)], None, None),
        ([task(job)], 300, 315.0),
        ([task(timeout=5)(job)], 300, 20.0),
    ],
)
def test_loop_may_stand_still_as_long_as_the_longest_job_and_a_lease(
    functions: list[Any], job_timeout: float | None, limit: float | None
) -> None:
    """A hung loop is given up after the longest timeout and a lease; never where a job has no limit."""
    options = WorkerOptions(functions=functions, job_timeout=job_timeout, lease=15)

    assert _hang_limit(options.table(), options.limits(), options.lease_ms) == limit
