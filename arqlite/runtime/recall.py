"""Jobs that somebody asked to cancel at the moment when they went back to the queue."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..engine import RedisEngine
from .executor import Executor
from .outage import REDIS_TROUBLE
from .run import Run

logger = logging.getLogger("arqlite.worker")

# Where no function says how long its results are kept.
_KEEP_MS = 3_600_000


async def cancel_returned(
    engine: RedisEngine, executor: Executor, session: str, jobs: Mapping[str, Run | None]
) -> None:
    """Cancel jobs where they are now: they wait again, or another worker has them and is asked.

    Args:
        engine: the queue.
        executor: writes and reports their ends.
        session: put them back.
        jobs: the jobs; None stands for one that this worker cannot run.
    """
    for job_id, run in jobs.items():
        body = executor.body_of_abort(run.job_try if run else 0)
        keep_ms = run.terms.keep_cancelled_ms if run else _KEEP_MS
        try:
            answer = await engine.cancel(job_id, body, keep_ms, session)
        except REDIS_TROUBLE as error:
            logger.warning("job %s went back to the queue and could not be aborted there: %s", job_id, error)
            continue
        if answer == "cancelled" and run is not None:
            executor.was_aborted(run)
