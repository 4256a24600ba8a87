"""A job that was not found: there is none, or whoever knows of it did not answer."""

from __future__ import annotations

from typing import Final

from ..console import Console, Query
from ..model.query import Term

NO_ANSWER: Final = frozenset({"redis-away", "ledger-away", "ledger-migrations", "ledger-slow"})
"""The codes of troubles that say: this could not be asked."""


async def why_unknown(console: Console, queue: str, job_id: str) -> str:
    """Why nobody knows whether a queue has a job that was not found; empty where it has none.

    Args:
        console: has not found it.
        queue: the key of the queue.
        job_id: the id of the job.
    """
    meant = Query((Term("queue", (queue,)), Term("id", (job_id,))))
    found = await console.jobs(meant, limit=1)
    return next((one.text for one in found.troubles if one.code in NO_ANSWER), "")
