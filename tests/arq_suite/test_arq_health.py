"""The health record of a worker, and the check that reads it."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any

import pytest
from arq import ArqRedis, func
from arq.connections import RedisSettings
from arq.worker import async_check_health
from arq_toys import Gate, add, at_work, enqueue, lines, until

RECORD = re.compile(
    rb"([A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d) "
    rb"j_complete=(\d+) j_failed=(\d+) j_retried=(\d+) j_ongoing=(\d+) queued=(\d+)"
)


async def test_record(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A line in local time with the worker's counters and the queue's length, until the worker is closed."""
    gate = Gate()
    await enqueue(arq_redis, "add")
    await enqueue(arq_redis, "gate")
    await enqueue(arq_redis, "gate", _defer_by=60)
    key = "arq:queue:health-check"
    worker = make_worker(add, func(gate.enter, name="gate"), health_check_interval=0.1)

    async with at_work(worker):

        async def record() -> Any:
            match = RECORD.fullmatch(await arq_redis.get(key) or b"")
            return match if match and match.groups()[1:] == (b"1", b"0", b"0", b"1", b"2") else None

        match = await until(record)
        year = datetime.now().year  # noqa: DTZ005 (the record is in local time)
        told = datetime.strptime(f"{year} {match[1].decode()}", "%Y %b-%d %H:%M:%S")  # noqa: DTZ007
        assert abs(datetime.now() - told).total_seconds() < 5  # noqa: DTZ005
        assert 0 < await arq_redis.pttl(key) <= 1100
        gate.open.set()

    assert await arq_redis.get(key) is None


async def test_key_is_that_of_the_queue(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Each queue has a record of its own, which lives a second longer than the interval."""
    async with at_work(make_worker(add, queue_name="mine", health_check_interval=20)):
        await until(lambda: arq_redis.get("mine:health-check"))
        assert 15_000 < await arq_redis.pttl("mine:health-check") <= 21_000


async def test_key_of_ones_own(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The record may go elsewhere."""
    async with at_work(make_worker(add, health_check_key="elsewhere")) as worker:
        assert worker.health_check_key == "elsewhere"
        await until(lambda: arq_redis.get("elsewhere"))
        assert await arq_redis.get("arq:queue:health-check") is None


async def test_check(
    arq_redis: ArqRedis,
    redis_settings: RedisSettings,
    make_worker: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The check is an exit code, and says what it found."""
    caplog.set_level(logging.INFO)
    assert await async_check_health(redis_settings) == 1
    assert await async_check_health(redis_settings, "elsewhere", "mine") == 1
    assert lines(caplog) == ["Health check failed: no health check sentinel value found"] * 2

    worker = make_worker(add, queue_name="mine", health_check_key="elsewhere")
    async with at_work(worker):
        await until(lambda: arq_redis.get("elsewhere"))
        assert await async_check_health(redis_settings, health_check_key="elsewhere", queue_name="mine") == 0
        assert await async_check_health(redis_settings, queue_name="mine") == 1

    assert any(re.fullmatch(r"Health check successful: b'\w+-\d\d .*'", line) for line in lines(caplog))


async def test_check_of_a_queue(arq_redis: ArqRedis, redis_settings: RedisSettings, make_worker: Any) -> None:
    """By default the record of the default queue is looked for."""
    async with at_work(make_worker(add)):
        await until(lambda: arq_redis.get("arq:queue:health-check"))

        assert await async_check_health(redis_settings) == 0
