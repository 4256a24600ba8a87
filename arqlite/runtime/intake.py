"""From what a turn brought to runs that may start; what may not start is settled here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ..engine import Returned
from ..errors import DeserializationError, JobExecutionFailed
from ..model import memory as memories
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
        max_tries: runs that count, the first included.
        max_rescues: how many workers a job may take down.
        unknown_ttl_ms: how long a job of an unknown function is kept for others.
    """

    timeout_s: float | None
    keep_ms: int
    max_tries: int
    max_rescues: int
    unknown_ttl_ms: int

    def keep_ms_of(self, function: Function) -> int:
        """Ms that results of this function are kept."""
        if function.keep_result_forever or (function.keep_result_forever is None and self.keep_ms < 0):
            return -1
        if function.keep_result_s is not None:
            return int(function.keep_result_s * 1000)
        return max(self.keep_ms, 0)

    @property
    def suspect_after(self) -> int:
        """How many workers a job must have taken down to be on its last chance."""
        return max(self.max_rescues - 1, 1)

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
        run = Run(
            job_id, name, function, job.get("a") or (), job.get("k") or {}, blob,
            first_try + memory.tries + memory.crashes, memory, job["et"],
            memory.due_ms or job.get("at") or job["et"], self._queue_name, worker,
        )  # fmt: skip
        run.timeout_s = self._limits.timeout_of(function)
        run.keep_ms = self._limits.keep_ms_of(function)
        if first_try > 1 or memory is not memories.NOTHING or "x" in job or self._limits.max_tries < 1:
            refusal = self._refusal(run, function, first_try, job.get("x"), now_ms)
            if refusal is not None:
                return Refused(run, refusal)
        return run

    def _refusal(
        self, run: Run, function: Function, first_try: int, expires_ms: int | None, now_ms: int
    ) -> JobExecutionFailed | None:
        max_tries = self._limits.max_tries if function.max_tries is None else function.max_tries
        return refuse(
            tries=first_try - 1 + run.memory.tries,
            crashes=run.memory.crashes,
            max_tries=max_tries,
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
