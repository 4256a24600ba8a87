"""Jobs on their way, seen through their status URLs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.demo.client import Accepted, ApiClient
from app.demo.errors import DemoError

LOOK_SECONDS = 0.1
_OPEN = ("QUEUED", "RUNNING")


@dataclass(slots=True, kw_only=True)
class FollowedJob:
    """A job as it was last seen.

    Attributes:
        title: what it is called on the screen: the ledger's `job_type`.
        queue: the queue it went to.
        accepted: its id and status URL.
        seen: its row as the API told it last.
        done: how much of its work is done; None if nobody counts.
        total: how much work there is; None if nobody knows.
        triggered_at: `time.monotonic()` when the API took it.
    """

    title: str
    queue: str
    accepted: Accepted
    seen: Mapping[str, Any] = field(default_factory=dict)
    done: int | None = None
    total: int | None = None
    triggered_at: float = field(default_factory=time.monotonic)

    @property
    def status(self) -> str:
        """QUEUED, RUNNING, SUCCESS, FAILED or CANCELLED."""
        return str(self.seen.get("status", "QUEUED"))

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return self.status in _OPEN

    @property
    def output(self) -> Mapping[str, Any]:
        """What it gave back; empty unless it succeeded."""
        return self.seen.get("output_payload") or {}

    @property
    def seconds(self) -> float:
        """How long the work took, or, of a job that has not ended, how long ago it was taken."""
        if (duration := self.seen.get("duration_ms")) is not None:
            return float(duration) / 1000
        return time.monotonic() - self.triggered_at

    @property
    def error(self) -> str | None:
        """Why it failed, on one line."""
        if not (told := self.seen.get("error_payload")):
            return None
        return " ".join(f"{told.get('type')}: {told.get('message')}".split())


class Follower:
    """Follows jobs until they have ended.

    Args:
        api: where to ask.
        must_be_alive: raises if a process died, so that nobody waits for its jobs.
        show: is called with the jobs whenever they were looked at.
        give_up_at: the `time.monotonic()` at which waiting ends.
    """

    def __init__(
        self,
        api: ApiClient,
        must_be_alive: Callable[[], None],
        show: Callable[[Sequence[FollowedJob]], None],
        give_up_at: float,
    ) -> None:
        self.jobs: list[FollowedJob] = []
        self._api = api
        self._must_be_alive = must_be_alive
        self._show = show
        self._give_up_at = give_up_at

    def add(self, job: FollowedJob) -> FollowedJob:
        """Follow one more job."""
        self.jobs.append(job)
        self._show(self.jobs)
        return job

    async def until_ended(self, count: Callable[[], Awaitable[None]]) -> None:
        """Wait until all jobs have ended; `count` brings `done` up to date at each look.

        Raises:
            DemoError: they took too long.
            ProcessDiedError: a process died meanwhile.
        """
        while open_jobs := [job for job in self.jobs if job.is_open]:
            for job in open_jobs:
                job.seen = await self._api.job(job.accepted.status_url)
            await count()
            self._show(self.jobs)
            self._must_be_alive()
            if time.monotonic() > self._give_up_at:
                raise _too_slow(open_jobs)
            if any(job.is_open for job in self.jobs):
                await asyncio.sleep(LOOK_SECONDS)


def _too_slow(jobs: Sequence[FollowedJob]) -> DemoError:
    told = ", ".join(f"{job.title} is {job.status} after {job.seconds:.0f} s" for job in jobs)
    return DemoError(f"time is up: {told}. --timeout SECONDS gives them longer.")
