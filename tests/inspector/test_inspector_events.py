"""What is done to jobs by hand is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from inspector_toys import enqueue_everywhere

from arqlite import ArqRedis, Inspector
from arqlite.telemetry import JobsManaged, attach, detach


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
