"""Jobs that were cancelled without a run: steps of workflows, since another did not end well, and those of a
worker that died before it did as it was asked to.
"""

from __future__ import annotations

import asyncio

from ..engine import Turn
from ..errors import Cancel
from ..model.states import Cause
from ..telemetry import JobStopped, execute

# Stands before the id of one whose worker died before it cancelled it.
OF_A_RESCUE = b"\0"


def tell_swept(queue: str, turn: Turn) -> None:
    """Report the ends of jobs that nobody ran; the ledger, for one, must not wait for them."""
    for raw_id in turn.swept:
        error: BaseException = Cancel("a job that it waited for did not end well")
        if raw_id.startswith(OF_A_RESCUE):
            error = asyncio.CancelledError()
        job_id = raw_id.removeprefix(OF_A_RESCUE).decode(errors="backslashreplace")
        execute(
            JobStopped(
                queue, job_id, "", 0, "", "cancelled", 0, None, error, turn.now_ms, 0, cause=Cause.CANCELLED
            )
        )  # fmt: skip
