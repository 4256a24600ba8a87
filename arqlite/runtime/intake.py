"""From what a turn brought to runs that may start; what may not start is settled here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine import Returned
from ..errors import DeserializationError, InvalidArguments, JobExecutionFailed
from ..model import memory as memories
from ..model.arguments import Problem, signature_of, unfit
from ..model.codec import Codec, blob_of
from ..model.functions import Function
from ..model.memory import Memory
from ..model.outcomes import Refusal, refuse
from ..model.states import Cause
from .limits import Limits
from .run import Run

logger = logging.getLogger("arqlite.worker")

# A job nobody here knows is looked at again soon, for a worker that knows it may be starting, and
# then ever less often: each look costs the worker a claim.
_UNKNOWN_FIRST_LOOK_MS, _UNKNOWN_LAST_LOOK_MS = 500, 30_000


@dataclass(slots=True)
class Refused:
    """A claimed job that ends without a run."""

    run: Run
    error: Exception
    cause: Cause = Cause.REFUSED


class Intake:
    """Reads claimed jobs and looks up what they ask for.

    Args:
        functions: what this worker can run, by name.
        limits: the worker's limits.
        codec: how jobs are written.
        queue_name: the queue.
    """

    def __init__(
        self, functions: Mapping[str, Function], limits: Limits, codec: Codec, queue_name: str
    ) -> None:
        self._functions = functions
        self._limits = limits
        self._codec = codec
        self._queue_name = queue_name
        self._terms = {name: limits.terms_of(function) for name, function in functions.items()}
        self._unknown_terms = limits.terms_of(_UNKNOWN)
        self._told: set[str] = set()
        self._signatures = {
            name: signature
            for name, function in functions.items()
            if not (signature := signature_of(function.coroutine)).is_bare or limits.is_strict_for(function)
            # A serializer of the user's own keeps the types that JSON loses: nothing has to be restored.
            if codec.deserializer is None or limits.is_strict_for(function)
        }

    def read(
        self, job_id: str, record: bytes, memory_text: bytes | None, now_ms: int, worker: str
    ) -> Run | Refused | Returned:
        """Turn a claimed record into a run, a refusal, or a return to the queue for another worker."""
        memory = memories.decode(memory_text) if memory_text else memories.NOTHING
        blob = blob_of(record)
        try:
            job = self._codec.decode_job(blob)
        except DeserializationError as error:
            logger.exception("deserializing job %s failed", job_id)
            return Refused(self._unreadable(job_id, blob, memory, worker), error)
        name = job["f"]
        function = self._functions.get(name)
        if function is None:
            return self._of_unknown_function(job_id, name, blob, memory, now_ms, worker)
        first_try = job.get("t") or 1
        args, kwargs, refused = job.get("a") or (), job.get("k") or {}, None
        if name in self._signatures:
            args, kwargs, refused = self._fitted(job_id, function, args, kwargs)
        run = Run(
            job_id, name, function, args, kwargs, blob,
            first_try + memory.tries + memory.crashes, memory, job["et"],
            memory.due_ms or job.get("at") or job["et"], self._queue_name, worker, self._terms[name], job,
        )  # fmt: skip
        if "ma" in job and run.terms.task is None:
            self._tell_of_attempts(job_id, name)
        if first_try > 1 or memory is not memories.NOTHING or "x" in job:
            refusal = self._refusal(run, job.get("x"), now_ms)
            if refusal is not None:
                return Refused(run, *refusal)
        return run if refused is None else Refused(run, refused)

    def _fitted(
        self, job_id: str, function: Function, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Sequence[Any], dict[str, Any], InvalidArguments | None]:
        """Make arguments what the function's annotations say; tell why they may not be run with."""
        signature = self._signatures[function.name]
        fitted, named, problems = signature.fit(args, kwargs)
        if not self._limits.is_strict_for(function):
            for problem in problems:
                self._warn_once(job_id, function.name, problem)
            return fitted, named, None
        try:
            signature.check_names(function.name, args, kwargs)
        except InvalidArguments as error:
            return args, kwargs, error
        return fitted, named, unfit(function.name, problems) if problems else None

    def _warn_once(self, job_id: str, function: str, problem: Problem) -> None:
        seen = f"{function}({problem.parameter})"
        if seen not in self._told:
            self._told.add(seen)
            logger.warning(
                "job %s: an argument of %s does not fit its annotation and arrives as it came: %s: %s",
                job_id, function, *problem,
            )  # fmt: skip

    def _tell_of_attempts(self, job_id: str, function: str) -> None:
        """Whoever enqueued it by name could not know that a failure of it is final."""
        seen = f"{function}: max_attempts"
        if seen not in self._told:
            self._told.add(seen)
            logger.warning(
                "job %s: it was enqueued with max_attempts, and %s is a bare function: what fails is not"
                " tried again unless it raises Retry; write @task",
                job_id, function,
            )  # fmt: skip

    def _refusal(self, run: Run, expires_ms: int | None, now_ms: int) -> Refusal | None:
        return refuse(
            tries=run.attempt - 1,
            crashes=run.memory.crashes - run.memory.pardoned,
            max_tries=run.max_attempts,
            max_rescues=self._limits.max_rescues,
            expires_ms=expires_ms,
            now_ms=now_ms,
            is_task=run.terms.task is not None,
        )

    def _of_unknown_function(
        self, job_id: str, name: str, blob: bytes, memory: Memory, now_ms: int, worker: str
    ) -> Refused | Returned:
        since = memory.unknown_since_ms or now_ms
        age = now_ms - since
        if age >= self._limits.unknown_ttl_ms:
            run = self._unreadable(job_id, blob, memory, worker)
            run.function = name
            return Refused(run, JobExecutionFailed(f"function {name!r} not found"), Cause.EXPIRED)
        if name not in self._told:
            self._told.add(name)
            known = ", ".join(sorted(self._functions)) or "none"
            logger.warning(
                "job %s, function %r not found; kept for a worker that knows it (this one knows %s)",
                job_id, name, known,
            )  # fmt: skip
        delay = min(max(age, _UNKNOWN_FIRST_LOOK_MS), _UNKNOWN_LAST_LOOK_MS)
        return Returned(job_id, "scheduled", delay, memory._replace(unknown_since_ms=since).encode())

    def _unreadable(self, job_id: str, blob: bytes, memory: Memory, worker: str) -> Run:
        return Run(
            job_id, _UNKNOWN.name, _UNKNOWN, (), {}, blob, memory.tries + memory.crashes + 1, memory, 0, 0,
            self._queue_name, worker, self._unknown_terms, {},
        )  # fmt: skip


async def _never_called(ctx: dict[str, object]) -> None:
    """Stand in for a function that is not known."""


_UNKNOWN = Function("<unknown>", _never_called, None, None, None, None)
