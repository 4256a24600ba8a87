"""One claimed job while this process has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from ..model.attempts import decode_attempts
from ..model.codec import queued_record
from ..model.context import CancelReason, Parts, WorkflowStep
from ..model.functions import CronFunction, Function
from ..model.memory import NOTHING, Memory, counters
from ..model.outcomes import End, Interrupted, Raised, decide
from ..model.records import FailedAttempt
from ..model.states import Cause
from ..model.tracing import carried_in
from .limits import NO_TERMS, Terms
from .notes import Notes

NOTHING_STORED: Mapping[str, Any] = {}

_LEAST = frozenset(("f", "et", "a", "k"))
"""What is stored of a job that was enqueued without options."""
_FIRST = queued_record(0, b"")


class Run:
    """A claimed job, from the claim to the moment its end is acknowledged.

    Attributes:
        job_id, queue_name, worker: what and where.
        function: the name it was enqueued under; `target` is the registered function.
        args, kwargs: what it is called with.
        blob: the job as it is stored, to be kept beside its result.
        job_try: which start this is, from 1.
        memory: what the queue remembered of earlier runs.
        enqueue_ms, score_ms: when it was enqueued and due, in ms since 1970.
        terms: the limits of its function.
        stored: the job as it was read.
        past: what its failed attempts left, the newest last.
        timeout_s: seconds it may run, None for ever.
        claimed_at: when this process heard of its claim, by `time.monotonic`.
        started_ms, finished_ms: when the function was called and was over; 0 before.
        has_begun: whether it was started at all: it may be refused, or cancelled before.
        deadline: when it is timed out, on the event loop's clock.
        ctx: what the function and the hooks share.
        task: where it runs; None while it waits for a slot.
        cancel_reason: why it was cancelled from outside.
        cause: why it did not end well; nothing is told of it where it did.
        on_begin: called with it right before its function is; None if nobody wants to know.
        notes: what it told of itself; None while that is nothing.
        threads: what the job runs in threads of the worker; None while there was nothing.
        acknowledged: resolved when its end is stored, if somebody awaits that.
    """

    __slots__ = (
        "_given",
        "_parts",
        "acknowledged",
        "args",
        "blob",
        "cancel_reason",
        "cause",
        "claimed_at",
        "ctx",
        "deadline",
        "enqueue_ms",
        "finished_ms",
        "function",
        "has_begun",
        "job_id",
        "job_try",
        "kwargs",
        "memory",
        "notes",
        "on_begin",
        "past",
        "queue_name",
        "score_ms",
        "started_ms",
        "stored",
        "target",
        "task",
        "terms",
        "threads",
        "timeout_s",
        "worker",
    )

    def __init__(
        self,
        job_id: str,
        function: str,
        target: Function,
        args: Any,
        kwargs: dict[str, Any],
        blob: bytes,
        job_try: int,
        memory: Memory,
        enqueue_ms: int,
        score_ms: int,
        queue_name: str,
        worker: str,
        terms: Terms = NO_TERMS,
        stored: Mapping[str, Any] = NOTHING_STORED,
    ) -> None:
        self.job_id = job_id
        self.function = function
        self.target = target
        self.args = args
        self.kwargs = kwargs
        self.blob = blob
        self.job_try = job_try
        self.memory = memory
        self.enqueue_ms = enqueue_ms
        self.score_ms = score_ms
        self.queue_name = queue_name
        self.worker = worker
        self.terms = terms
        self.stored = stored
        self.past: Sequence[bytes] = ()
        self._given: tuple[int, tuple[str, ...], dict[str, Any], int, int, bytes, str, str] | None = None
        self.timeout_s = terms.timeout_s
        self.claimed_at = 0.0
        self.has_begun = False
        self.started_ms = 0
        self.finished_ms = 0
        self.deadline: float | None = None
        self.ctx: dict[Any, Any] = {}
        self.task: asyncio.Task[None] | None = None
        self.cancel_reason: CancelReason | None = None
        self.cause: Cause | None = None
        self.acknowledged: asyncio.Future[None] | None = None
        self.on_begin: Callable[[Run], None] | None = None
        self.notes: Notes | None = None
        self.threads: set[Future[Any]] | None = None
        self._parts: Parts | None = None

    @property
    def parts(self) -> Parts:
        """Which parts of it have begun, for those who do it in parts."""
        if self._parts is None:
            self._parts = Parts()
        return self._parts

    @property
    def attempt(self) -> int:
        """Which attempt it is, from 1; neither snoozes nor dead workers are counted."""
        return int(self.stored.get("t") or 1) + self.memory.tries

    @property
    def max_attempts(self) -> int:
        """How many attempts it may have; at least as many as somebody granted it by hand."""
        return max(int(self.stored.get("ma") or self.terms.max_attempts), self.memory.granted)

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure of this attempt is final."""
        return self.attempt >= self.max_attempts

    @property
    def errors(self) -> tuple[FailedAttempt, ...]:
        """What earlier attempts failed with, oldest first."""
        return decode_attempts(self.past, self.enqueue_ms)

    @property
    def snoozes(self) -> int:
        """How often it has asked to run later."""
        return self.memory.snoozes

    @property
    def tags(self) -> tuple[str, ...]:
        """What it was enqueued with."""
        return tuple(self.stored.get("g") or ())

    @property
    def workflow(self) -> WorkflowStep | None:
        """Which step of which workflow it is."""
        place = self.stored.get("w")
        return WorkflowStep(place["id"], place["step"]) if place else None

    @property
    def meta(self) -> dict[str, Any]:
        """What it was enqueued with, as a dict of the caller's own, and how often it snoozed."""
        meta = dict(self.stored.get("m") or {})
        return {**meta, "snoozed": self.snoozes} if self.snoozes else meta

    @property
    def priority(self) -> int:
        """0 runs first, 9 last."""
        return int(self.stored.get("p") or 0)

    @property
    def given(self) -> tuple[int, tuple[str, ...], dict[str, Any], int, int, bytes, str, str]:
        """What both its start and its end tell of it as it was enqueued, looked up once for both.

        How often it may be tried, tags, meta, priority, which attempt this is, its record, the id of its
        parent and who asked for it.
        """
        given = self._given
        if given is None:
            noted = self.stored.get
            if self.memory is NOTHING and self.stored.keys() <= _LEAST:  # as of most
                given = self.terms.max_attempts, (), {}, 0, 1, _FIRST + self.blob, "", ""
            else:
                record = queued_record(self.priority, self.blob)
                given = (
                    self.max_attempts, self.tags, self.meta, self.priority, self.attempt, record,
                    noted("pa") or "", noted("by") or "",
                )  # fmt: skip
            self._given = given
        return given

    @property
    def carried(self) -> dict[str, str]:
        """What tracers had it carry from where it was enqueued."""
        return carried_in(self.stored)

    @property
    def keep_ms(self) -> int:
        """Ms its result is kept, 0 not at all, -1 for ever."""
        return self.terms.keep_ms

    @property
    def crashes(self) -> int:
        """How many runs before this one ended with their worker."""
        return self.memory.crashes

    @property
    def revived_ms(self) -> int:
        """When somebody let it run again by hand after it had ended, in ms since 1970; 0 if nobody did."""
        return self.memory.revived_ms

    @property
    def counters(self) -> dict[str, int] | None:
        """What its end tells of its runs beside the number of the last start; None of the common job."""
        if self.memory is NOTHING and self.has_begun:
            return None
        attempt = self.attempt if self.has_begun else self.attempt - 1
        return counters(attempt, self.job_try, self.memory)

    @property
    def ref(self) -> str:
        """How log lines name it: `id:function`; a cron job by its function alone."""
        is_cron = isinstance(self.target, CronFunction)
        return self.function if is_cron else f"{self.job_id}:{self.function}"

    def runs_again(self, error: BaseException) -> bool:
        """Tell whether it runs again when this error ends its run: what the executor will decide."""
        outcome: Raised | Interrupted = Raised(error)
        if self.cancel_reason is not None and isinstance(error, asyncio.CancelledError):
            outcome = Interrupted(self.cancel_reason, error)
        terms = self.terms
        verdict = decide(outcome, retry_jobs=terms.retry_jobs, task=terms.task, job=self, chance=None)
        return not isinstance(verdict, End)

    def envelope(self) -> dict[str, Any]:
        """Tell about the job what arq's envelope of a result tells."""
        return {
            "f": self.function,
            "a": self.args,
            "k": self.kwargs,
            "et": self.enqueue_ms,
            "q": self.queue_name,
            "id": self.job_id,
        }

    async def threads_ended(self) -> None:
        """Wait for what the job runs in threads: that goes on although the job was cancelled."""
        while self.threads:
            await asyncio.gather(*map(asyncio.wrap_future, tuple(self.threads)), return_exceptions=True)

    def acknowledge(self) -> None:
        """Whoever awaits the end's acknowledgement waits no longer."""
        if self.acknowledged is not None and not self.acknowledged.done():
            self.acknowledged.set_result(None)

    def cancel(self, reason: CancelReason) -> bool:
        """Throw `CancelledError` into the job, once; the first reason stays.

        Returns False when the job has ended or is being cancelled already.
        """
        if self.acknowledged is not None and reason != "lost_lease":
            return False
        if self.cancel_reason is not None or (self.task is not None and self.task.done()):
            return False
        self.cancel_reason = reason
        # A task cancelled before its first step never takes it; the executor looks for the reason instead.
        if self.started_ms and self.task is not None:
            self.task.cancel()
        return True
