"""The job that the current coroutine runs for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from arqlite.model.context import RunningJob, current_job, running_job


def job(job_id: str) -> RunningJob:
    return cast("RunningJob", SimpleNamespace(job_id=job_id))


def test_no_job_outside() -> None:
    """Code outside a job runs for none."""
    assert current_job() is None


async def test_each_task_sees_its_own_job() -> None:
    """Jobs that run at once do not see each other; a task that a job starts sees the job's."""
    seen: dict[str, Any] = {}
    both = asyncio.Barrier(2)

    async def deep(name: str) -> None:
        found = current_job()
        seen[name] = found and found.job_id

    async def run(name: str) -> None:
        running_job.set(job(name))
        await both.wait()
        await asyncio.create_task(deep(name))

    await asyncio.gather(asyncio.create_task(run("a")), asyncio.create_task(run("b")))

    assert seen == {"a": "a", "b": "b"}
    assert current_job() is None
