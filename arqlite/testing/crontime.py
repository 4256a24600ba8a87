"""Cron jobs fired when a test says so, by a worker's own scheduler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..client import ArqRedis
from ..engine import RedisEngine
from ..errors import ConfigurationError
from ..model.codec import Codec
from ..runtime.scheduler import Scheduler
from .bench import options_of
from .draining import queue_of
from .listing import PATIENCE_S


class CronTime:
    """A cron scheduler that looks at the clock when it is told to; made by `cron_time`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def tick(self) -> None:
        """Enqueue what is due now. Of times that passed more than a minute ago the last one counts, as in
        a worker that could not fire them.
        """
        await self._scheduler.fire_due()


@asynccontextmanager
async def cron_time(pool: ArqRedis, settings: Any, *, queue: str | None = None) -> AsyncIterator[CronTime]:
    """Plan the cron jobs of some worker settings from now on, and enqueue what runs at startup.

        async with cron_time(pool, WorkerSettings) as cron:
            clock.move_to(datetime(2030, 4, 1, 9, 0, 1, tzinfo=UTC))
            await cron.tick()
        await assert_enqueued(pool, "cron:send_reports")

    Args:
        pool: where they go.
        settings: worker settings with `cron_jobs`.
        queue: the queue; else that of the settings, else the pool's default.

    Raises:
        ConfigurationError: there are no cron jobs.
    """
    options = options_of(settings, queue_of(pool, settings, queue))
    if not options.cron_jobs:
        raise ConfigurationError("these settings have no cron_jobs")
    codec = Codec(
        options.job_serializer or pool.job_serializer, options.job_deserializer or pool.job_deserializer
    )
    engine = RedisEngine(pool, options.queue, timeout=PATIENCE_S)
    scheduler = Scheduler(engine, codec, options.cron_jobs, options.zone)
    try:
        await scheduler.begin()
        yield CronTime(scheduler)
    finally:
        await engine.close()
