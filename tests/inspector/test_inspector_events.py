"""What is done to jobs by hand is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from inspector_toys import enqueue_everywhere

from arqlite import ArqRedis, Inspector
from arqlite.telemetry import (
    Event,
    JobsManaged,
    QueuePaused,
    QueueResumed,
    QueueScaled,
    QueueStopped,
    attach,
    attached,
    detach,
)


@pytest.fixture
def told() -> Iterator[list[JobsManaged]]:
    events: list[JobsManaged] = []
    attach("inspector-events", [JobsManaged], events.append)
    yield events
    detach("inspector-events")


async def test_moves_by_hand_are_told(arq_redis: ArqRedis, told: list[JobsManaged]) -> None:
    """Each kind of move is told with the jobs that it moved, and with no others."""
    await enqueue_everywhere(arq_redis)
    inspector = Inspector(arq_redis)

    await inspector.cancel_jobs(state=["available", "completed"])
    await inspector.retry_jobs(state="discarded")
    await inspector.update_job("scheduled", {"priority": 3})
    await inspector.delete_jobs(ids=["scheduled", "nobody"])

    assert [(event.queue, event.action, event.job_ids) for event in told] == [
        ("arq:queue", "cancel", ("available",)),
        ("arq:queue", "retry", ("discarded",)),
        ("arq:queue", "update", ("scheduled",)),
        ("arq:queue", "delete", ("scheduled",)),
    ]


async def test_moves_that_move_nothing_are_not_told(arq_redis: ArqRedis, told: list[JobsManaged]) -> None:
    """Where nothing was moved there is nothing to tell."""
    assert await Inspector(arq_redis).cancel_job("nobody") is False
    assert await Inspector(arq_redis).retry_jobs(state="discarded") == 0

    assert told == []


async def test_steering_is_told(arq_redis: ArqRedis) -> None:
    """Whoever pauses, resumes, scales or stops a queue is heard of, once it is done."""
    inspector, events = Inspector(arq_redis), list[Event]()
    with attached("queue.*", events.append):
        await inspector.pause_queue("mail", node="a")
        await inspector.resume_queue("mail")
        await inspector.scale_queue("mail", concurrency=3, rate_limit=None)
        await inspector.stop_queue("mail")

    assert events == [
        QueuePaused("mail", "a"),
        QueueResumed("mail"),
        QueueScaled("mail", {"limit": 3, "rate_limit": None}),
        QueueStopped("mail"),
    ]
