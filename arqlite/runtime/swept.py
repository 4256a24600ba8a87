"""Steps of workflows that were cancelled without a run, since another one did not end well."""

from __future__ import annotations

from ..engine import Turn
from ..errors import Cancel
from ..telemetry import JobStopped, execute


def tell_swept(queue: str, turn: Turn) -> None:
    """Report the ends of jobs that nobody ran; the ledger, for one, must not wait for them."""
    for raw_id in turn.swept:
        error = Cancel("a job that it waited for did not end well")
        job_id = raw_id.decode(errors="backslashreplace")
        execute(JobStopped(queue, job_id, "", 0, "", "cancelled", 0, None, error, turn.now_ms, 0))
