"""Enqueues cron jobs at their times: once per time, over any number of workers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

from ..cron import CronJob
from ..engine import Engine, NewJob
from ..model.codec import Codec, queued_record
from ..model.wallclock import SystemZone
from ..service import Service
from ..telemetry import CronFired, execute, has_handlers, span
from ..utils import new_job_id, timestamp_ms, to_unix_ms
from .outage import REDIS_TROUBLE, Outage

logger = logging.getLogger("arqlite.worker")
T = TypeVar("T")

# Clocks are set and machines sleep: never trust a timer for longer than this.
_LONGEST_NAP_S = 30.0
# Times missed by less than this run one by one, as in arq; older ones would come in a flood.
_LATE = timedelta(minutes=1)
# As Debian's cron has it: a clock that goes back less far will be there again soon, and nothing runs
# twice; one that goes back further was wrong.
_SET_BACK = timedelta(hours=3)


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


class _Entry:
    """A cron job, where its times are read, and the next of them as a moment in UTC."""

    def __init__(self, job: CronJob, zone: tzinfo) -> None:
        self.job = job
        self.zone = job.timezone or zone
        self.schedule = f"{job.name} {job.schedule}"
        self.due: datetime | None = None

    def plan_from(self, start: datetime) -> None:
        """Take the first time that is not before `start`."""
        self._take(self.job.first_from(start.astimezone(self.zone)))

    def plan_after(self, moment: datetime) -> None:
        """Take the first time after the one that has run."""
        self.job.calculate_next(moment.astimezone(self.zone))
        self._take(self.job.next_run)

    def skip_to_last(self, start: datetime, end: datetime) -> bool:
        """Take the last time from `start` to `end`, if there is one."""
        last = self.job.last_between(start.astimezone(self.zone), end)
        if last is not None:
            self._take(last)
        return last is not None

    def _take(self, at: datetime | None) -> None:
        self.job.next_run = at  # to be seen; another worker may have the same object
        self.due = None if at is None else at.astimezone(UTC)


class Scheduler(Service):
    """Fires cron jobs.

    Args:
        engine: the queue.
        codec: how jobs are written.
        cron_jobs: what to fire.
        timezone: where the times of cron jobs without a zone of their own are read; None is the system's.
        monotonic: a clock that is never set, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        cron_jobs: Sequence[CronJob],
        timezone: tzinfo | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._codec = codec
        self._entries = [_Entry(job, timezone or SystemZone()) for job in cron_jobs]
        self._clock = ServerClock(monotonic)
        self._latest = datetime.fromtimestamp(0, UTC)
        self._begun = asyncio.Event()
        self._outage = Outage("cron")

    async def start(self) -> None:
        """Begin; what runs at startup is enqueued when this returns, for a burst looks only once."""
        await super().start()
        await self._begun.wait()

    async def run(self) -> None:
        """Fire each job at its time, until cancelled."""
        try:
            await self.begin()
        finally:
            self._begun.set()
        while True:
            await asyncio.sleep(self.nap_s())
            with span(self.name):
                await self.fire_due()

    async def begin(self) -> None:
        """Fire what runs at startup, and plan the rest."""
        self._tell_of_shared_names()
        last = await self._look_at_server()
        for entry in self._entries:
            if entry.job.run_at_startup:
                await self._fire_at_startup(entry.job)
        for entry, last_ms in zip(self._entries, last, strict=True):
            if not (entry.job.run_missed and last_ms and self._plan_missed(entry, last_ms)):
                entry.plan_from(self._clock.now())

    def nap_s(self) -> float:
        """Tell how many seconds there are until something is to be done."""
        due = min((entry.due for entry in self._entries if entry.due is not None), default=None)
        if due is None:
            return _LONGEST_NAP_S
        return min(max((due - self._clock.now()).total_seconds(), 0.0), _LONGEST_NAP_S)

    async def fire_due(self) -> None:
        """Fire what is due now, in the order of time."""
        await self._look_at_server()
        self._mind_the_clock()
        while True:
            now = self._clock.now()
            due = [entry for entry in self._entries if entry.due is not None and entry.due <= now]
            if not due:
                return
            for entry in due:
                self._catch_up(entry, now)
            first = min(due, key=_due_of)
            same = [entry for entry in due if entry.due == first.due and entry.job.name == first.job.name]
            together = [entry for entry in same if entry.job.unique] if first.job.unique else [first]
            if not await self._fire_tick(together, _due_of(first)):
                return

    async def _fire_tick(self, together: list[_Entry], due: datetime) -> bool:
        """Fire schedules of one name that are due at one moment; False when the server says: too early."""
        job = together[0].job
        try:
            if not job.unique:
                await self._fire_for_each_worker(job, to_unix_ms(due))
            elif not await self._fire_once(together, to_unix_ms(due)):
                return False
        except Exception:  # one job that cannot be written must not stop the others
            logger.exception("cron job %s could not be enqueued", job.name)
        for entry in together:
            entry.plan_after(due)
        return True

    async def _fire_once(self, entries: list[_Entry], tick_ms: int) -> bool:
        job = entries[0].job
        schedules = list(dict.fromkeys(entry.schedule for entry in entries))
        job_id, record = job.job_id or f"{job.name}:{tick_ms}", self._record(job, tick_ms)
        fired = await self._until_done(lambda: self._engine.fire(schedules, tick_ms, job_id, record))
        if fired.done:
            self._tell_fired(job, job_id, tick_ms)
        return fired.now_ms >= tick_ms

    async def _fire_for_each_worker(self, job: CronJob, tick_ms: int) -> None:
        # One id for all attempts: the answer to the first may be what was lost.
        new_job = NewJob(job.job_id or new_job_id(), "", self._record(job, tick_ms))
        if not await self._until_done(lambda: self._engine.enqueue([new_job])):
            self._tell_fired(job, new_job.job_id, tick_ms)

    async def _fire_at_startup(self, job: CronJob) -> None:
        fixed_id = job.job_id or (f"{job.name}:startup" if job.unique else None)
        now_ms = timestamp_ms()
        try:
            new_job = NewJob(fixed_id or new_job_id(), "", self._record(job, now_ms))
            if not await self._until_done(lambda: self._engine.enqueue([new_job])):
                self._tell_fired(job, new_job.job_id, now_ms)
        except Exception:  # one job that cannot be written must not stop the others
            logger.exception("cron job %s could not be enqueued", job.name)

    def _tell_fired(self, job: CronJob, job_id: str, tick_ms: int) -> None:
        if has_handlers(CronFired):
            execute(CronFired(self._engine.queue, job.name, job_id, tick_ms))

    def _record(self, job: CronJob, planned_ms: int) -> bytes:
        blob = self._codec.encode_job(job.name, (), {}, None, timestamp_ms(), at=planned_ms)
        return queued_record(0, blob)

    def _plan_missed(self, entry: _Entry, last_ms: int) -> bool:
        """Plan the last of the times that passed since the last run; False when there is none."""
        after_last = datetime.fromtimestamp((last_ms + 1) / 1000, UTC)
        return entry.skip_to_last(after_last, self._clock.now())

    def _catch_up(self, entry: _Entry, now: datetime) -> None:
        due = _due_of(entry)
        if now - due <= _LATE or not entry.skip_to_last(due, now) or entry.due == due:
            return
        logger.warning(
            "this worker could not fire cron job %s since %s; of the times it missed it fires the last",
            entry.job.name,
            due.isoformat(timespec="seconds"),
        )

    def _mind_the_clock(self) -> None:
        """Plan anew after the server's clock was set back a long way."""
        now = self._clock.now()
        if now < self._latest - _SET_BACK:
            logger.warning(
                "Redis's clock was set back to %s; cron jobs are planned anew",
                now.isoformat(timespec="seconds"),
            )
            for entry in self._entries:
                entry.plan_from(now)
            self._latest = now
        self._latest = max(self._latest, now)

    async def _look_at_server(self) -> list[int]:
        """Learn the server's time; returns the last tick of each entry."""
        schedules = [entry.schedule for entry in self._entries]

        async def ask() -> list[int]:
            asked_at = self._clock.mark()
            now_ms, last = await self._engine.ticks(schedules)
            self._clock.learn(now_ms, asked_at)
            return last

        return await self._until_done(ask)

    async def _until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do one thing until that is done: an outage between two must not do the first again."""
        while True:
            try:
                answer = await attempt()
            except REDIS_TROUBLE as error:
                self._outage.begins(error)
                await self._outage.wait()
            else:
                self._outage.is_over()
                return answer

    def _tell_of_shared_names(self) -> None:
        """Cron jobs of one name are one function to a worker, with the limits of the last."""
        limits: dict[str, tuple[object, ...]] = {}
        for job in (entry.job for entry in self._entries):
            own = (job.timeout_s, job.keep_result_s, job.keep_result_forever, job.max_tries)
            if limits.setdefault(job.name, own) != own:
                logger.warning(
                    "cron jobs named %s have different limits, and the last one's hold for all of them; "
                    "give each a name",
                    job.name,
                )
                limits[job.name] = own


def _due_of(entry: _Entry) -> datetime:
    assert entry.due is not None  # noqa: S101 (asked of planned entries only)
    return entry.due
