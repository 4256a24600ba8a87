"""Enqueues cron jobs at their times: once per time, over any number of workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeVar

from ..cron import CronJob
from ..engine import Engine, Fired, Lock
from ..model.arguments import signature_of
from ..model.calls import Options
from ..model.codec import Codec, queued_record
from ..model.crons import cron_meta, describe
from ..model.fingerprint import fingerprint
from ..model.unique import rule
from ..model.wallclock import SystemZone
from ..service import Service
from ..telemetry import CronFired, execute, has_handlers, span
from ..utils import new_job_id, timestamp_ms, to_unix_ms
from .agenda import Entry, ServerClock
from .outage import REDIS_TROUBLE, Outage

logger = logging.getLogger("arqlite.worker")
T = TypeVar("T")

# Clocks are set and machines sleep: never trust a timer for longer than this.
_LONGEST_NAP_S = 30.0
# Times missed by less than this run one by one, as in arq; older ones would come in a flood.
_LATE = timedelta(minutes=1)
# As many of the missed times run one by one where each of them shall.
_MOST_MISSED = 1000
# As Debian's cron has it: a clock that goes back less far will be there again soon, and nothing runs
# twice; one that goes back further was wrong.
_SET_BACK = timedelta(hours=3)
# How often workers tell which cron jobs they have, and when what nobody tells of any more is forgotten.
_TELL_EVERY_S = 3600.0
_FORGOTTEN_AFTER_MS = 2 * 3_600_000 + 60_000


class Scheduler(Service):
    """Fires cron jobs.

    Args:
        engine: the queue.
        codec: how jobs are written.
        cron_jobs: what to fire.
        timezone: where the times of cron jobs without a zone of their own are read; None is the system's.
        monotonic: a clock that is never set, in seconds.
        is_leader: tells whether this worker leads its queue, for what runs at the start of them all.
    """

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        cron_jobs: Sequence[CronJob],
        timezone: tzinfo | None,
        monotonic: Callable[[], float] = time.monotonic,
        is_leader: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._codec = codec
        self._entries = [Entry(job, timezone or SystemZone()) for job in cron_jobs]
        self._clock = ServerClock(monotonic)
        self._monotonic = monotonic
        self._told_at = float("-inf")
        self._is_leader = is_leader
        self._rebooting = [entry for entry in self._entries if entry.job.is_reboot]
        self._woken = asyncio.Event()
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
            await self._nap()
            with span(self.name):
                await self.fire_due()

    def look(self) -> None:
        """This worker leads from now on, or does not."""
        self._told_at = float("-inf")  # a server that lost its data has new leaders, and knows no cron jobs
        self._woken.set()

    async def begin(self) -> None:
        """Fire what runs at startup, and plan the rest."""
        self._tell_of_shared_names()
        _tell_of_lost_times(entry.job for entry in self._entries if entry.job.unique)
        last = await self._look_at_server()
        for entry in self._entries:
            if entry.job.run_at_startup and not entry.job.is_reboot:
                await self._fire_at_startup(entry)
        await self.fire_reboots()
        for entry, last_ms in zip(self._entries, last, strict=True):
            if not (last_ms and self._plan_missed(entry, last_ms)):
                entry.plan_from(self._clock.now())
        await self._tell()

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
        await self.fire_reboots()
        await self._tell()
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

    async def _nap(self) -> None:
        try:
            async with asyncio.timeout(self.nap_s()):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    async def _fire_tick(self, together: list[Entry], due: datetime) -> bool:
        """Fire schedules of one name that are due at one moment; False when the server says: too early."""
        job, tick_ms = together[0].job, to_unix_ms(due)
        # One id for all attempts: the answer to the first may be what was lost.
        job_id = job.job_id or (f"{job.name}:{tick_ms}" if job.unique else new_job_id())
        schedules = list(dict.fromkeys(entry.schedule for entry in together)) if job.unique else []
        try:
            fired = await self._fire(together[0], schedules, tick_ms, job_id, tick_ms)
            if fired.now_ms < tick_ms:
                return False
        except Exception:  # one job that cannot be written must not stop the others
            logger.exception("cron job %s could not be enqueued", job.name)
        for entry in together:
            entry.plan_after(due)
        return True

    async def fire_reboots(self) -> None:
        """Fire what runs at the start of all workers, once in the life of this one and if it leads."""
        if self._rebooting and self._is_leader():
            rebooting, self._rebooting = self._rebooting, []
            for entry in rebooting:
                await self._fire_at_startup(entry)

    async def _fire_at_startup(self, entry: Entry) -> None:
        job = entry.job
        job_id = job.job_id or (f"{job.name}:startup" if job.unique else new_job_id())
        try:
            await self._fire(entry, [], 0, job_id, to_unix_ms(self._clock.now()))
        except Exception:  # one job that cannot be written must not stop the others
            logger.exception("cron job %s could not be enqueued", job.name)

    async def _fire(
        self, entry: Entry, schedules: Sequence[str], tick_ms: int, job_id: str, planned_ms: int
    ) -> Fired:
        job = entry.job
        record = queued_record(job.settled().priority or 0, self._blob(entry, planned_ms))
        lock = _lock(job)
        fired = await self._until_done(
            lambda: self._engine.fire(schedules, tick_ms, job_id, record, lock, job.name)
        )
        if fired.done and has_handlers(CronFired):
            execute(CronFired(self._engine.queue, job.name, job_id, planned_ms))
        return fired

    def _blob(self, entry: Entry, planned_ms: int) -> bytes:
        job = entry.job
        options = job.settled()
        extras: dict[str, Any] = {"at": planned_ms, "m": cron_meta(job, entry.zone)}
        extras |= {"p": options.priority} if options.priority else {}
        if options.max_attempts is not None:
            extras["ma"] = options.max_attempts
        elif job.task is not None:
            extras["tm"] = job.task.max_attempts
        extras |= {"g": options.tags} if options.tags else {}
        name = job.registered().name
        return self._codec.encode_job(name, job.args, job.kwargs, None, timestamp_ms(), **extras)

    async def _tell(self) -> None:
        """Tell which cron jobs there are, now and then: an inspector has no settings."""
        if self._monotonic() - self._told_at < _TELL_EVERY_S:
            return
        known: dict[str, bytes] = {}
        for entry in self._entries:
            # What cannot be written is told when it is to be fired.
            with contextlib.suppress(Exception):
                blob = self._blob(entry, 0)
                known[entry.schedule] = describe(
                    entry.job, entry.zone, self._clock.now(), blob, _lock(entry.job)
                )
        await self._until_done(lambda: self._engine.publish_crons(known, _FORGOTTEN_AFTER_MS))
        self._told_at = self._monotonic()

    def _plan_missed(self, entry: Entry, last_ms: int) -> bool:
        """Plan what of the times that passed since the last run shall run; False when there is none."""
        after_last = datetime.fromtimestamp((last_ms + 1) / 1000, UTC)
        match entry.job.missed:
            case "once":
                return entry.skip_to_last(after_last, self._clock.now())
            case "all":
                return self._skip_to_all(entry, after_last)
        return False

    def _skip_to_all(self, entry: Entry, start: datetime) -> bool:
        """Plan all times since `start`, the newest of them if they are many."""
        entry.plan_from(start)
        first, now = entry.due, self._clock.now()
        entry.caught_up_to = now
        if first is None or not entry.skip_to_newest(start, now, _MOST_MISSED):
            return False
        if entry.due != first:
            logger.warning(
                "cron job %s missed more than %d times since %s; it makes up for the last %d",
                entry.job.name,
                _MOST_MISSED,
                start.isoformat(timespec="seconds"),
                _MOST_MISSED,
            )
        return True

    def _catch_up(self, entry: Entry, now: datetime) -> None:
        due = _due_of(entry)
        if now - due <= _LATE:
            return
        if entry.job.missed == "all":
            if due > entry.caught_up_to:
                self._skip_to_all(entry, due)
            return
        if not entry.skip_to_last(due, now) or entry.due == due:
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


def _tell_of_lost_times(jobs: Iterable[CronJob]) -> None:
    """One name comes once at a time over all workers, whatever else its jobs are."""
    known: dict[str, CronJob] = {}
    for job in jobs:
        other = known.setdefault(job.name, job)
        mine, others = job.settled(), other.settled()
        differing = ["function"] if job.coroutine != other.coroutine else []
        differing += [name for name in Options._fields if getattr(mine, name) != getattr(others, name)]
        if differing:
            logger.warning(
                "cron jobs named %s differ in %s: where two of them come at one time only one is enqueued; "
                "give each a name",
                job.name,
                ", ".join(differing),
            )


def _lock(job: CronJob) -> Lock | None:
    """Make the lock of a cron job's jobs; of those that are in conflict nothing is changed or raised."""
    options = job.settled()
    unique = rule(options.unique)
    if unique is None:
        return None
    name, signature = job.registered().name, signature_of(job.coroutine)
    digest = fingerprint(unique, name, job.args, job.kwargs, options.meta or {}, signature)
    return Lock(digest, unique.period_ms, unique.letters, unique.timestamp == "scheduled_at")


def _due_of(entry: Entry) -> datetime:
    assert entry.due is not None  # noqa: S101 (asked of planned entries only)
    return entry.due
