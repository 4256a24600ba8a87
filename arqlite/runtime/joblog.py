"""The lines about each job, in arq's words and glyphs: people grep them.

Every line costs about 15 µs, more than running the job does, so nothing is worked out before the
logger has said that it wants the line.
"""

from __future__ import annotations

import logging
from typing import Any, assert_never

from ..errors import Cancel, Discard, InvalidArguments, Retry, RetryJob
from ..model.failures import message_of
from ..model.outcomes import Again, End, Gone, Outcome, Raised, Verdict
from ..model.states import COMPLETED, JobState
from ..utils import DEFAULT_CURTAIL, args_to_string, timestamp_ms, truncate
from .run import Run

logger = logging.getLogger("arqlite.worker")
_jobs_logger = logging.getLogger("arqlite.jobs")
# arq tells the delay of a start only where it is worth a look.
_DELAY_WORTH_TELLING_MS = 1200


class JobLog:
    """Writes the lines about jobs.

    Args:
        log_results: whether results are shown.
    """

    def __init__(self, log_results: bool = True) -> None:
        self._log_results = log_results

    def started(self, run: Run) -> None:
        """A run begins."""
        if not logger.isEnabledFor(logging.INFO):
            return
        extra = f" try={run.job_try}" if run.job_try > 1 else ""
        if run.started_ms - run.score_ms > _DELAY_WORTH_TELLING_MS:
            extra += f" delayed={(run.started_ms - run.score_ms) / 1000:0.2f}s"
        since_enqueue = (run.started_ms - run.enqueue_ms) / 1000
        arguments = _arguments(run)
        logger.info("%6.2fs → %s(%s)%s", since_enqueue, run.ref, arguments, extra)

    def ended(self, run: Run, outcome: Outcome, verdict: Verdict) -> None:
        """A run ended."""
        if isinstance(verdict, End) and verdict.state is COMPLETED:
            if logger.isEnabledFor(logging.INFO):
                logger.info("%6.2fs ← %s ● %s", _took(run), run.ref, self._shown(verdict.value))
            return
        match verdict:
            case End(state, value):
                self._ended_for_good(run, outcome, state, value)
            case Again():
                self._again(run, outcome, verdict)
            case Gone():
                logger.warning("%6.2fs ⊘ %s lost with the lease; it runs elsewhere", _took(run), run.ref)
            case _:  # pragma: no cover
                assert_never(verdict)

    def aborted_before_start(self, run: Run) -> None:
        """A job was cancelled between its claim and its start."""
        logger.info("%6.2fs ⊘ %s aborted before start", _took(run), run.ref)

    def known(self, run: Run, state: JobState) -> None:
        """The ledger knows how a claimed job ended."""
        logger.info("job %s is over by the ledger (%s) and is not run again", run.ref, state.value)

    def refused(self, run: Run, error: Exception) -> None:
        """A job ends without a run."""
        text = message_of(error)
        if text == "job expired":
            logger.warning("job %s expired", run.job_id)
        elif isinstance(error, InvalidArguments):
            logger.error("%6.2fs ! %s failed, %s: %s", _took(run), run.ref, type(error).__name__, text)
        elif text.startswith("max "):
            since_enqueue = (timestamp_ms() - run.enqueue_ms) / 1000
            limit = text.split()[1]
            logger.warning("%6.2fs ! %s max retries %s exceeded", since_enqueue, run.ref, limit)
        else:
            logger.warning("job %s, %s", run.job_id, text)

    def unheard(self, run: Run) -> None:
        """A shutdown interrupted `on_discard`."""
        logger.info(
            "%6.2fs ↻ on_discard of %s was interrupted, the job will be run again", _took(run), run.ref
        )

    def unserializable(self, run: Run, error: Exception) -> None:
        """A result could not be written."""
        _jobs_logger.warning("error serializing result of %s: %s", run.ref, message_of(error))

    def _ended_for_good(self, run: Run, outcome: Outcome, state: JobState, value: Any) -> None:
        if isinstance(value, Cancel):
            logger.info("%6.2fs ⊘ %s cancelled itself: %s", _took(run), run.ref, message_of(value))
        elif state is JobState.CANCELLED:
            logger.info("%6.2fs ⊘ %s aborted", _took(run), run.ref)
        elif isinstance(value, Discard):
            logger.error(
                "%6.2fs ! %s discarded itself: %s", _took(run), run.ref, message_of(value),
                exc_info=value.__cause__,
            )  # fmt: skip
        else:
            error = outcome.error if isinstance(outcome, Raised) else value
            extra = _extra(error)
            logger.error(
                "%6.2fs ! %s failed, %s: %s", _took(run), run.ref, type(error).__name__, message_of(error),
                exc_info=error, extra={"extra": extra} if extra else None,
            )  # fmt: skip

    def _again(self, run: Run, outcome: Outcome, again: Again) -> None:
        seconds = (again.delay_ms or 0) / 1000
        asked = isinstance(outcome, Raised) and not isinstance(outcome.error, RetryJob)
        if again.is_snooze:
            logger.info("%6.2fs ↻ %s snoozed for %0.2fs", _took(run), run.ref, seconds)
        elif again.error is not None and not isinstance(again.error, Retry | RetryJob):
            error = again.error
            logger.warning(
                "%6.2fs ↻ %s failed, %s: %s; attempt %d of %d, the next one in %0.2fs",
                _took(run), run.ref, type(error).__name__, message_of(error), run.attempt, run.max_attempts,
                seconds, exc_info=error,
            )  # fmt: skip
        elif asked and isinstance(outcome, Raised) and hasattr(outcome.error, "defer_score"):
            logger.info("%6.2fs ↻ %s retrying job in %0.2fs", _took(run), run.ref, seconds)
        else:
            logger.info("%6.2fs ↻ %s cancelled, will be run again", _took(run), run.ref)

    def _shown(self, value: Any) -> str:
        if value is None or not self._log_results:
            return ""
        try:
            return truncate(repr(value), DEFAULT_CURTAIL)
        except Exception as broken:  # noqa: BLE001 (a job may return what cannot be shown)
            return f"<{type(value).__name__}: its repr raises {type(broken).__name__}>"


def _took(run: Run) -> float:
    return (run.finished_ms - run.started_ms) / 1000


def _arguments(run: Run) -> str:
    try:
        return args_to_string(run.args, run.kwargs)
    except Exception as broken:  # noqa: BLE001 (a job may be given what cannot be shown)
        return f"<its arguments cannot be shown: {type(broken).__name__}>"


def _extra(error: BaseException) -> Any:
    """Read what an exception wants on its log record: arq's `extra`, a value or a method."""
    try:
        extra = getattr(error, "extra", None)
        return extra() if callable(extra) else extra
    except Exception as broken:  # noqa: BLE001 (nor may a job's exception stop its own end)
        return f"<its extra cannot be had: {type(broken).__name__}>"
