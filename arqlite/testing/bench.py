"""The parts of a worker that run one job, without a worker around them: no turns of its own, no services."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine import RedisEngine, Returned
from ..errors import ConfigurationError, JobControl
from ..model.codec import Codec
from ..model.functions import Function
from ..model.outcomes import Again, End, Interrupted, Outcome, Raised, Verdict
from ..runtime.acker import Acker
from ..runtime.deadlines import Deadlines
from ..runtime.executor import Counters, Executor
from ..runtime.intake import Intake, Refused
from ..runtime.joblog import JobLog
from ..runtime.plain import PlainFunctions
from ..runtime.recall import cancel_returned
from ..runtime.reporting import equip
from ..runtime.run import Run
from ..settings import WorkerOptions, get_kwargs

Conclude = Callable[[Run, Verdict], Awaitable[None]]
Store = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Seen:
    """What became of one claimed job.

    Attributes:
        outcome: how its run ended; None when it was not run.
        verdict: what became of the job; None when it was not run.
        error: why it was not run at all, or why its result could not be written.
    """

    outcome: Outcome | None = None
    verdict: Verdict | None = None
    error: Exception | None = None


class _Witness(JobLog):
    """Sees how each run ends, beside writing its lines."""

    def __init__(self, log_results: bool) -> None:
        super().__init__(log_results)
        self.seen = Seen()

    def ended(self, run: Run, outcome: Outcome, verdict: Verdict) -> None:
        """See how a run ended."""
        self.seen.outcome, self.seen.verdict = outcome, verdict
        super().ended(run, outcome, verdict)

    def refused(self, run: Run, error: Exception) -> None:
        """See why a job was not run."""
        self.seen.error = error
        super().refused(run, error)

    def unserializable(self, run: Run, error: Exception) -> None:
        """See why a result could not be written."""
        self.seen.error = error
        super().unserializable(run, error)


class Bench:
    """Runs claimed jobs one at a time, by the same intake, executor and rules as a worker.

    Args:
        options: what the worker would have been told.
        ctx: what jobs and hooks get.
        codec: how jobs are written.
        store: stores what is with the acker; awaited after each run, and where a hook waits for it. None
            leaves it there.
        conclude: see `Executor`; None forgets what jobs tell of themselves.

    Attributes:
        acker: the fates of jobs that are not stored yet.
    """

    def __init__(
        self,
        options: WorkerOptions,
        ctx: dict[Any, Any],
        codec: Codec,
        *,
        store: Store | None = None,
        conclude: Conclude | None = None,
    ) -> None:
        self.acker = Acker()
        self._store = store
        self._active: list[Run] = []
        self._wanted = asyncio.get_running_loop().create_future()
        self._deadlines = Deadlines(lambda: self._active)
        functions = options.table()
        self._plain = PlainFunctions(functions, max_jobs=1, cpu_processes=1, begins=self._deadlines.begin)
        self._intake = Intake(self._plain.table, options.limits(), codec, options.queue)
        self._witness = _Witness(options.log_results)
        equip(ctx)
        self._executor = Executor(
            ctx=ctx,
            counters=Counters(),
            hooks=options.hooks(),
            codec=codec,
            acker=self.acker,
            deadlines=self._deadlines,
            log=self._witness,
            retry_jobs=options.retry_jobs,
            deliver=self._deliver,
            conclude=conclude or _forget,
            on_done=self._active.remove,
        )

    def read(
        self,
        job_id: str,
        record: bytes,
        memory: bytes | None,
        now_ms: int,
        worker: str,
        past: Sequence[bytes] = (),
    ) -> Run | Refused | Returned:
        """See `Intake.read`; `past` is what its failed attempts left."""
        admitted = self._intake.read(job_id, record, memory, now_ms, worker)
        if not isinstance(admitted, Returned):
            run_of(admitted).past = past
        return admitted

    async def run(self, job: Run | Refused) -> Seen:
        """Run a job to its end, in a task of its own as a worker does, and have that stored."""
        self._witness.seen = seen = Seen()
        try:
            if isinstance(job, Refused):
                self._active.append(job.run)
                await self._executor.refuse_aloud(job.run, job.error, job.cause)
            else:
                await self._to_its_end(job)
        finally:  # also of a job that goes back, since its caller was cancelled
            if self._store is not None:
                await self._store()
        return seen

    async def call_off(self, engine: RedisEngine, session: str, jobs: Mapping[str, Run | None]) -> None:
        """Cancel jobs that went back to the queue although somebody had asked for that; None stands for one
        that cannot be run here.
        """
        await cancel_returned(engine, self._executor, session, jobs)

    async def close(self) -> None:
        """End the threads and processes of plain functions."""
        self._deadlines.stop()
        await self._plain.stop()

    async def _to_its_end(self, run: Run) -> None:
        self._active.append(run)
        self._wanted = asyncio.get_running_loop().create_future()
        run.task = asyncio.create_task(self._executor.run(run))
        try:
            waits: list[asyncio.Future[None]] = [run.task, self._wanted]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not run.task.done():
                if self._store is not None:
                    await self._store()
                run.acknowledge()
            await run.task
        except asyncio.CancelledError:
            run.cancel("shutdown")  # it is the caller who is to end, and the job goes back as it was
            run.acknowledge()
            await asyncio.gather(run.task, return_exceptions=True)
            raise

    def _deliver(self) -> None:
        """A hook waits until the end of the run is stored."""
        if not self._wanted.done():
            self._wanted.set_result(None)


def run_of(job: Run | Refused) -> Run:
    """Take the run out of a job that may be one to be refused."""
    return job.run if isinstance(job, Refused) else job


def error_of(seen: Seen) -> BaseException | None:
    """Tell which exception ended a run; None for one that returned or decided its own fate."""
    match seen.outcome, seen.verdict:
        case Raised(error), _:
            return None if isinstance(error, JobControl) else error
        case Interrupted(), End(_, BaseException() as error) | Again(error=BaseException() as error):
            return error
    return None


def options_of(given: Any, queue: str | None = None, extra: Function | None = None) -> WorkerOptions:
    """Make a worker's options of functions, of one function, or of worker settings.

    Args:
        given: any of these.
        queue: the queue's name; None is as the settings have it.
        extra: a function that is known as well.

    Raises:
        ConfigurationError: it is none of these, or an option cannot work.
    """
    told = told_by(given)
    if queue is not None:
        told["queue_name"] = queue
    if extra is not None:
        told["functions"] = [*told.get("functions", ()), extra]
    return WorkerOptions(**told)


def told_by(given: Any) -> dict[str, Any]:
    """Take what a worker is told out of functions, of one function, or of worker settings; not its pool."""
    if is_function(given):
        given = [given]
    if given is None or isinstance(given, list | tuple | set | frozenset):
        return {"functions": list(given or ())}
    told = get_kwargs(given)
    told.pop("redis_pool", None)
    return told


def options_for(function: str, target: Function | None, queue: str, known: Any) -> WorkerOptions:
    """Make the options of a worker that runs one function's jobs.

    Args:
        function: its name.
        target: the function itself, if it is at hand.
        queue: the queue's name.
        known: functions or worker settings that may have it, or None.

    Raises:
        ConfigurationError: it is nowhere to be found.
    """
    names: list[str] = []
    if known or target is not None:
        options = options_of(known, queue, target)
        names = sorted(options.table())
        if function in names:
            return options
    raise ConfigurationError(
        f"no function is named {function!r}; known are {', '.join(names) or 'none'}. "
        "Give the function itself, or functions=[...]"
    )


def is_function(given: Any) -> bool:
    """Tell whether this is one function rather than several, or settings."""
    return isinstance(given, Function | str) or inspect.isroutine(given)


async def _forget(run: Run, verdict: Verdict) -> None:
    """Keep nothing of what a job told of itself."""
