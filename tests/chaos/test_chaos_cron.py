"""Cron over several workers of which one is killed: each time once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from chaos_account import tell
from chaos_fleet import Fleet
from chaos_trace import Trace
from chaos_wait import until

from arqlite import Inspector
from arqlite.connections import ArqRedis

SECONDS = 20


def second_of(job_id: str) -> int:
    return int(job_id.rpartition(":")[2]) // 1000


async def test_each_second_runs_once_though_the_leader_is_killed(
    pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """A cron job of each second on three workers for 20 s: killing one half way costs and doubles no time."""
    lease = 2.0
    await fleet.start(3, lease=lease, ticks=True)
    inspector = Inspector(pool)
    leading = await until(inspector.leader, 5, "a leader")

    async def enough(count: int) -> bool:
        return len({run.job_id for run in trace.runs()}) >= count

    await until(lambda: enough(SECONDS // 2), SECONDS, "half of the times")
    # In the middle between two times nothing runs that the kill could cut off.
    await asyncio.sleep((0.5 - time.time()) % 1.0)
    killed = int(leading.split(":")[1])
    fleet.kill(killed)
    follower = await until(lambda: other_than(inspector, leading), lease + 10, "another leader")
    await until(lambda: enough(SECONDS), 3 * SECONDS, "all times")

    runs = Counter(second_of(run.job_id) for run in trace.runs())
    tell(f"cron: {sum(runs.values())} runs of {len(runs)} seconds, led by {leading} and then {follower}")
    first = min(runs)
    assert runs == dict.fromkeys(range(first, max(runs) + 1), 1)
    assert len({run.pid for run in trace.runs()}) >= 2
    assert all(run.pid != killed for run in trace.runs() if second_of(run.job_id) > first + SECONDS * 3 // 4)


async def other_than(inspector: Inspector, session: str) -> str | None:
    leader = await inspector.leader()
    return leader if leader != session else None
