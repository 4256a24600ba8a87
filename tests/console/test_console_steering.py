"""What a console does to queues and cron jobs, in the name of who acts."""

from __future__ import annotations

from typing import Any

import pytest
from console_now_toys import QUEUE, dead_settings, join, noop
from redis.exceptions import ConnectionError as RedisConnectionError
from worker_toys import Gate, at_work

from arqlite import ArqRedis, cron, func
from arqlite.console import Console
from arqlite.errors import ConfigurationError
from arqlite.telemetry import QueuePaused, QueueResumed, QueueScaled, attached


async def test_queue_is_paused_and_resumed(arq_redis: ArqRedis) -> None:
    """A pause holds until somebody resumes, and both tell who it was."""
    told: list[Any] = []
    with attached((QueuePaused, QueueResumed), told.append):
        async with Console([arq_redis], by="ada") as console:
            await console.pause(QUEUE)
            paused = await console.queue(QUEUE)
            await console.acting("bob").resume(QUEUE)
            resumed = await console.queue(QUEUE)

    assert (paused.is_paused, resumed.is_paused) == (True, False)
    assert [event.by for event in told] == ["ada", "bob"]


async def test_one_node_is_paused_and_scaled(arq_redis: ArqRedis) -> None:
    """What is said of a node holds for its workers."""
    await join(arq_redis)

    async with Console([arq_redis]) as console:
        await console.pause(QUEUE, node="web-1")
        await console.scale(QUEUE, node="web-1", limit=3)
        state = await console.queue(QUEUE)

    assert (dict(state.node_pauses), dict(state.node_limits)) == ({"web-1": True}, {"web-1": 3})
    [worker] = state.workers
    assert (worker.is_paused, worker.limit, state.is_paused) == (True, 3, False)
    assert state.slots == 0  # those of a paused worker are of no use


async def test_limits_are_checked(arq_redis: ArqRedis) -> None:
    """A limit that cannot work is refused in words, and changes nothing."""
    async with Console([arq_redis]) as console:
        with pytest.raises(ConfigurationError, match="at least 1"):
            await console.scale(QUEUE, limit=0)
        with pytest.raises(ConfigurationError, match="no queue 'mail'"):
            await console.pause("mail")


async def test_queue_is_drained(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A drain pauses a queue, waits for what runs, and names what runs still."""
    gate = Gate()
    async with Console([arq_redis]) as console, at_work(make_worker([func(gate, name="gate")])):
        await arq_redis.enqueue_job("gate", _job_id="one")
        await gate.started.wait()
        left = await console.drain(QUEUE, timeout=0.2)
        gate.open.set()
        after = await console.drain(QUEUE, timeout=5)

    assert (list(left), list(after)) == (["one"], [])


async def test_workers_are_stopped(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """The workers of a queue end as after SIGTERM."""
    worker = make_worker([func(noop, name="noop")])
    async with Console([arq_redis]) as console, at_work(worker) as task:

        async def known() -> Any:
            return (await console.workers()).workers

        await eventually(known)
        await console.stop_workers(QUEUE)
        await eventually(task.done)


async def test_cron_job_is_run_paused_and_resumed(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A cron job runs by hand, and its times pass while it is paused."""
    gate = Gate()
    worker = make_worker(cron_jobs=[cron(gate, crontab="0 9 * * mon-fri", name="report")])
    async with Console([arq_redis]) as console, at_work(worker):

        async def known() -> Any:
            return (await console.crons()).crons

        await eventually(known)
        job = await console.run_cron(QUEUE, "report")
        gate.open.set()
        await eventually(lambda: gate.ended == ["returned"])
        assert job.job_id == gate.calls[0]["job_id"]

        assert await console.pause_cron(QUEUE, "report")
        [line] = (await console.crons()).crons
        assert (line.is_paused, line.next_at) == (True, None)
        assert await console.resume_cron(QUEUE, "report")
        [line] = (await console.crons()).crons
        assert (line.is_paused, line.words) == (False, "weekdays at 09:00")
        with pytest.raises(ConfigurationError, match="there are report"):
            await console.run_cron(QUEUE, "reprot")


async def test_scale_is_told_with_who(arq_redis: ArqRedis) -> None:
    """Whoever watches hears who changed which limit."""
    told: list[Any] = []
    with attached(QueueScaled, told.append):
        async with Console([arq_redis], by="ada") as console:
            await console.scale(QUEUE, global_limit=5)

    assert [(event.by, event.queue) for event in told] == [("ada", QUEUE)]


async def test_dead_queue_cannot_be_steered() -> None:
    """Who acts hears at once that nothing came of it."""
    async with Console([dead_settings()]) as console:
        with pytest.raises(RedisConnectionError):
            await console.pause("dead")
