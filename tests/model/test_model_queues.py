"""What is told of a queue."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite.model.limits import GlobalLimit
from arqlite.model.queues import QueueInfo, SessionInfo


def worker(limit: int, *, paused: bool = False, is_alive: bool = True) -> SessionInfo:
    return SessionInfo("s", "node", 1, limit, (), None, paused, is_alive=is_alive)


def queue(*sessions: SessionInfo, global_limit: GlobalLimit | None = None) -> QueueInfo:
    told: dict[str, Any] = dict.fromkeys(("limit", "rate_limit", "rate_used"))
    return QueueInfo("q", False, waiting=0, scheduled=0, sessions=sessions, global_limit=global_limit, **told)


@pytest.mark.parametrize(
    ("info", "slots"),
    [
        pytest.param(queue(worker(10), worker(4)), 14, id="all together"),
        pytest.param(queue(worker(10), worker(4, paused=True)), 10, id="not those of paused workers"),
        pytest.param(queue(worker(10), worker(4, is_alive=False)), 10, id="not those of dead workers"),
        pytest.param(queue(worker(10), global_limit=GlobalLimit(8)), 8, id="no more than the limit"),
        pytest.param(queue(worker(4), global_limit=GlobalLimit(8)), 4, id="no more than there are"),
        pytest.param(queue(global_limit=GlobalLimit(8)), 0, id="none without a worker"),
        pytest.param(
            queue(worker(4, paused=True), global_limit=GlobalLimit(8)), 0, id="none where all are paused"
        ),
        pytest.param(
            queue(worker(10), global_limit=GlobalLimit(2, "args.tenant")),
            10,
            id="partitions are not added up",
        ),
    ],
)
def test_so_many_jobs_can_run_at_once(info: QueueInfo, slots: int) -> None:
    """What can run at once is one number, for all who tell it."""
    assert info.slots == slots
