"""Runs one claimed job to its end. Knows no Redis: what is to be stored goes to the acker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

from ..engine import Returned
from ..errors import SerializationError
from ..model.codec import Codec
from ..model.context import running_job
from ..model.outcomes import Again, End, Gone, Interrupted, Outcome, Raised, Verdict, decide
from ..model.outcomes import Returned as ReturnedValue
from ..model.states import JobState
from ..telemetry import JobStarted, JobStopped, execute, has_handlers
from ..telemetry.events import StoppedState
from ..typing import AsyncHook
from ..utils import get_tz, timestamp_ms
from .acker import Acker
from .deadlines import Deadlines
from .ends import as_failure
from .joblog import JobLog
from .run import Run

logger = logging.getLogger("arqlite.worker")


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
            finally:  # a shutdown may cancel what is awaited here; the job has ended all the same
                self._hand_over(run, verdict)
            if self._hooks.after_end is not None and await self._acknowledged(run):
                await self._guarded(self._hooks.after_end, run, "after_job_end")
        finally:
            self._on_done(run)

    def refuse(self, run: Run, error: Exception) -> None:
        """End a job that is not run at all."""
        run.started_ms = run.finished_ms = timestamp_ms()
        self._log.refused(run, error)
        self._hand_over(run, End(JobState.DISCARDED, error))

    def abort(self, run: Run) -> None:
        """End a claimed job that was cancelled before it could start."""
        run.cancel_reason = "abort"
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
        run.started_ms = run.finished_ms = timestamp_ms()
        self._log.aborted_before_start(run)
        self._end(run, End(JobState.CANCELLED, asyncio.CancelledError()))

    def leave_behind(self, run: Run) -> None:
        """End a job that was aborted or is out of time, and whose run goes on all the same, to be gone with
        its process. Others do not end: they run again elsewhere.
        """
        if run.cancel_reason in ("abort", "timeout"):
            run.finished_ms = timestamp_ms()
            self._hand_over(run, decide(Interrupted(run.cancel_reason), retry_jobs=self._retry_jobs))

    def _report_start(self, run: Run) -> None:
        running_job.set(run)
        run.started_ms = timestamp_ms()
        self._log.started(run)
        if has_handlers(JobStarted):
            self._tell_start(run)

    def _tell_start(self, run: Run) -> None:
        execute(
            JobStarted(
                queue=run.queue_name,
                job_id=run.job_id,
                function=run.function,
                attempt=run.job_try,
                worker=run.worker,
                at_ms=run.started_ms,
                enqueue_ms=run.enqueue_ms,
            )
        )

    async def _call(self, run: Run) -> Outcome:
        ctx = run.ctx = self._ctx.copy()
        ctx["job_id"] = run.job_id
        ctx["job_try"] = run.job_try
        ctx["enqueue_time"] = datetime.fromtimestamp(run.enqueue_ms / 1000, self._zone)
        ctx["score"] = run.score_ms
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
        return Interrupted(run.cancel_reason)

    def _settle(self, run: Run, outcome: Outcome) -> Verdict:
        run.deadline = None
        run.finished_ms = timestamp_ms()
        # A job that swallowed the news of its lost lease still belongs to somebody else.
        verdict = (
            Gone() if run.cancel_reason == "lost_lease" else decide(outcome, retry_jobs=self._retry_jobs)
        )
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

    def _hand_over(self, run: Run, verdict: Verdict) -> None:
        if run.cancel_reason == "lost_lease":
            verdict = Gone()
        match verdict:
            case End():
                self._end(run, self._store_end(run, verdict))
            case Again(delay_ms, counts):
                self._return(run, delay_ms, counts)
                self.counters.retried += 1
                self._report_stop(run, "retryable" if counts else "available", None)
            case Gone():
                self._report_stop(run, "available", None)
            case _:  # pragma: no cover
                assert_never(verdict)

    def _end(self, run: Run, end: End) -> None:
        if end.state is JobState.COMPLETED:
            self.counters.complete += 1
        else:
            self.counters.failed += 1
        if has_handlers(JobStopped):
            self._report_stop(run, _STOPPED[end.state], end.value)

    def _store_end(self, run: Run, end: End) -> End:
        times = run.job_try, run.started_ms, run.finished_ms
        job = None if self._codec.serializer is None else run.envelope()
        try:
            body = self._codec.encode_end(end.state, end.value, *times, run.blob, job)
        except SerializationError as error:
            self._log.unserializable(run, error)
            end = End(JobState.DISCARDED, error)
            body = self._codec.encode_unserializable(error, *times, run.blob, job)
        self._acker.end(run.job_id, run.keep_ms, body)
        return end

    def _return(self, run: Run, delay_ms: int | None, counts: bool) -> None:
        memory = run.memory
        if counts:
            due_ms = run.score_ms if delay_ms is None else run.finished_ms + delay_ms
            memory = memory._replace(tries=memory.tries + 1, due_ms=due_ms)
        text = memory.encode() if counts else ""
        if delay_ms is None or delay_ms <= 0:
            self._acker.give_back(Returned(run.job_id, "ready", run.score_ms, text))
        else:
            self._acker.give_back(Returned(run.job_id, "scheduled", delay_ms, text))

    def _report_stop(self, run: Run, state: StoppedState, value: Any) -> None:
        if not has_handlers(JobStopped):
            return
        failed = isinstance(value, BaseException) and state != "completed"
        duration = run.finished_ms - run.started_ms
        execute(
            JobStopped(
                run.queue_name, run.job_id, run.function, run.job_try, run.worker, state, duration,
                None if failed else value, value if failed else None, run.finished_ms, run.enqueue_ms,
            )
        )  # fmt: skip


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
