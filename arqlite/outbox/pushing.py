"""From rows to Redis: the one way in which jobs that the ledger has come into their queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..engine import ENQUEUE_CHUNK, Holder, Lock, NewJob, RedisEngine, Restored
from ..ledger.store.waiting import StoredJob


@dataclass(slots=True)
class Pushed:
    """What became of jobs that were pushed.

    Attributes:
        taken: the ids that are in their queue now, or were there already as the same job.
        refused: the ids that are not, and who is there instead.
        over: the ids of jobs that had been pushed before and have ended since, with the letter of the state; of those
            that are pushed again only.
    """

    taken: list[str] = field(default_factory=list)
    refused: dict[str, Holder] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)


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


async def push_again(engine: RedisEngine, jobs: Sequence[StoredJob], *, was_accepted: bool) -> Pushed:
    """Push jobs that may have been pushed before, with what is remembered of their runs.

    Those that are there already, or that ended lately, stay as they are.

    Args:
        engine: the queue.
        jobs: what to push.
        was_accepted: whether they are known to have been there: then an equal job does not keep them out.
    """
    unrestored = await engine.restore([restored(job, was_accepted=was_accepted) for job in jobs])
    pushed = Pushed()
    for place, job in enumerate(jobs):
        if place in unrestored.over:
            pushed.over[job.job_id] = unrestored.over[place]
        elif place in unrestored.others:
            pushed.refused[job.job_id] = unrestored.others[place]
        else:
            pushed.taken.append(job.job_id)
    return pushed


def restored(job: StoredJob, *, was_accepted: bool) -> Restored:
    """A job as it is put back; see `push_again`."""
    new = _new_job(job)
    return Restored(new.job_id, new.when, new.record, job.memory, new.lock, was_accepted)


def _new_job(job: StoredJob) -> NewJob:
    when = "" if job.due_ms is None else f"={job.due_ms}"
    lock = None if job.lock is None else Lock(*job.lock)  # type: ignore[arg-type]  # (as it was written)
    return NewJob(job.job_id, when, job.record, lock)
