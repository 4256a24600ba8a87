"""What a queue tells a worker (pauses, limits, a stop), and what it wants to hear: starts and lanes."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..engine import NOTHING_SETTLED, Joined, Membership, Settled
from ..model import limits
from ..model.arguments import signature_of
from ..model.codec import Codec
from ..model.limits import GlobalLimit, Partition, RateLimit
from ..model.queues import MOST_FUNCTIONS
from ..utils import timestamp_ms
from ..version import VERSION
from .run import Run
from .vitals import resident_memory

logger = logging.getLogger("arqlite.worker")


class Orders:
    """What operators and the settings of all workers say, as far as this worker has heard it.

    Args:
        queue: the queue's name.
        node: where the worker runs, as operators call it.
        codec: reads what jobs carry.
        max_jobs: how many jobs it runs at once if nobody says otherwise.
        starts_paused: whether it waits for somebody to resume the queue.
        global_limit, rate_limit: what its settings say of the jobs of all workers together.
        stop: called once when the worker was told to end.
        functions: the names of what it can run, for those who look.
        not_aborted: the names of those whose running jobs it does not abort, whoever asks.

    Attributes:
        max_jobs: how many jobs it runs at once now.
    """

    def __init__(
        self,
        queue: str,
        node: str,
        codec: Codec,
        *,
        max_jobs: int,
        starts_paused: bool = False,
        global_limit: GlobalLimit | None = None,
        rate_limit: RateLimit | None = None,
        stop: Callable[[], None] = lambda: None,
        functions: Collection[str] = (),
        not_aborted: Collection[str] = (),
    ) -> None:
        self.max_jobs = max_jobs
        self._queue = queue
        self._node = node
        self._codec = codec
        self._own_max_jobs = max_jobs
        self._starts_paused = starts_paused
        self._declared = {
            "global_limit": limits.encoded(global_limit),
            "rate_limit": limits.encoded(rate_limit),
        }
        self._stop = stop
        self._functions = sorted(functions)
        self._not_aborted = sorted(not_aborted)
        self._settled = NOTHING_SETTLED
        self._started_ms = timestamp_ms()
        self._joined_ms: int | None = None
        self._since: int | None = None
        self._begun: list[str] = []
        self._is_stopped = False

    @property
    def version(self) -> int:
        """How often something had been settled when this worker last heard."""
        return self._settled.version

    @property
    def is_paused(self) -> bool:
        """Whether it may claim nothing."""
        return bool(self._settled.is_paused)

    @property
    def is_limited(self) -> bool:
        """Whether the jobs of all workers together are limited: then none are claimed ahead."""
        return bool(self._settled.is_limited)

    @property
    def has_rate(self) -> bool:
        """Whether the queue wants to hear of starts."""
        return bool(self._settled.has_rate)

    # -- joining

    def membership(self) -> Membership:
        """Tell what a session says of itself; the settings of its worker have their say at its start."""
        about: dict[str, Any] = {
            "node": self._node,
            "pid": os.getpid(),
            "limit": self._own_max_jobs,
            "started": self._started_ms,
            "version": VERSION,
            "functions": self._functions[:MOST_FUNCTIONS],
            "function_count": len(self._functions),
            "not_aborted": self._not_aborted[:MOST_FUNCTIONS],
            "memory": resident_memory(),
        }
        if self._since is not None:
            about["since"] = self._since
        is_first = self._joined_ms is None
        text = json.dumps(about)
        return Membership(self._node, text, self._since, declares=is_first, **self._declared)

    def joined(self, answer: Joined) -> bool:
        """Take in what joining told. A worker that starts paused joins once more (False), when it knows how
        often the queue was resumed before.
        """
        if self._joined_ms is None:
            self._joined_ms = answer.now_ms
            self._tell_changes(answer)
            if self._starts_paused:
                self._since = answer.settled.resumes
                return False
        self.hear(answer.settled)
        return True

    def _tell_changes(self, before: Joined) -> None:
        for name, declared in self._declared.items():
            old = getattr(before, name)
            if old != declared:
                logger.warning(
                    "%s of queue %s is %s from now on, as the settings of this worker say; it was %s",
                    name, self._queue, limits.in_words(name, declared), limits.in_words(name, old),
                )  # fmt: skip

    # -- hearing

    def hear(self, settled: Settled) -> bool:
        """Take in what was settled; tells whether it is news."""
        if settled is self._settled:
            return False
        was, self._settled = self._settled, settled
        self.max_jobs = settled.limit if settled.limit > 0 else self._own_max_jobs
        if settled.is_paused != was.is_paused:
            state = "paused: this worker claims no jobs" if settled.is_paused else "resumed"
            logger.info("queue %s is %s", self._queue, state)
        if was.limit != settled.limit:
            logger.info("queue %s: this worker runs %d jobs at once from now on", self._queue, self.max_jobs)
        if self._joined_ms is not None and settled.stop_ms >= self._joined_ms and not self._is_stopped:
            self._is_stopped = True
            logger.info("queue %s was stopped: this worker ends", self._queue)
            self._stop()
        return settled.version != was.version or settled.is_paused != was.is_paused

    # -- starts

    def begun(self, run: Run) -> None:
        """A job's function is about to be called."""
        self._begun.append(run.job_id)

    @property
    def has_begun(self) -> bool:
        """Whether there are starts to tell."""
        return bool(self._begun)

    def take_begun(self, most: int) -> list[str]:
        """Hand over starts to tell; those that could not be told come back with `untold`."""
        begun, self._begun = self._begun[:most], self._begun[most:]
        return begun

    def untold(self, begun: list[str]) -> None:
        """These starts could not be told."""
        self._begun[:0] = begun

    def forget_starts(self) -> None:
        """The session is dead; whatever it ran counts without its word."""
        self._begun.clear()

    # -- lanes

    def lane_of(self, run: Run) -> str:
        """Name the lane of a job that was claimed only for that."""
        partition = Partition.decode(self._settled.generation, self._settled.fields.decode())

        def args() -> Mapping[str, Any]:
            return signature_of(run.target.coroutine).named(run.args, run.kwargs)

        meta: Mapping[str, Any] = {}
        if any(field.startswith("meta") for field in partition.fields):
            meta = self._codec.decode_job(run.blob).get("m") or {}
        return partition.lane_of(run.function, args, meta)
