"""From rows to Redis: the one way in which jobs that the ledger has come into their queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..engine import ENQUEUE_CHUNK, Holder, Lock, NewJob, RedisEngine
from ..ledger.store.waiting import StoredJob


@dataclass(slots=True)
class Pushed:
    """What became of jobs that were pushed.

    Attributes:
        taken: the ids that are in their queue now, or were there already as the same job.
        refused: the ids that are not, and who is there instead.
    """

    taken: list[str] = field(default_factory=list)
    refused: dict[str, Holder] = field(default_factory=dict)


async def push(engine: RedisEngine, jobs: Sequence[StoredJob]) -> Pushed:
    """Push jobs; those that the queue has already stay as they are. Each 500 of them go as one."""
    pushed = Pushed()
    for start in range(0, len(jobs), ENQUEUE_CHUNK):
        chunk = jobs[start : start + ENQUEUE_CHUNK]
        refused = await engine.enqueue([_new_job(job) for job in chunk])
        for place, job in enumerate(chunk):
            if place in refused:
                pushed.refused[job.job_id] = refused.holders.get(place, Holder(job.job_id))
            else:
                pushed.taken.append(job.job_id)
    return pushed


def _new_job(job: StoredJob) -> NewJob:
    when = "" if job.due_ms is None else f"={job.due_ms}"
    lock = None if job.lock is None else Lock(*job.lock)  # type: ignore[arg-type]  # (as it was written)
    return NewJob(job.job_id, when, job.record, lock)
