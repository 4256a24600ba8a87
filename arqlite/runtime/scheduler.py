"""Enqueues cron jobs at their times: once per time, over any number of workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, tzinfo

from ..cron import CronJob
from ..engine import Engine, NewJob
from ..model.codec import Codec, queued_record
from ..service import Service
from ..utils import new_job_id, timestamp_ms, to_unix_ms
from .outage import REDIS_TROUBLE, Outage

logger = logging.getLogger("arqlite.worker")

# Clocks are set and machines sleep: never trust a timer for longer than this.
_LONGEST_NAP_S = 30.0


class Scheduler(Service):
    """Fires cron jobs.

    Args:
        engine: the queue.
        codec: how jobs are written.
        cron_jobs: what to fire.
        timezone: where the fields of the cron jobs are read; None is the system's zone, asked anew each time.
    """

    def __init__(
        self, engine: Engine, codec: Codec, cron_jobs: Sequence[CronJob], timezone: tzinfo | None
    ) -> None:
        super().__init__()
        self._engine = engine
        self._codec = codec
        self._cron_jobs = cron_jobs
        self._timezone = timezone
        self._outage = Outage("cron")

    async def run(self) -> None:
        """Fire each job at its time, until cancelled."""
        now_ms = timestamp_ms()
        for job in self._cron_jobs:
            if job.run_at_startup:
                await self._fire(job, now_ms)
        for job in self._cron_jobs:
            job.calculate_next(self._now())
        while True:
            due = min(job.next_run for job in self._cron_jobs if job.next_run is not None)
            await asyncio.sleep(min(max((due - self._now()).total_seconds(), 0.0), _LONGEST_NAP_S))
            await self._fire_due()

    async def _fire_due(self) -> None:
        now = self._now()
        for job in self._cron_jobs:
            if job.next_run is not None and job.next_run <= now:
                await self._fire(job, to_unix_ms(job.next_run))
                job.calculate_next(job.next_run)

    async def _fire(self, job: CronJob, tick_ms: int) -> None:
        """Enqueue one job, until that is done: an outage between two must not fire the first again."""
        record = queued_record(0, self._codec.encode_job(job.name, (), {}, None, timestamp_ms()))
        if job.unique:
            job_id = job.job_id or f"{job.name}:{tick_ms}"
            await self._until_done(lambda: self._engine.fire(job.name, tick_ms, job_id, record))
        else:
            # One id for all attempts: the answer to the first may be what was lost.
            new_job = NewJob(job.job_id or new_job_id(), "", record)
            await self._until_done(lambda: self._engine.enqueue([new_job]))

    async def _until_done(self, attempt: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await attempt()
            except REDIS_TROUBLE as error:
                self._outage.begins(error)
                await self._outage.wait()
            else:
                self._outage.is_over()
                return

    def _now(self) -> datetime:
        return datetime.now(self._timezone) if self._timezone else datetime.now().astimezone()
