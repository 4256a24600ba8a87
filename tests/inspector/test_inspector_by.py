"""Who did it: the events of what is done by hand tell it."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite import ArqRedis, Inspector, telemetry


@pytest.mark.parametrize("by", ["ada", ""])
async def test_events_tell_who_did_it(arq_redis: ArqRedis, by: str) -> None:
    """Whatever is done to jobs and queues is told with the name that the inspector was given."""
    inspector = Inspector(arq_redis, by=by) if by else Inspector(arq_redis)
    told: list[Any] = []
    job = await arq_redis.enqueue_job("work", _job_id="a")
    assert job is not None

    with telemetry.attached(["job.manage", "queue.*"], told.append):
        await inspector.update_job("a", {"priority": 3})
        await inspector.cancel_job("a")
        await inspector.retry_job("a")
        await inspector.delete_job("a")
        await inspector.pause_queue("q")
        await inspector.resume_queue("q", node="n")
        await inspector.scale_queue("q", limit=2)
        await inspector.stop_queue("q")

    assert [(event.name, event.by) for event in told] == [
        *(("job.manage", by) for _ in range(4)),
        ("queue.pause", by),
        ("queue.resume", by),
        ("queue.scale", by),
        ("queue.stop", by),
    ]
