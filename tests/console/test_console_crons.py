"""The cron jobs of all queues, in words and with their last jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from console_now_toys import QUEUE, dead_settings, noop
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)
from worker_toys import at_work

from arqlite import ArqRedis, cron, func
from arqlite.console import Console, CronLine, crons
from arqlite.ledger import Ledger
from arqlite.model.states import JobState


async def listed(console: Console) -> Sequence[CronLine]:
    return (await console.crons()).crons


async def test_cron_jobs_are_listed_by_name(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """Each cron job tells when it runs, in words and as it was written."""
    jobs = [cron(noop, crontab="*/15 * * * *", name="sync"), cron(noop, hour=9, minute=0, name="report")]
    async with Console([arq_redis, dead_settings()]) as console, at_work(make_worker(cron_jobs=jobs)):
        lines = await eventually(lambda: listed(console))

    assert [(line.queue, line.name, line.words, line.schedule) for line in lines] == [
        (QUEUE, "report", "every day at 09:00", "hour=9 minute=0 second=0"),
        (QUEUE, "sync", "every 15 minutes", "*/15 * * * *"),
    ]
    assert all(line.next_at is not None and not line.is_paused for line in lines)


async def test_queue_that_is_away_is_told_with_the_cron_jobs(arq_redis: ArqRedis) -> None:
    """That a Redis does not answer is no word that its queue has no cron jobs."""
    async with Console([arq_redis, dead_settings()]) as console:
        found = await console.crons()

    assert list(found.crons) == []
    assert [(one.code, one.queue) for one in found.troubles] == [("redis-away", "dead")]


async def test_slow_ledger_leaves_cron_jobs_without_their_last_jobs(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a ledger does not tell in time is left out, and the cron jobs are shown."""
    asked = asyncio.Event()

    async def forever(*_: Any, **__: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    jobs = [cron(noop, crontab="0 9 * * *", name=name) for name in ("a", "b", "c", "d")]
    async with Console([arq_redis]) as console, at_work(make_worker(cron_jobs=jobs)):
        await eventually(lambda: listed(console))
    monkeypatch.setattr(crons, "LEDGER_ANSWER_S", 0.1)
    arq_redis.ledger = ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    monkeypatch.setattr(ledger, "jobs", forever)
    async with Console([arq_redis]) as console:
        found = await console.crons()

    assert asked.is_set()
    assert [one.code for one in found.troubles] == ["ledger-away"]
    assert [(line.name, list(line.recent)) for line in found.crons] == [
        (name, []) for name in ("a", "b", "c", "d")
    ]


async def test_cron_job_shows_its_last_jobs(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, tmp_path: Path
) -> None:
    """With a ledger a cron job shows what became of its last jobs, and of no other job of the function."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    arq_redis.ledger = ledger
    job = cron(noop, crontab="0 9 * * *", name="report", run_at_startup=True)
    worker = make_worker([func(noop, name="noop")], cron_jobs=[job], ledger=ledger)
    async with Console([arq_redis]) as console, at_work(worker):
        await arq_redis.enqueue_job("report")

        async def with_last() -> Any:
            [line] = await listed(console) or [None]
            done = line is not None and line.recent and worker.jobs_complete == 2
            return line if done and line.recent[0].state is JobState.COMPLETED else None

        line = await eventually(with_last)
    await ledger.aclose()

    assert [(one.function, one.source, one.error) for one in line.recent] == [("report", "ledger", "")]
