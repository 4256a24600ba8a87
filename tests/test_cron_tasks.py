"""Cron jobs of a `@task`, in a worker: the jobs keep to the task's rules."""

from __future__ import annotations

from typing import Any

from worker_toys import Ctx

from arqlite import ArqRedis, Inspector, cron, current_job, task
from arqlite.telemetry import CronFired, attach, detach

NEVER_SOON: dict[str, Any] = {"month": 2, "day": 29, "weekday": 0, "run_at_startup": True}


async def test_failed_cron_job_of_a_task_is_tried_again(make_worker: Any) -> None:
    """A job of a task that fails is tried again as its task says, also when cron enqueued it."""
    seen: list[tuple[int, tuple[str, ...], str]] = []

    @task(name="flaky", max_attempts=5, backoff=0, tags=["nightly"], meta={"team": "a"})
    async def flaky(ctx: Ctx, region: str) -> None:
        job = current_job()
        seen.append((job.attempt, tuple(job.tags), job.meta["cron_name"]))
        assert job.meta["team"] == "a"
        if job.attempt < 3:
            raise ValueError("not yet")

    worker = make_worker(cron_jobs=[cron(flaky, name="north", args=("north",), **NEVER_SOON)])
    await worker.async_run()

    assert seen == [(attempt, ("nightly",), "north") for attempt in (1, 2, 3)]
    assert worker.jobs_complete == 1


async def test_task_may_be_enqueued_and_fired_in_one_worker(make_worker: Any, arq_redis: ArqRedis) -> None:
    """A task that is among the functions, too, is one function, whoever enqueues its jobs."""
    regions: list[str] = []

    @task(name="report")
    async def report(ctx: Ctx, region: str) -> None:
        regions.append(region)

    await arq_redis.enqueue(report, "by hand")
    await make_worker([report], cron_jobs=[cron(report, args=("by cron",), **NEVER_SOON)]).async_run()

    assert sorted(regions) == ["by cron", "by hand"]


async def test_run_by_hand_is_run_by_the_worker(make_worker: Any, arq_redis: ArqRedis) -> None:
    """What an inspector enqueues of a cron job has its arguments, and its function runs it."""
    regions: list[str] = []
    fired: list[CronFired] = []

    async def report(ctx: Ctx, region: str) -> None:
        regions.append(region)

    jobs = [cron(report, name="north", args=("north",), hour=3)]
    attach("test", [CronFired], fired.append)
    try:
        await make_worker(cron_jobs=jobs).async_run()
        await Inspector(arq_redis).run_cron("north")
        await make_worker(cron_jobs=jobs).async_run()
    finally:
        detach("test")

    assert regions == ["north"]
    assert fired == []
