"""Firing cron jobs while Redis comes and goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, cast

from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite import cron
from arqlite.engine import Engine, NewJob
from arqlite.model.codec import Codec
from arqlite.runtime.scheduler import Scheduler


async def tick(ctx: dict[Any, Any]) -> None: ...


class ShakyEngine:
    """Fails at some of the attempts to enqueue, by their numbers; keeps the ids of all."""

    def __init__(self, *failures: int) -> None:
        self.failures = failures
        self.attempts: list[str] = []
        self.fired: list[str] = []

    async def enqueue(self, jobs: Sequence[NewJob]) -> None:
        [job] = jobs
        self._attempt(job.job_id)

    async def fire(self, name: str, tick_ms: int, job_id: str, record: bytes) -> None:
        self._attempt(job_id)

    def _attempt(self, job_id: str) -> None:
        self.attempts.append(job_id)
        if len(self.attempts) in self.failures:
            raise RedisConnectionError("away")
        self.fired.append(job_id)


async def test_outage_fires_no_startup_job_twice(eventually: Any) -> None:
    """What was fired before an outage is not fired again after it; an attempt that failed keeps its id."""
    engine = ShakyEngine(2, 3)
    names = ("first", "second", "third")
    jobs = [cron(tick, name=name, hour=0, minute=0, run_at_startup=True, unique=False) for name in names]
    jobs.append(cron(tick, name="once", hour=0, minute=0, run_at_startup=True))
    scheduler = Scheduler(cast("Engine", engine), Codec(), jobs, UTC)
    await scheduler.start()

    await eventually(lambda: len(engine.fired) >= 4)
    await scheduler.stop()

    assert len(engine.attempts) == 6
    assert engine.attempts[1] == engine.attempts[2] == engine.attempts[3]
    assert len(set(engine.fired)) == len(engine.fired) == 4
