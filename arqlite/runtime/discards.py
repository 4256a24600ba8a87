"""A task hears of its jobs that have failed for good."""

from __future__ import annotations

import asyncio
import inspect
import logging

from ..model.functions import is_coroutine_function
from ..model.outcomes import End, Verdict
from ..model.states import JobState
from .run import Run

logger = logging.getLogger("arqlite.worker")


def hears_of(run: Run, verdict: Verdict) -> bool:
    """Tell whether `on_discard` is to be called for what became of a run."""
    task = run.terms.task
    if task is None or task.on_discard is None or run.cancel_reason == "lost_lease":
        return False
    return isinstance(verdict, End) and verdict.state is JobState.DISCARDED


async def tell_of_discard(run: Run, verdict: Verdict) -> None:
    """Call `on_discard` of a task whose job is discarded; what it raises harms nobody.

    It is called before the end is stored: a worker that dies in between calls it once more, elsewhere.
    """
    task = run.terms.task
    if not isinstance(verdict, End) or task is None or task.on_discard is None or not hears_of(run, verdict):
        return
    try:
        if is_coroutine_function(task.on_discard):
            await task.on_discard(run, verdict.value)
        else:
            given = await asyncio.to_thread(task.on_discard, run, verdict.value)
            if inspect.isawaitable(given):
                await given
    except Exception:  # a fault of it is not the job's, and never the worker's
        logger.exception("on_discard of %s failed; the job is discarded all the same", run.ref)
