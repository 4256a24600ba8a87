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
from ..model.outcomes import refuse
from .run import Run

logger = logging.getLogger("arqlite.worker")

# A job nobody here knows is looked at again soon, for a worker that knows it may be starting, and
# then ever less often: each look costs the worker a claim.
_UNKNOWN_FIRST_LOOK_MS, _UNKNOWN_LAST_LOOK_MS = 500, 30_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a worker's jobs where a function has none of its own.

    Attributes:
        timeout_s: seconds one run may take, None for ever.
        keep_ms: ms a result is kept, 0 not at all, -1 for ever.
        else_keep_ms: the same for functions that say only that theirs is not kept for ever.
        max_tries: runs that count, the first included.
        max_rescues: how many workers a job may take down.
        unknown_ttl_ms: how long a job of an unknown function is kept for others.
        strict_arguments: whether arguments that do not fit their annotations fail the job.
    """

    timeout_s: float | None
    keep_ms: int
    max_tries: int
    max_rescues: int
    unknown_ttl_ms: int
    strict_arguments: bool = False
    else_keep_ms: int = 0

    def keep_ms_of(self, function: Function) -> int:
        """Ms that results of this function are kept."""
        if function.keep_result_forever or (function.keep_result_forever is None and self.keep_ms < 0):
            return -1
        if function.keep_result_s is not None:
            return int(function.keep_result_s * 1000)
        return self.keep_ms if self.keep_ms >= 0 else self.else_keep_ms

    @property
    def suspect_after(self) -> int:
        """How many workers a job must have taken down to be on its last chance."""
        return max(self.max_rescues - 1, 1)

    def is_strict_for(self, function: Function) -> bool:
        """Whether arguments must fit this function's annotations."""
        return self.strict_arguments if function.strict_arguments is None else function.strict_arguments

    def timeout_of(self, function: Function) -> float | None:
        """Seconds that one run of this function may take."""
        return self.timeout_s if function.timeout_s is None else function.timeout_s


@dataclass(slots=True)
class Refused:
    """A claimed job that ends without a run."""

    run: Run
    error: Exception


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
            memory.due_ms or job.get("at") or job["et"], self._queue_name, worker,
        )  # fmt: skip
        run.timeout_s = self._limits.timeout_of(function)
        run.keep_ms = self._limits.keep_ms_of(function)
        if first_try > 1 or memory is not memories.NOTHING or "x" in job or self._limits.max_tries < 1:
            refusal = self._refusal(run, function, first_try, job.get("x"), now_ms)
            if refusal is not None:
                return Refused(run, refusal)
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

    def _refusal(
        self, run: Run, function: Function, first_try: int, expires_ms: int | None, now_ms: int
    ) -> JobExecutionFailed | None:
        max_tries = self._limits.max_tries if function.max_tries is None else function.max_tries
        return refuse(
            tries=first_try - 1 + run.memory.tries,
            crashes=run.memory.crashes,
            max_tries=max(max_tries, run.memory.granted),
            max_rescues=self._limits.max_rescues,
            expires_ms=expires_ms,
            now_ms=now_ms,
        )

    def _of_unknown_function(
        self, job_id: str, name: str, blob: bytes, memory: Memory, now_ms: int, worker: str
    ) -> Refused | Returned:
        since = memory.unknown_since_ms or now_ms
        age = now_ms - since
        if age >= self._limits.unknown_ttl_ms:
            run = self._unreadable(job_id, blob, memory, worker)
            run.function = name
            return Refused(run, JobExecutionFailed(f"function {name!r} not found"))
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
        nothing = Function("<unknown>", _never_called, None, None, None, None)
        run = Run(
            job_id, nothing.name, nothing, (), {}, blob, memory.tries + memory.crashes + 1, memory, 0, 0,
            self._queue_name, worker,
        )  # fmt: skip
        run.keep_ms = self._limits.keep_ms
        return run


async def _never_called(ctx: dict[str, object]) -> None:
    """Stand in for a function that is not known."""
