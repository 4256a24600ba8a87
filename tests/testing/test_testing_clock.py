"""Delays, retries, cron times and leases by a clock that a test moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
from testing_toys import act

from arqlite import ArqRedis, JobStatus, Worker, cron
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError
from arqlite.testing import Clock, DrainCounts, all_enqueued, assert_enqueued, cron_time, drain_queue
from arqlite.utils import timestamp_ms

MakeWorker = Callable[..., Worker]


async def test_delayed_job_is_due_after_the_move(arqlite_redis: ArqRedis, arqlite_clock: Clock) -> None:
    """A job of an hour's delay is not claimed before, and is afterwards."""
    await arqlite_redis.options(delay=3600).enqueue(act)

    before = await drain_queue(arqlite_redis, [act])
    arqlite_clock.advance(3599)
    still = await drain_queue(arqlite_redis, [act])
    arqlite_clock.advance(1)
    after = await drain_queue(arqlite_redis, [act])

    assert (before.success, still.success, after.success) == (0, 0, 1)


async def test_worker_runs_what_is_due(
    arqlite_redis: ArqRedis, arqlite_clock: Clock, arqlite_worker: MakeWorker
) -> None:
    """A burst worker finds a job due that was put off by a week."""
    job = await arqlite_redis.options(delay=timedelta(days=7)).enqueue(act, "ok", 1)
    arqlite_clock.advance(timedelta(days=7))

    await arqlite_worker([act]).run_check()

    assert await job.result() == ["ok", 1]


async def test_retry_is_due_after_the_move(arqlite_redis: ArqRedis, arqlite_clock: Clock) -> None:
    """A job that asked for another try in a minute runs again after a minute."""
    await arqlite_redis.enqueue(act, "retry")

    counts = [await drain_queue(arqlite_redis, [act])]
    counts.append(await drain_queue(arqlite_redis, [act]))
    arqlite_clock.advance(60)
    counts.append(await drain_queue(arqlite_redis, [act]))

    assert counts == [DrainCounts(failure=1), DrainCounts(), DrainCounts(failure=1)]


async def test_lease_ends_after_the_move(
    arqlite_redis: ArqRedis, arqlite_clock: Clock, arqlite_worker: MakeWorker
) -> None:
    """The jobs of a worker that was not heard of for its lease are run by another one."""
    job = await arqlite_redis.enqueue(act, "job")
    dead = RedisEngine(arqlite_redis, "arq:queue")
    await dead.open("dead", 60_000)
    await dead.turn("dead", 1, {}, [])
    assert await job.status() == JobStatus.in_progress

    arqlite_clock.advance(61)
    worker = arqlite_worker([act], keep_result=0)
    await worker.async_run()

    assert worker.jobs_complete + worker.jobs_failed == 1
    await dead.close()


async def test_cron_fires_after_the_move(arqlite_redis: ArqRedis, arqlite_clock: Clock) -> None:
    """A cron job fires at its time by the clock, once, and not before."""
    arqlite_clock.move_to(datetime(2030, 4, 1, 8, tzinfo=UTC))

    class Settings:
        cron_jobs = (cron(act, name="report", hour=9, minute=0),)
        timezone = UTC

    async with cron_time(arqlite_redis, Settings) as times:
        await times.tick()
        assert await all_enqueued(arqlite_redis) == []
        arqlite_clock.move_to(datetime(2030, 4, 1, 9, 0, 1, tzinfo=UTC))
        await times.tick()
        await times.tick()

    job = await assert_enqueued(arqlite_redis, "report", at=datetime(2030, 4, 1, 9, tzinfo=UTC))
    assert [job.id] == [one.id for one in await all_enqueued(arqlite_redis)]
    assert await drain_queue(arqlite_redis, Settings) == DrainCounts(success=1)


async def test_cron_time_needs_cron_jobs(arqlite_redis: ArqRedis) -> None:
    """Settings without cron jobs are refused."""
    with pytest.raises(ConfigurationError, match="have no cron_jobs"):
        async with cron_time(arqlite_redis, {"functions": [act]}):
            pass


async def test_keys_expire_by_the_clock(arqlite_redis: ArqRedis, arqlite_clock: Clock) -> None:
    """The server forgets what its time is over for."""
    await arqlite_redis.set("kept", 1, ex=60)

    arqlite_clock.advance(61)

    assert await arqlite_redis.get("kept") is None


async def test_results_expire_by_the_clock(arqlite_redis: ArqRedis, arqlite_clock: Clock) -> None:
    """A result that is kept for an hour is gone after an hour."""
    job = await arqlite_redis.enqueue(act)
    await drain_queue(arqlite_redis, [act])

    arqlite_clock.advance(3601)

    assert await job.status() == JobStatus.not_found
    assert await arqlite_redis.all_job_results() == []


async def test_server_and_client_agree(arqlite_redis: ArqRedis, arqlite_clock: Clock) -> None:
    """Both sides tell the moved time, which goes on, and everybody else tells the real one."""
    real = time.time()
    arqlite_clock.move_to(datetime(2031, 1, 1, tzinfo=UTC))

    seconds, _ = await arqlite_redis.time()

    assert 0 <= seconds - 1_924_992_000 < 60
    assert 0 <= timestamp_ms() / 1000 - 1_924_992_000 < 60
    assert arqlite_clock.now().year == 2031
    assert abs(time.time() - real) < 60


def test_time_is_real_again_afterwards() -> None:
    """Whatever was moved is as before when the clock is given back."""
    with Clock() as clock:
        clock.advance(1e6)
        assert clock.ahead_s == 1e6
        assert timestamp_ms() / 1000 - time.time() > 9e5

    assert abs(timestamp_ms() / 1000 - time.time()) < 60
    assert fakeredis._helpers.time is time


def test_there_is_one_clock() -> None:
    """A second clock would be moved by nobody's wish; it is refused, and the first one stays in use."""
    with Clock() as clock:
        with pytest.raises(ConfigurationError, match="one clock at a time"), Clock():
            pass
        clock.advance(1e6)
        assert timestamp_ms() / 1000 - time.time() > 9e5


@pytest.mark.parametrize("by", [-1, float("nan"), "soon"])
def test_span_that_cannot_be_is_refused(by: Any) -> None:
    """Time is advanced by a span of at least nothing."""
    with Clock() as clock, pytest.raises(ConfigurationError):
        clock.advance(by)


def test_moment_before_the_scores_begin_is_refused() -> None:
    """A queue knows no moment before 2020."""
    with Clock() as clock, pytest.raises(ConfigurationError, match="no moment before 2020"):
        clock.move_to(datetime(1999, 1, 1, tzinfo=UTC))
