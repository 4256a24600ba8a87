"""The books: every job accounted for, every repeat explained, nothing left in Redis."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from chaos_trace import Run, Trace

from arqlite.connections import ArqRedis
from arqlite.jobs import Job, JobResult

_QUEUE = "aq:{arq:queue}:"
# A run that ended this shortly before a kill may not have been acknowledged: its ack travels in the next
# turn, which takes a ms on an idle machine and much longer on one that is torn between ten processes.
ACK_WINDOW_S = 1.0


@dataclass
class Account:
    """What became of the jobs of a test.

    Attributes:
        jobs: how many there were.
        lost: those that never returned.
        repeats: how many runs there were beyond the first of each job.
        unexplained: pairs of runs of which the second had no reason to start.
        most_at_once: the most runs of one job at the same time.
    """

    jobs: int
    lost: set[str] = field(default_factory=set)
    repeats: int = 0
    unexplained: list[tuple[Run, Run]] = field(default_factory=list)
    most_at_once: int = 1

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs, {len(self.lost)} lost, {self.repeats} repeats, "
            f"{len(self.unexplained)} unexplained, at most {self.most_at_once} at once"
        )


def close_books(
    job_ids: Collection[str],
    trace: Trace,
    killed: Mapping[int, float],
    outages: Iterable[tuple[float, float]] = (),
) -> Account:
    """Account for every job.

    Args:
        job_ids: the jobs whose enqueueing was confirmed.
        trace: what ran.
        killed: when which process was killed.
        outages: from when to when the server, or the way to it, was away.
    """
    account = Account(len(job_ids))
    by_job = trace.by_job()
    outages = list(outages)
    for job_id in job_ids:
        runs = by_job.get(job_id, [])
        if not any(run.ended is not None for run in runs):
            account.lost.add(job_id)
        for earlier, later in pairwise(runs):
            account.repeats += 1
            if not _explains(earlier, later, killed, outages):
                account.unexplained.append((earlier, later))
        account.most_at_once = max(account.most_at_once, most_at_once(runs, killed))
    return account


def most_at_once(runs: list[Run], killed: Mapping[int, float]) -> int:
    """The most runs that were under way at the same time."""
    moments = []
    for run in runs:
        ends = [end for end in (run.ended, run.cancelled, killed.get(run.pid)) if end is not None]
        moments += [(run.started, 1), (min(ends, default=float("inf")), -1)]
    now = most = 0
    for _, change in sorted(moments):
        now += change
        most = max(most, now)
    return most


async def left_in_redis(pool: ArqRedis, job_ids: Collection[str]) -> dict[str, object]:
    """What should not be in Redis when all is done: jobs waiting or owned, and records that are no ends."""
    left: dict[str, object] = {}
    for name in ("ready", "sched"):
        if waiting := await pool.zrange(_QUEUE + name, 0, -1):
            left[name] = waiting
    async for key in pool.scan_iter(match="aq:*:run:*", count=1000):
        left[key.decode()] = await pool.smembers(key)
    if dead := await pool.smembers(_QUEUE + "dead"):
        left["dead"] = dead
    if tries := await pool.hgetall(_QUEUE + "tries"):
        left["tries"] = tries
    records = await pool.hgetall(_QUEUE + "jobs")
    if open_jobs := [job_id for job_id in job_ids if records.get(job_id.encode(), b"")[:1] != b"R"]:
        left["no end"] = open_jobs
    return left


async def ended_count(pool: ArqRedis) -> int:
    """How many jobs of the queue have an end."""
    return sum(record[:1] == b"R" for record in await pool.hvals(_QUEUE + "jobs"))


async def result_of(pool: ArqRedis, job_id: str) -> JobResult:
    """How a job ended; it has."""
    result = await Job(job_id, pool).result_info()
    assert result is not None
    return result


def tell(line: str) -> None:
    """Show a figure of this run; pytest shows it with -s or -rP."""
    sys.stdout.write(f"{line}\n")


def _explains(
    earlier: Run, later: Run, killed: Mapping[int, float], outages: list[tuple[float, float]]
) -> bool:
    """Whether the earlier run was cut off, so that the later one had to start."""
    if earlier.reason in ("shutdown", "lost_lease"):
        return True
    death = killed.get(earlier.pid)
    if death is not None and death <= later.started:
        return earlier.ended is None or earlier.ended >= death - ACK_WINDOW_S
    return any(
        since <= later.started and earlier.started <= to and (earlier.ended or to) >= since - ACK_WINDOW_S
        for since, to in outages
    )
