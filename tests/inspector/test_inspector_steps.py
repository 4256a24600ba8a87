"""Steps of workflows that are changed by hand: what was said to be done stays done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arqlite import ArqRedis, Inspector, Worker, Workflow, call, func
from arqlite.errors import JobBusy
from arqlite.workflows import WorkflowRun

MakeWorker = Callable[..., Worker]
LATER = datetime(2040, 1, 1, tzinfo=UTC)
TRIED: list[tuple[Any, ...]] = []


async def first(ctx: Any) -> int:
    return 1


async def last(ctx: Any, x: int, y: str) -> None:
    TRIED.append((x, y))
    if y == "old":
        raise ValueError(y)


FUNCTIONS = [func(first, name="first"), func(last, name="last")]


@pytest.fixture(autouse=True)
def _nothing_tried() -> None:
    TRIED.clear()


async def enqueue(pool: ArqRedis) -> WorkflowRun:
    flow = Workflow("pair")
    flow.add("last", call("last", flow.add("first", call("first")).result, "old"))
    return await pool.enqueue_workflow(flow)


@pytest.mark.parametrize("change", [{"args": [1, "new"]}, {"scheduled_at": LATER}, {"priority": 3}])
async def test_step_that_waits_for_results_is_not_changed(
    arq_redis: ArqRedis, change: dict[str, Any]
) -> None:
    """A step into which results of others will be written cannot be changed before: that is told."""
    job = await (await enqueue(arq_redis)).job("last")

    with pytest.raises(JobBusy, match="it waits for results of other steps"):
        await Inspector(arq_redis).update_job(job.job_id, change)


async def test_step_that_waits_only_for_ends_is_changed(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A step that takes no results is what it was changed to when its time comes: its time included."""
    flow = Workflow("plain")
    before = flow.add("first", call("first"))
    for name in ("now", "later"):
        flow.add(name, call("last", 1, "old").options(delay=3600 if name == "now" else 0), after=[before])
    run = await arq_redis.enqueue_workflow(flow)
    inspector = Inspector(arq_redis)
    now, later = (await run.job("now")).job_id, (await run.job("later")).job_id
    soon = datetime.now(UTC)
    await inspector.update_job(now, {"args": [2, "new"], "priority": 3, "scheduled_at": soon})
    await inspector.update_job(later, {"scheduled_at": LATER})

    await make_worker(FUNCTIONS, max_burst_jobs=1).main()

    views = [await inspector.job(job_id) for job_id in (now, later)]
    assert [view.state.value for view in views if view] == ["available", "scheduled"]
    assert views[1] is not None
    assert views[1].scheduled_at == LATER
    assert await arq_redis.zscore("aq:{arq:queue}:ready", now) > 3 * 2**42
    await make_worker(FUNCTIONS, max_burst_jobs=1).main()
    assert TRIED == [(2, "new")]


@pytest.mark.parametrize("how", ["ended", "scheduled"])
async def test_changed_step_stays_changed(arq_redis: ArqRedis, make_worker: MakeWorker, how: str) -> None:
    """A failed step that was changed is tried again as it is now when its workflow is retried."""
    run = await enqueue(arq_redis)
    inspector = Inspector(arq_redis)
    await make_worker(FUNCTIONS).main()
    job_id = (await run.job("last")).job_id
    changes: dict[str, Any] = {"args": [5, "old"], "priority": 3}
    if how == "scheduled":
        changes["scheduled_at"] = datetime.now(UTC) - timedelta(seconds=1)
    changed = await inspector.update_job(job_id, changes)
    assert changed.args == (5, "old")
    if how == "scheduled":
        await make_worker(FUNCTIONS).main()

    assert await run.retry() == 1

    retried = await inspector.job(job_id)
    assert retried is not None
    assert (retried.args, retried.priority) == ((5, "old"), 3)
    assert await arq_redis.zscore("aq:{arq:queue}:ready", job_id) > 3 * 2**42
    await make_worker(FUNCTIONS).main()
    assert [(1, "old"), *[(5, "old")] * (1 if how == "ended" else 2)] == TRIED


async def test_step_that_was_changed_before_it_ran(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """What is changed of a step whose time has come is what it is tried with from then on."""
    run = await enqueue(arq_redis)
    inspector = Inspector(arq_redis)
    await make_worker(FUNCTIONS, max_burst_jobs=1).main()
    job_id = (await run.job("last")).job_id
    await inspector.update_job(job_id, {"args": [6, "old"]})
    await make_worker(FUNCTIONS).main()

    assert await run.retry() == 1
    await make_worker(FUNCTIONS).main()

    assert TRIED == [(6, "old"), (6, "old")]
