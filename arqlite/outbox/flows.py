"""The rows of a workflow's steps: all in one transaction before it is stored, or a moment after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ..engine import NewStep
from ..ledger import Ledger
from ..ledger.accepting import AcceptedJob
from ..ledger.queued import queued_row
from ..ledger.rows import BY_QUEUE, utc_now
from ..model.codec import Codec, blob_of
from ..model.states import JobState
from .following import Followers
from .rowbatch import NewRow, RowBatch


@asynccontextmanager
async def flow_rows(
    ledger: Ledger, rows: RowBatch, followers: Followers, queue: str, steps: Sequence[NewStep], codec: Codec
) -> AsyncIterator[None]:
    """Write the rows of steps around the block that stores them.

    If a strict ledger has them and the block fails, the reconciler says of them that their jobs are lost.

    Raises:
        LedgerUnavailable: the ledger is strict and away; the block has not begun.
    """
    jobs = [_accepted(queue, step, codec) for step in steps if step.record]
    if ledger.is_strict:
        # Told as pushed: of a workflow that is only here, no relay is to begin the first steps.
        at = utc_now()
        made = [queued_row(job, ledger.redaction) | {"pushed_at": at} for job in jobs]
        await rows.commit_all([NewRow(values, has_own_id=False) for values in made])
        yield
    else:
        yield
        (await followers.writer(queue)).accept(jobs)


def _accepted(queue: str, step: NewStep, codec: Codec) -> AcceptedJob:
    """Tell the ledger of a step. It keeps no record until it begins: alone it is not what was meant."""
    job = codec.decode_job(blob_of(step.record))
    return AcceptedJob(
        step.job_id,
        queue,
        job["f"],
        tuple(job.get("a") or ()),
        job.get("k") or {},
        job["et"],
        job.get("at"),
        tags=tuple(job.get("g") or ()),
        meta=job.get("m") or {},
        priority=job.get("p") or 0,
        max_attempts=job.get("ma") or job.get("tm"),
        triggered_by=job.get("by") or BY_QUEUE,
        parent=job.get("pa") or "",
        state=JobState.SUSPENDED if step.needs else None,
    )
