"""Schedulers on one queue, on a server whose clock is the test's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from arqlite.cron import CronJob
from arqlite.engine import RedisEngine
from arqlite.model.codec import Codec
from arqlite.runtime.scheduler import Scheduler


class CronFleet:
    """Schedulers on one queue, in a time that the test moves; nothing in it sleeps."""

    def __init__(self, engine: RedisEngine) -> None:
        self.engine = engine
        self.set("2024-01-01 00:00:00.500")

    async def start(
        self,
        jobs: Sequence[CronJob],
        zone: tzinfo | None = UTC,
        *,
        is_leader: Callable[[], bool] = lambda: True,
    ) -> Scheduler:
        scheduler = Scheduler(self.engine, Codec(), jobs, zone, lambda: self.seconds, is_leader)
        await scheduler.begin()
        return scheduler

    def set(self, text: str) -> None:
        """Move to a time of UTC."""
        self.seconds = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    async def run_until(self, text: str, *schedulers: Scheduler) -> None:
        """Let time pass, each scheduler firing when it would wake."""
        end = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        while self.seconds < end:
            self.seconds = min(self.seconds + min(one.nap_s() for one in schedulers) + 0.001, end)
            for scheduler in schedulers:
                await scheduler.fire_due()

    async def jobs(self) -> dict[str, dict[str, Any]]:
        """Take the jobs that were enqueued since the last look, in the order of their start."""
        keys, client = self.engine.keys, self.engine.client
        ids = [job_id.decode() for job_id in await client.zrange(keys.ready, 0, -1)]
        taken = {job_id: Codec().decode_job((await client.hget(keys.jobs, job_id))[2:]) for job_id in ids}
        await client.delete(keys.ready, keys.jobs)
        return taken

    async def times(self) -> list[str]:
        """Take the jobs as the times that they are for."""
        return [_time_of(job_id) for job_id in await self.jobs()]


def _time_of(job_id: str) -> str:
    _, _, ms = job_id.rpartition(":")
    return datetime.fromtimestamp(int(ms) / 1000, UTC).strftime("%d. %H:%M:%S") if ms.isdigit() else job_id
