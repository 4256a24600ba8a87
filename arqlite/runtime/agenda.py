"""What a scheduler goes by: the server's clock, and per cron job the next of its times."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from ..cron import CronJob


class ServerClock:
    """The server's clock, carried on between two looks at it: what workers' own clocks show is no matter.

    Args:
        monotonic: a clock that is never set, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen_s = 0.0
        self._seen_at = 0.0

    def now(self) -> datetime:
        """Tell the server's time."""
        return datetime.fromtimestamp(self._seen_s + self._monotonic() - self._seen_at, UTC)

    def mark(self) -> float:
        """Note when a question to the server begins, for `learn`."""
        return self._monotonic()

    def learn(self, server_ms: int, asked_at: float) -> None:
        """Take over what the server said; it said so somewhere between the question and now."""
        self._seen_at = (asked_at + self._monotonic()) / 2
        self._seen_s = server_ms / 1000


class Entry:
    """A cron job, where its times are read, and the next of them as a moment in UTC."""

    def __init__(self, job: CronJob, zone: tzinfo) -> None:
        self.job = job
        self.zone = job.timezone or zone
        self.schedule = f"{job.name} {job.schedule}"
        self.due: datetime | None = None
        self.caught_up_to = datetime.fromtimestamp(0, UTC)

    def plan_from(self, start: datetime) -> None:
        """Take the first time that is not before `start`."""
        self._take(self.job.first_from(start.astimezone(self.zone)))

    def plan_after(self, moment: datetime) -> None:
        """Take the first time after the one that has run."""
        self.job.calculate_next(moment.astimezone(self.zone))
        self._take(self.job.next_run)

    def skip_to_newest(self, start: datetime, end: datetime, most: int) -> bool:
        """Take the first of the last times from `start` to `end`, if there is one."""
        newest = self.job.newest_between(start.astimezone(self.zone), end, most)
        if newest:
            self._take(newest[0])
        return bool(newest)

    def skip_to_last(self, start: datetime, end: datetime) -> bool:
        """Take the last time from `start` to `end`, if there is one."""
        last = self.job.last_between(start.astimezone(self.zone), end)
        if last is not None:
            self._take(last)
        return last is not None

    def _take(self, at: datetime | None) -> None:
        self.job.next_run = at  # to be seen; another worker may have the same object
        self.due = None if at is None else at.astimezone(UTC)
