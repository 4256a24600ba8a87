"""What services do when Redis is in trouble, and how they end all the same."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from arqlite import ArqRedis, func
from arqlite.engine import RedisEngine, Turn
from arqlite.engine.link import Link
from arqlite.runtime import outage
from arqlite.runtime.duty import RedisDuty
from arqlite.runtime.outage import Outage
from arqlite.telemetry import RedisFailed, attached, spans_of


class Flaky(RedisDuty):
    """A duty that fails as often as it is told."""

    def __init__(self, failures: int) -> None:
        super().__init__("flaky", 3600, at_once=True)
        self.failures = failures
        self.done = asyncio.Event()
        self.times = 0

    async def duty(self) -> None:
        self.times += 1
        if self.times <= self.failures:
            raise RedisConnectionError("away")
        self.done.set()


async def test_duty_is_tried_again_soon(caplog: pytest.LogCaptureFixture) -> None:
    """A duty that met an outage is done when Redis is back, not an interval later, and says so once."""
    caplog.set_level(logging.INFO, "arqlite.worker")
    duty = Flaky(failures=3)
    await duty.start()

    async with asyncio.timeout(5):
        await duty.done.wait()

    await duty.stop()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_duty_can_be_hurried(eventually: Any) -> None:
    """A duty that is hurried does not wait for its interval."""
    duty = Flaky(failures=0)
    await duty.start()
    await duty.done.wait()

    duty.hurry()

    await eventually(lambda: duty.times == 2)
    await duty.stop()


def test_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """However long an outage lasts, one line tells of it."""
    trouble = Outage("worker")

    for _ in range(3):
        trouble.begins(RedisConnectionError("away"))

    assert [record.message for record in caplog.records] == [
        "worker: Redis is out of reach (ConnectionError: away), trying again"
    ]


def test_each_attempt_of_an_outage_is_an_event() -> None:
    """Telemetry hears of every attempt that failed: which queue, what for, and why."""
    events: list[RedisFailed] = []
    trouble, error = Outage("heartbeat"), RedisConnectionError("away")

    with attached(RedisFailed, events.append), spans_of("mail"):
        for _ in range(2):
            trouble.begins(error)

    assert [(event.queue, event.operation, event.error) for event in events] == [
        ("mail", "heartbeat", error)
    ] * 2


def test_refusal_is_told_again(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Redis refuses will not pass by itself: it is called a refusal, and told again each minute."""
    monkeypatch.setattr(outage, "_REMIND_AFTER_S", -1.0)
    trouble = Outage("worker")

    for _ in range(2):
        trouble.begins(ResponseError("WRONGTYPE"))

    assert [record.message for record in caplog.records] == [
        "worker: Redis refuses (ResponseError: WRONGTYPE), trying again"
    ] * 2


async def test_read_only_server_is_left(arq_redis: ArqRedis) -> None:
    """After READONLY the next call goes over a new connection, which may lead to the new primary."""
    link = Link(arq_redis, timeout=5)
    await link.command("PING")
    before = link._connection

    with pytest.raises(ReadOnlyError):
        await link.command("EVAL", "return redis.error_reply('READONLY You cannot write here')", 0)

    await link.command("PING")
    assert link._connection is not before
    await link.close()


async def test_worker_leaves_although_jobs_have_all_threads(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A shutdown does not wait for the loop's own threads, which jobs may have taken."""
    gate = threading.Event()
    busy = asyncio.Event()

    async def blocks(ctx: dict[str, Any]) -> None:
        waits = [asyncio.to_thread(gate.wait) for _ in range(64)]
        busy.set()
        await asyncio.gather(*waits)

    worker = make_worker([func(blocks, name="blocks")], burst=False)
    task = asyncio.create_task(worker.async_run())
    worker_job = await arq_redis.enqueue_job("blocks")
    assert worker_job is not None
    async with asyncio.timeout(5):
        await busy.wait()

    try:
        async with asyncio.timeout(8):
            await worker.close()
            await task
    finally:
        gate.set()


async def test_nothing_is_claimed_while_an_end_is_resent(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resent end travels alone: a job claimed with it, under an id used again, could be ended by it."""
    turn, wants_after_a_loss, losses = RedisEngine.turn, list[int](), iter([True, True])

    async def lossy(engine: RedisEngine, session: str, want: int, ended: Any, *others: Any) -> Turn:
        answer = await turn(engine, session, want, ended, *others)
        if losing:
            wants_after_a_loss.append(want)
        losing[:] = [True] if ended and next(losses, False) else []
        if losing:
            raise RedisConnectionError("the reply is lost")
        return answer

    losing: list[bool] = []
    monkeypatch.setattr(RedisEngine, "turn", lossy)
    for _ in range(3):
        await arq_redis.enqueue_job("noop")

    assert await make_worker([func(noop, name="noop")], max_jobs=1).run_check() == 3

    assert wants_after_a_loss[:2] == [0, 0]


async def noop(ctx: dict[str, Any]) -> None:
    """Do nothing."""
