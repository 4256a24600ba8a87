"""Runs one claimed job to its end. Knows no Redis: what is to be stored goes to the acker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_never

from ..engine import Failure, Returned
from ..errors import JobExecutionFailed, SerializationError
from ..model.attempts import encode_attempt
from ..model.causes import cause_of
from ..model.codec import Codec
from ..model.context import running_job
from ..model.memory import NOTHING, Memory
from ..model.outcomes import Again, End, Gone, Interrupted, Outcome, Raised, Verdict, decide
from ..model.outcomes import Returned as ReturnedValue
from ..model.states import COMPLETED, Cause, JobState
from ..telemetry.events import StoppedState
from ..typing import AsyncHook
from ..utils import get_tz, timestamp_ms
from .acker import Acker
from .beginnings import Beginnings
from .deadlines import Deadlines
from .discards import hears_of, tell_of_discard
from .ends import as_failure
from .joblog import JobLog
from .run import Run
from .telling import tell_start, tell_stop

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger.store import FinalRow

logger = logging.getLogger("arqlite.worker")

# How long the errors of a job that goes on are kept: its end says for how long from then on.
_UNTIL_ITS_END = -1
_OVER: dict[Any, Any] = {}
# A process that leaves a job behind is gone after this; before, nobody may start the job again.
_GONE_AFTER_MS = 10_000
# How long `on_discard` of such a job may take.
_DISCARD_PATIENCE_S = 2.0


@dataclass(slots=True)
class Counters:
    """What a worker has done since it started."""

    complete: int = 0
    failed: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True)
class Hooks:
    """A worker's hooks around each job; each gets the job's own `ctx`."""

    on_start: AsyncHook | None = None
    on_end: AsyncHook | None = None
    after_end: AsyncHook | None = None


class Executor:
    """One claimed job to one acknowledgement.

    Args:
        ctx: the worker's state, copied for each job.
        counters: what to count in.
        hooks: what to call around each job.
        codec: how results are written.
        acker: where ends and returns are put.
        deadlines: who times runs out.
        log: who writes the lines about jobs.
        retry_jobs: whether a job may ask to run again.
        deliver: called when somebody waits for what has ended to be acknowledged.
        conclude: awaited with a run that told something of itself, before its fate is handed over.
        on_done: called with the run when it no longer needs its slot.
        beginnings: who keeps the starts of runs for the ledger; None without one.
    """

    def __init__(
        self,
        *,
        ctx: dict[Any, Any],
        counters: Counters,
        hooks: Hooks,
        codec: Codec,
        acker: Acker,
        deadlines: Deadlines,
        log: JobLog,
        retry_jobs: bool,
        deliver: Callable[[], None],
        conclude: Callable[[Run, Verdict], Awaitable[None]],
        on_done: Callable[[Run], None],
        beginnings: Beginnings | None = None,
    ) -> None:
        self.counters = counters
        self._ctx = ctx
        self._hooks = hooks
        self._codec = codec
        self._acker = acker
        self._deadlines = deadlines
        self._log = log
        self._retry_jobs = retry_jobs
        self._deliver = deliver
        self._conclude = conclude
        self._on_done = on_done
        self._beginnings = beginnings
        self._loop = asyncio.get_running_loop()
        self._zone = get_tz() or UTC

    async def run(self, run: Run) -> None:
        """Run a job, decide its fate, and hand that over to be acknowledged."""
        try:
            self._report_start(run)
            outcome = await self._call(run)
            verdict = self._settle(run, outcome)
            try:
                if self._hooks.on_end is not None:
                    await self._guarded(self._hooks.on_end, run, "on_job_end")
                if run.notes is not None:
                    await self._conclude(run, verdict)
                if run.terms.task is not None:
                    await tell_of_discard(run, verdict)
            except asyncio.CancelledError:
                verdict = self._unless_unheard(run, verdict)
                raise
            finally:  # a shutdown may cancel what is awaited here; the job has ended all the same
                stored = self._hand_over(run, verdict)
            if stored is not verdict:
                await tell_of_discard(run, stored)
            if self._hooks.after_end is not None and await self._acknowledged(run):
                await self._guarded(self._hooks.after_end, run, "after_job_end")
        finally:
            run.ctx = _OVER  # its own has the run in it: a circle for the garbage collector to find
            self._on_done(run)

    def refuse(self, run: Run, error: Exception, cause: Cause) -> None:
        """End a job that is not run at all."""
        run.cause = cause
        run.started_ms = run.finished_ms = timestamp_ms()
        self._log.refused(run, error)
        self._hand_over(run, End(JobState.DISCARDED, error))

    async def refuse_aloud(self, run: Run, error: Exception, cause: Cause) -> None:
        """End a job that is not run at all, after its task has heard of it."""
        run.started_ms = timestamp_ms()  # from here on a shutdown may interrupt it
        verdict: Verdict = End(JobState.DISCARDED, error)
        try:
            await tell_of_discard(run, verdict)
        except asyncio.CancelledError:
            verdict = self._unless_unheard(run, verdict)
            raise
        finally:
            if isinstance(verdict, End):
                self.refuse(run, error, cause)
            else:
                run.finished_ms = timestamp_ms()
                self._hand_over(run, verdict)
            self._on_done(run)

    def abort(self, run: Run) -> None:
        """End a claimed job that was cancelled before it could start."""
        run.cancel_reason, run.cause = "abort", Cause.CANCELLED
        run.started_ms = run.finished_ms = timestamp_ms()
        self._log.aborted_before_start(run)
        self._hand_over(run, decide(Interrupted("abort"), retry_jobs=self._retry_jobs))

    def body_of_abort(self, job_try: int) -> bytes:
        """Write the end of a job that is cancelled while it waits; the queue adds the job itself."""
        now_ms = timestamp_ms()
        return self._codec.encode_end(
            JobState.CANCELLED, asyncio.CancelledError(), job_try, now_ms, now_ms, b""
        )

    def was_aborted(self, run: Run) -> None:
        """A job was cancelled after it had gone back to the queue."""
        run.cause = Cause.CANCELLED
        run.started_ms = run.finished_ms = timestamp_ms()
        self._log.aborted_before_start(run)
        self._end(run, End(JobState.CANCELLED, asyncio.CancelledError()))

    def end_again(self, run: Run, row: FinalRow) -> None:
        """End a job that is over by its row: as that tells, without a run, and without telling it again."""
        run.has_begun = True
        run.job_try = row.attempt or run.job_try
        run.started_ms, run.finished_ms = row.started_ms or row.finished_ms, row.finished_ms
        self._log.known(run, row.state)
        self._store_end(run, End(row.state, _value_of(row)))

    async def leave_behind(self, run: Run) -> None:
        """End a job that was aborted or is out of time, and whose run goes on all the same, to be gone with
        its process. Others do not end: they run again elsewhere.
        """
        if run.cancel_reason not in ("abort", "timeout"):
            return
        run.finished_ms = timestamp_ms()
        outcome = Interrupted(run.cancel_reason)
        run.cause = cause_of(outcome, run.cancel_reason)
        verdict = decide(outcome, retry_jobs=self._retry_jobs, task=run.terms.task, job=run)
        if isinstance(verdict, Again):
            verdict.delay_ms = max(verdict.delay_ms or 0, _GONE_AFTER_MS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_PATIENCE_S):
                await tell_of_discard(run, verdict)
        self._hand_over(run, verdict)

    def _report_start(self, run: Run) -> None:
        running_job.set(run)
        run.has_begun = True
        run.started_ms = timestamp_ms()
        self._log.started(run)
        tell_start(run)
        if self._beginnings is not None:
            self._beginnings.begun(run)

    async def _call(self, run: Run) -> Outcome:
        ctx = run.ctx = self._ctx.copy()
        ctx["job_id"] = run.job_id
        ctx["job_try"] = run.job_try
        ctx["enqueue_time"] = datetime.fromtimestamp(run.enqueue_ms / 1000, self._zone)
        ctx["score"] = run.score_ms
        ctx.setdefault("job", run)
        if run.cancel_reason is not None:
            return Interrupted(run.cancel_reason)
        try:
            if self._hooks.on_start is not None:
                await self._hooks.on_start(ctx)
            if run.timeout_s is not None:
                self._deadlines.watch(run, self._loop)
            if run.on_begin is not None:
                run.on_begin(run)
            value = await run.target.coroutine(ctx, *run.args, **run.kwargs)
        except asyncio.CancelledError as error:
            return await self._interrupted(run, error)
        except KeyboardInterrupt:
            raise  # it is meant for the process
        except (GeneratorExit, SystemExit) as error:
            if run.task is None or run.task is not _running_task():
                raise  # not the job raised it: this very coroutine is being closed
            return Raised(as_failure(error))
        except BaseException as error:  # noqa: BLE001 (whatever else a job raises is its outcome)
            return Raised(error)
        return ReturnedValue(value)

    async def _interrupted(self, run: Run, error: asyncio.CancelledError) -> Outcome:
        if run.cancel_reason is None:
            return Raised(error)
        # From here on the task is ours again: hooks may await without meeting the same cancellation.
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        await run.threads_ended()
        return Interrupted(run.cancel_reason, error)

    def _settle(self, run: Run, outcome: Outcome) -> Verdict:
        run.deadline = None
        run.finished_ms = timestamp_ms()
        # A job that swallowed the news of its lost lease still belongs to somebody else.
        if run.cancel_reason == "lost_lease":
            verdict: Verdict = Gone()
        else:
            verdict = decide(outcome, retry_jobs=self._retry_jobs, task=run.terms.task, job=run)
        if not (isinstance(verdict, End) and verdict.state is COMPLETED):
            run.cause = cause_of(outcome, run.cancel_reason)
        self._log.ended(run, outcome, verdict)
        return verdict

    async def _acknowledged(self, run: Run) -> bool:
        """Wait until the fate of a run is stored; False when that is not this worker's to store any more."""
        # The end of a run without a lease goes nowhere: who awaited its way would keep the slot for ever.
        if run.cancel_reason != "lost_lease":
            run.acknowledged = self._loop.create_future()
            self._deliver()
            await run.acknowledged
        return run.cancel_reason != "lost_lease"

    async def _guarded(self, hook: AsyncHook, run: Run, name: str) -> None:
        try:
            await hook(run.ctx)
        except Exception:  # a hook's fault is not the job's, and never the worker's
            logger.exception("%s of %s failed; the job's outcome stands", name, run.ref)

    def _unless_unheard(self, run: Run, verdict: Verdict) -> Verdict:
        """Give a job back whose `on_discard` a shutdown interrupted: it is to hear of the end, elsewhere."""
        if run.cancel_reason != "shutdown" or not self._retry_jobs or not hears_of(run, verdict):
            return verdict
        self._log.unheard(run)
        run.cause = Cause.SHUTDOWN
        return Again(None, counts=False)

    def _hand_over(self, run: Run, verdict: Verdict) -> Verdict:
        """Put the fate of a run where it is acknowledged; returns it as it is stored."""
        if self._beginnings is not None:
            self._beginnings.over(run)
        if run.cancel_reason == "lost_lease":
            verdict = Gone()
        match verdict:
            case End():
                verdict = self._store_end(run, verdict)
                self._end(run, verdict)
            case Again():
                memory = self._return(run, verdict)
                self.counters.retried += 1
                tell_stop(run, _state_of(verdict), verdict.error, memory)
            case Gone():
                run.cause = Cause.LOST
                tell_stop(run, "available", None, run.memory)
            case _:  # pragma: no cover
                assert_never(verdict)
        return verdict

    def _end(self, run: Run, end: End) -> None:
        if end.state is COMPLETED:
            self.counters.complete += 1
        else:
            self.counters.failed += 1
        tell_stop(run, _STOPPED[end.state], end.value)

    def _store_end(self, run: Run, end: End) -> End:
        times = run.job_try, run.started_ms, run.finished_ms
        job = None if self._codec.serializer is None else run.envelope()
        # The common job has none, and need not pay for being asked.
        counters = None if run.memory is NOTHING and run.has_begun else run.counters
        try:
            body = self._codec.encode_end(end.state, end.value, *times, run.blob, job, counters)
        except SerializationError as error:
            self._log.unserializable(run, error)
            run.cause = Cause.ERROR
            end = End(JobState.DISCARDED, error)
            body = self._codec.encode_unserializable(error, *times, run.blob, job, counters)
        if end.state is COMPLETED:
            self._acker.end(run.job_id, run.terms.keep_ms, body)
            return end
        keep_ms = run.terms.keep_ms_of(end.state)
        if end.state is JobState.DISCARDED or run.task is not None:  # what never ran cannot have failed
            self._keep_error(run, end.value, keep_ms)
        self._acker.end(run.job_id, keep_ms, body)
        return end

    def _return(self, run: Run, again: Again) -> Memory:
        """Give a job back to the queue; tells what that remembers of its runs from now on."""
        memory, delay_ms = run.memory, again.delay_ms
        due_ms = run.score_ms if delay_ms is None else run.finished_ms + delay_ms
        if again.is_snooze:
            memory = memory._replace(snoozes=memory.snoozes + 1, due_ms=due_ms, is_retryable=0)
        elif again.counts:
            memory = memory._replace(tries=memory.tries + 1, due_ms=due_ms, is_retryable=1)
        if again.error is not None:
            self._keep_error(run, again.error, _UNTIL_ITS_END)
        text = memory.encode() if memory is not run.memory else ""
        if delay_ms is not None and delay_ms > 0:
            self._acker.give_back(Returned(run.job_id, "scheduled", delay_ms, text))
        else:
            # Who asks to run again at once comes behind those that wait, but for arq's `Retry`.
            at_ms = due_ms if again.is_snooze or again.error is not None else run.score_ms
            self._acker.give_back(Returned(run.job_id, "ready", at_ms, text))
        return memory

    def _keep_error(self, run: Run, error: BaseException, keep_ms: int) -> None:
        if run.cancel_reason == "abort" and isinstance(error, asyncio.CancelledError):
            error = asyncio.CancelledError("aborted while it ran")
        record = encode_attempt(run.attempt, run.finished_ms, run.enqueue_ms, error, run.worker)
        self._acker.fail(Failure(run.job_id, keep_ms, record))


def _value_of(row: FinalRow) -> Any:
    """Make of a row what its job returned, or the exception that ended it."""
    if row.state is COMPLETED:
        return row.output
    if row.state is JobState.CANCELLED:
        return asyncio.CancelledError()
    told = row.error if isinstance(row.error, dict) else {}
    return JobExecutionFailed(": ".join(filter(None, (told.get("type"), told.get("message")))) or "failed")


def _state_of(again: Again) -> StoppedState:
    if again.is_snooze:
        return "snoozed"
    return "retryable" if again.counts else "available"


def _running_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop is running
        return None


_STOPPED: dict[JobState, StoppedState] = {
    JobState.COMPLETED: "completed",
    JobState.DISCARDED: "discarded",
    JobState.CANCELLED: "cancelled",
}
