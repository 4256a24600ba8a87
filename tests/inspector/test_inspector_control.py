"""Queues are steered while they run: paused, resumed, scaled, drained, stopped, and looked at."""

from __future__ import annotations

import asyncio
import logging
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from worker_toys import Ctx, at_work, enqueue, lines

from arqlite import ArqRedis, GlobalLimit, Inspector, RateLimit, func
from arqlite.connections import RedisSettings
from arqlite.engine import Listener, RedisEngine, Turn
from arqlite.errors import ConfigurationError
from arqlite.jobs import Job, JobStatus

HERE = socket.gethostname()
QUEUE = "arq:queue"


class Stay:
    """A job that stays until it is let out."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.door = asyncio.Event()

    async def __call__(self, ctx: Ctx) -> None:
        self.inside.append(ctx["job_id"])
        try:
            await self.door.wait()
        finally:
            self.inside.remove(ctx["job_id"])


async def noop(ctx: Ctx) -> None: ...


def plain(ctx: Ctx, seconds: float) -> None:
    """Occupy a thread."""
    import time

    time.sleep(seconds)


@pytest.fixture
def inspector(arq_redis: ArqRedis) -> Inspector:
    return Inspector(arq_redis)


@pytest.fixture
def stay() -> Stay:
    return Stay()


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many jobs each turn of any worker has claimed."""
    claimed: list[int] = []
    turn = RedisEngine.turn

    async def noted(engine: RedisEngine, *args: Any) -> Turn:
        answer = await turn(engine, *args)
        claimed.append(len(answer.job_ids))
        return answer

    monkeypatch.setattr(RedisEngine, "turn", noted)
    return claimed


async def info(inspector: Inspector, queue: str = QUEUE) -> Any:
    found = await inspector.check_queue(queue)
    assert found is not None
    return found


# -- pause and resume


async def test_paused_queue_keeps_jobs_and_lets_running_ones_end(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, stay: Stay, eventually: Any
) -> None:
    """While a queue is paused its jobs stay queued and running ones end; a resume runs the rest."""
    worker = make_worker([func(stay, name="stay"), func(noop, name="noop")])
    running = await enqueue(arq_redis, "stay")
    async with at_work(worker):
        await eventually(lambda: stay.inside)
        await inspector.pause_queue(QUEUE)
        waiting = await enqueue(arq_redis, "noop")
        stay.door.set()
        assert await running.result(timeout=5) is None
        await asyncio.sleep(0.1)
        assert await waiting.status() is JobStatus.queued
        assert (await info(inspector)).paused

        await inspector.resume_queue(QUEUE)

        assert await waiting.result(timeout=2) is None
    assert not (await info(inspector)).paused


async def test_paused_worker_does_nothing(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, turns: list[int], eventually: Any
) -> None:
    """An idle worker of a paused queue makes no turns, however many jobs come."""
    worker = make_worker([func(noop, name="noop")])
    async with at_work(worker):
        await inspector.pause_queue(QUEUE)
        await asyncio.sleep(0.1)
        before = len(turns)
        for _ in range(20):
            await enqueue(arq_redis, "noop")
            await asyncio.sleep(0.01)
        assert len(turns) - before <= 1
        await inspector.resume_queue(QUEUE)
        await eventually(lambda: worker.jobs_complete == 20)


async def test_pause_outlives_workers(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, eventually: Any
) -> None:
    """A queue that was paused is paused for workers that start later, and before the queue was ever used."""
    await inspector.pause_queue(QUEUE)
    await enqueue(arq_redis, "noop")
    worker = make_worker([func(noop, name="noop")])

    async with at_work(worker):
        await asyncio.sleep(0.2)
        assert worker.jobs_complete == 0
        await inspector.resume_queue(QUEUE)
        await eventually(lambda: worker.jobs_complete == 1, 2)


async def test_pause_is_heard_by_beats(
    arq_redis: ArqRedis,
    make_worker: Any,
    inspector: Inspector,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Any,
) -> None:
    """A worker that lost the message hears of what was settled with its next beat."""
    from arqlite.runtime.producer import Producer

    monkeypatch.setattr(Producer, "look_at_orders", lambda producer: None)
    worker = make_worker([func(noop, name="noop")], lease=0.6)
    async with at_work(worker):
        await inspector.pause_queue(QUEUE)
        await enqueue(arq_redis, "noop")
        await eventually(lambda: worker._crew.producer._orders.is_paused)
        monkeypatch.undo()
        await inspector.resume_queue(QUEUE)
        await eventually(lambda: worker.jobs_complete == 1, 2)


async def test_pause_of_a_node(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, stay: Stay, eventually: Any
) -> None:
    """The name of another node has no effect, that of a worker's own has; others go on."""
    here, there = (
        make_worker([func(stay, name="stay")], node=node, max_jobs=5) for node in ("here", "there")
    )
    async with at_work(here), at_work(there):
        await inspector.pause_queue(QUEUE, node="elsewhere")
        await inspector.pause_queue(QUEUE, node="here")
        await eventually(lambda: here._crew.producer._orders.is_paused)
        for _ in range(4):
            await enqueue(arq_redis, "stay")
        await eventually(lambda: len(there.tasks) == 4)
        assert not here.tasks
        told = await info(inspector)
        assert {node: [one.paused for one in sessions] for node, sessions in told.nodes.items()} == {
            "here": [True], "there": [False],
        }  # fmt: skip
        assert not told.paused
        assert told.node_pauses == {"elsewhere": True, "here": True}

        await inspector.resume_queue(QUEUE, node="here")
        for _ in range(6):
            await enqueue(arq_redis, "stay")
        await eventually(lambda: len(here.tasks) + len(there.tasks) == 10)
        stay.door.set()


async def test_one_node_of_a_paused_queue_is_resumed(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, eventually: Any
) -> None:
    """A node that is resumed by name works though the queue is paused; a resume of all forgets the names."""
    here, there = (make_worker([func(noop, name="noop")], node=node) for node in ("here", "there"))
    await inspector.pause_queue(QUEUE)
    await inspector.resume_queue(QUEUE, node="here")
    async with at_work(here), at_work(there):
        for _ in range(3):
            await enqueue(arq_redis, "noop")
        await eventually(lambda: here.jobs_complete == 3, 3)
        assert there.jobs_complete == 0

        await inspector.resume_queue(QUEUE)

        assert (await info(inspector)).node_pauses == {}


async def test_all_queues_are_paused_and_resumed(arq_redis: ArqRedis, inspector: Inspector) -> None:
    """Every queue that is known is paused, whether it has jobs, workers or was only steered."""
    await arq_redis.options(queue="one").enqueue("noop")
    await inspector.scale_queue("two", limit=3)
    await RedisEngine(arq_redis, "three").open("s", 60_000)
    await arq_redis.set("aq:{not a queue}:other", "1")

    assert await inspector.pause_all_queues() == ["one", "three", "two"]
    assert all(queue.paused for queue in await inspector.check_all_queues())
    assert await inspector.resume_all_queues(node="x") == ["one", "three", "two"]
    assert all(queue.paused for queue in await inspector.check_all_queues())
    await inspector.resume_all_queues()

    assert not any(queue.paused for queue in await inspector.check_all_queues())


async def test_worker_that_starts_paused(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, eventually: Any
) -> None:
    """A worker with `paused=True` says so and waits for a resume; others of the queue work meanwhile."""
    await inspector.resume_queue(QUEUE)
    paused = make_worker([func(noop, name="noop")], paused=True)
    async with at_work(paused):
        await eventually(lambda: paused._crew.producer.session)
        await enqueue(arq_redis, "noop")
        await asyncio.sleep(0.1)
        told = await info(inspector)
        assert (paused.jobs_complete, told.paused, [one.paused for one in told.sessions]) == (
            0,
            False,
            [True],
        )
        async with at_work(make_worker([func(noop, name="noop")])) as _:
            await eventually(lambda: _no_jobs(inspector), 3)
        await enqueue(arq_redis, "noop")
        await inspector.resume_queue(QUEUE)
        await eventually(lambda: paused.jobs_complete == 1, 2)


async def _no_jobs(inspector: Inspector) -> bool:
    return bool((await info(inspector)).waiting == 0)


@pytest.mark.parametrize("starts_paused", [True, False])
async def test_burst_of_a_paused_queue_ends(
    arq_redis: ArqRedis,
    make_worker: Any,
    inspector: Inspector,
    caplog: pytest.LogCaptureFixture,
    starts_paused: bool,
) -> None:
    """A burst ends when it may do nothing, and says so: it would wait for somebody who may never come."""
    caplog.set_level(logging.INFO, "arqlite.worker")
    if not starts_paused:
        await inspector.pause_queue(QUEUE)
    await enqueue(arq_redis, "noop")
    worker = make_worker([func(noop, name="noop")], paused=starts_paused)

    await asyncio.wait_for(worker.async_run(), 5)

    assert worker.jobs_complete == 0
    assert "the burst ends: queue arq:queue is paused" in lines(caplog)


# -- scale


async def test_scaling_up_starts_more_at_once(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, stay: Stay, eventually: Any
) -> None:
    """A higher limit starts more jobs though all slots have long ones; a lower one lets running jobs end."""
    worker = make_worker([func(stay, name="stay")], max_jobs=1)
    for _ in range(8):
        await enqueue(arq_redis, "stay")
    async with at_work(worker):
        await eventually(lambda: len(stay.inside) == 1)
        await inspector.scale_queue(QUEUE, limit=5)
        await eventually(lambda: len(stay.inside) == 5, 2)
        told = await info(inspector)
        assert (told.limit, [one.limit for one in told.sessions]) == (5, [5])

        await inspector.scale_queue(QUEUE, concurrency=1)
        await eventually(lambda: worker._crew.producer._max_jobs == 1)
        assert len(stay.inside) == 5
        for task in list(worker.tasks.values())[:4]:
            task.cancel()
        await eventually(lambda: len(stay.inside) == 1)
        await asyncio.sleep(0.05)
        assert len(stay.inside) == 1
        stay.door.set()
        # Those that were cancelled run again.
        await eventually(lambda: worker.jobs_complete == 8)


async def test_scaling_up_before_the_worker_listens(
    arq_redis: ArqRedis,
    make_worker: Any,
    inspector: Inspector,
    stay: Stay,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Any,
) -> None:
    """A worker without a free slot that was scaled before it could hear of that learns it once it listens."""
    listens, follow = asyncio.Event(), Listener.follow

    async def follow_late(listener: Listener, channel: str, callback: Any) -> None:
        if channel.endswith(":all"):
            await listens.wait()
        await follow(listener, channel, callback)

    monkeypatch.setattr(Listener, "follow", follow_late)
    worker = make_worker([func(stay, name="stay")], max_jobs=1)
    for _ in range(5):
        await enqueue(arq_redis, "stay")
    async with at_work(worker):
        await eventually(lambda: len(stay.inside) == 1)
        await inspector.scale_queue(QUEUE, limit=5)
        await asyncio.sleep(0.05)
        assert len(stay.inside) == 1

        listens.set()

        await eventually(lambda: len(stay.inside) == 5, 2)
        stay.door.set()


async def test_limit_of_one_node(make_worker: Any, inspector: Inspector, eventually: Any) -> None:
    """A node has its own limit before that of all; None gives it back, and later workers have it, too."""
    await inspector.scale_queue(QUEUE, limit=4)
    await inspector.scale_queue(QUEUE, limit=7, node="here")
    here, there = (make_worker([func(noop, name="noop")], node=node) for node in ("here", "there"))
    async with at_work(here), at_work(there):
        await eventually(lambda: here._crew.producer._max_jobs == 7 and there._crew.producer._max_jobs == 4)
        told = await info(inspector)
        assert [(one.node, one.limit) for one in told.sessions] == [("here", 7), ("there", 4)]
        assert told.node_limits == {"here": 7}
        await inspector.scale_queue(QUEUE, limit=None, node="here")
        await eventually(lambda: here._crew.producer._max_jobs == 4)
        await inspector.scale_queue(QUEUE, limit=None)
        await eventually(lambda: here._crew.producer._max_jobs == there._crew.producer._max_jobs == 10)


async def test_functions_keep_their_limits_when_scaled(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, stay: Stay, eventually: Any
) -> None:
    """A limit of a function that was no limit for few slots is one for many, and counts what runs already."""
    worker = make_worker([func(stay, name="stay", max_jobs=3)], max_jobs=2)
    for _ in range(6):
        await enqueue(arq_redis, "stay")
    async with at_work(worker):
        await eventually(lambda: len(stay.inside) == 2)
        await inspector.scale_queue(QUEUE, limit=6)
        await eventually(lambda: len(stay.inside) == 3)
        await asyncio.sleep(0.1)
        assert len(stay.inside) == 3
        stay.door.set()
        await eventually(lambda: worker.jobs_complete == 6)


async def test_plain_functions_have_threads_when_scaled(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, eventually: Any
) -> None:
    """Slots that came later have threads, too."""
    worker = make_worker([func(plain, name="plain")], max_jobs=1)
    async with at_work(worker):
        await inspector.scale_queue(QUEUE, limit=6)
        await eventually(lambda: worker._crew.producer._max_jobs == 6)
        began = asyncio.get_running_loop().time()
        for _ in range(6):
            await enqueue(arq_redis, "plain", 0.3)
        await eventually(lambda: worker.jobs_complete == 6)

    assert asyncio.get_running_loop().time() - began < 1.2


async def test_limits_of_all_workers_change_while_they_work(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, stay: Stay, eventually: Any
) -> None:
    """What an operator sets goes before the settings, infinity lifts it, and None gives it back to them."""
    worker = make_worker([func(stay, name="stay")], global_limit=2, max_jobs=20)
    for _ in range(20):
        await enqueue(arq_redis, "stay")
    async with at_work(worker):
        await eventually(lambda: len(stay.inside) == 2)
        await inspector.scale_queue(QUEUE, global_limit=5)
        await eventually(lambda: len(stay.inside) == 5, 2)
        assert (await info(inspector)).global_limit == GlobalLimit(5)
        await inspector.scale_queue(QUEUE, global_limit=float("inf"))
        await eventually(lambda: len(stay.inside) == 20, 2)
        assert (await info(inspector)).global_limit is None
        await inspector.scale_queue(QUEUE, global_limit=None)
        assert (await info(inspector)).global_limit == GlobalLimit(2)
        stay.door.set()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "needs a limit, a global_limit or a rate_limit"),
        ({"limit": -1}, "limit must be a whole number of at least 1, got -1"),
        ({"limit": 0}, "at least 1, got 0"),
        ({"limit": True}, "whole number"),
        ({"limit": 1, "concurrency": 1}, "limit and concurrency are the same"),
        ({"global_limit": 0}, "global_limit must be a whole number of at least 1"),
        ({"global_limit": 3, "node": "n"}, "global_limit holds for all nodes together"),
        ({"rate_limit": 3}, "rate_limit must be a pair"),
        ({"rate_limit": (3, 0)}, "period of rate_limit must be at least"),
        ({"rate_limit": (3, 1), "node": "n"}, "rate_limit holds for all nodes together"),
        ({"limit": 1, "node": ""}, "node must be a text"),
        (
            {"global_limit": GlobalLimit(1, "args.a"), "rate_limit": RateLimit(1, 1, "meta.b")},
            "must be partitioned by the same fields",
        ),
    ],
)
async def test_values_that_cannot_work_are_refused(
    inspector: Inspector, options: dict[str, Any], complaint: str
) -> None:
    """A limit that cannot work is refused in words, and nothing is changed."""
    with pytest.raises(ConfigurationError, match=complaint):
        await inspector.scale_queue(QUEUE, **options)

    assert await inspector.check_queue(QUEUE) is None


@pytest.mark.parametrize("queue", [None, "", 7])
async def test_queue_needs_a_name(inspector: Inspector, queue: Any) -> None:
    """A queue without a name is refused in words; an unknown option is one for Python."""
    for verb in ("pause_queue", "resume_queue", "stop_queue", "drain_queue", "check_queue"):
        with pytest.raises(ConfigurationError, match="the name of a queue must be a text"):
            await getattr(inspector, verb)(queue)
    with pytest.raises(TypeError, match="local"):
        await inspector.pause_queue("q", local=True)  # type: ignore[call-arg]


async def test_queue_that_exists_nowhere_may_be_steered(inspector: Inspector) -> None:
    """Nobody has to know a queue for it to be paused, resumed, scaled, drained or stopped."""
    await inspector.pause_queue("new")
    await inspector.resume_queue("new")
    await inspector.scale_queue("new", limit=2, rate_limit=(5, timedelta(seconds=2)))
    await inspector.stop_queue("new")

    assert await inspector.drain_queue("new") == []
    told = await info(inspector, "new")
    assert (told.paused, told.limit, told.rate_limit) == (True, 2, RateLimit(5, 2.0))


# -- stop and drain


async def test_stop_ends_the_workers_of_one_queue(
    arq_redis: ArqRedis,
    make_worker: Any,
    inspector: Inspector,
    stay: Stay,
    caplog: pytest.LogCaptureFixture,
    eventually: Any,
) -> None:
    """The workers of a queue end when their jobs have; those of others, and those that start later, work."""
    caplog.set_level(logging.INFO, "arqlite.worker")
    first = make_worker([func(stay, name="stay")], job_completion_wait=5)
    other = make_worker([func(noop, name="noop")], queue_name="other")
    async with at_work(other):
        async with at_work(first) as task:
            job = await enqueue(arq_redis, "stay")
            await eventually(lambda: stay.inside)
            await inspector.stop_queue(QUEUE)
            await asyncio.sleep(0.1)
            stay.door.set()
            await asyncio.wait_for(asyncio.shield(task), 5)
        assert await job.result(timeout=1) is None
        told = [line for line in lines(caplog) if line.startswith("shutdown on ")]
        assert len(told) == 2
        assert all(line.startswith("shutdown on the stop of queue arq:queue") for line in told)
        elsewhere = await enqueue(arq_redis, "noop", _queue_name="other")
        assert await elsewhere.result(timeout=2) is None
    later = make_worker([func(noop, name="noop")])
    async with at_work(later):
        await enqueue(arq_redis, "noop")
        await eventually(lambda: later.jobs_complete == 1)


async def test_stop_of_a_node(make_worker: Any, inspector: Inspector, eventually: Any) -> None:
    """Only the workers of that node end."""
    here, there = (make_worker([func(noop, name="noop")], node=node) for node in ("here", "there"))
    async with at_work(there) as others:
        async with at_work(here) as task:
            await eventually(lambda: here._crew.producer.session and there._crew.producer.session)
            await inspector.stop_queue(QUEUE, node="here")
            await asyncio.wait_for(asyncio.shield(task), 5)
        assert not others.done()


async def test_drain_waits_for_the_last_job(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, stay: Stay, eventually: Any
) -> None:
    """A drained queue is paused, and its running jobs are over; what runs still when time is up is told."""
    worker = make_worker([func(stay, name="stay")])
    job = await enqueue(arq_redis, "stay")
    async with at_work(worker):
        await eventually(lambda: stay.inside)
        assert await inspector.drain_queue(QUEUE, timeout=0.05) == [job.job_id]
        draining = asyncio.create_task(inspector.drain_queue(QUEUE))
        await asyncio.sleep(0.05)
        await enqueue(arq_redis, "stay")
        began = asyncio.get_running_loop().time()
        stay.door.set()
        assert await asyncio.wait_for(draining, 5) == []
        assert asyncio.get_running_loop().time() - began < 0.9

    told = await info(inspector)
    assert (told.paused, told.waiting, worker.jobs_complete) == (True, 1, 1)


# -- looking


async def test_queue_is_told_with_its_workers(
    arq_redis: ArqRedis, make_worker: Any, inspector: Inspector, stay: Stay, eventually: Any
) -> None:
    """`check_queue` tells limits and workers, where and since when they are, and what they run."""
    assert await inspector.check_queue(QUEUE) is None
    assert await inspector.check_all_queues() == []
    job = await enqueue(arq_redis, "stay")
    await enqueue(arq_redis, "stay", _defer_by=100)
    worker = make_worker([func(stay, name="stay")], max_jobs=3, rate_limit=(4, 60))
    async with at_work(worker):
        await eventually(lambda: stay.inside)
        told = await info(inspector)
        [session] = told.sessions
        assert (told.queue, told.paused, told.limit, told.scheduled, told.waiting) == (
            QUEUE,
            False,
            None,
            1,
            0,
        )
        assert (told.rate_limit, told.rate_used, told.global_limit) == (RateLimit(4, 60.0), 1, None)
        assert (session.node, session.limit, session.paused) == (HERE, 3, False)
        assert list(session.running) == told.running == [job.job_id]
        assert session.session == worker._crew.producer.session
        assert abs(session.started_at - datetime.now(UTC)) < timedelta(seconds=30)
        stay.door.set()
    assert (await info(inspector)).sessions == []


async def test_all_queues_are_told_by_name(arq_redis: ArqRedis, inspector: Inspector) -> None:
    """All queues of the database are told, by name."""
    for queue in ("b", "a", "arq:queue"):
        await arq_redis.options(queue=queue).enqueue("noop")

    assert [queue.queue for queue in await inspector.check_all_queues()] == ["a", "arq:queue", "b"]


async def test_slips_of_operators(arq_redis: ArqRedis) -> None:
    """What an operator may well mean otherwise is told with what to say instead."""
    inspector = Inspector(arq_redis)
    wrong: dict[str, Any] = {"max_jobs": 3}

    with pytest.raises(ConfigurationError, match="no option 'max_jobs'; did you mean 'limit'"):
        await inspector.scale_queue("mail", **wrong)
    with pytest.raises(ConfigurationError, match=r"limit must be .* to run none, say pause_queue"):
        await inspector.scale_queue("mail", limit=0)
    with pytest.raises(ConfigurationError, match=r"a job id must be a string, .*; say job\.job_id"):
        await inspector.cancel_job(Job("x", arq_redis))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"the pool must be an ArqRedis, .* with create_pool"):
        Inspector(RedisSettings())  # type: ignore[arg-type]


async def test_lag_of_the_ledger(arq_redis: ArqRedis) -> None:
    """How far rows are behind is what the slowest worker of the queue said lately; nothing without any."""
    inspector = Inspector(arq_redis)
    assert await inspector.ledger_lag("mail") == timedelta(0)

    await RedisEngine(arq_redis, "mail").watch("a worker", 1_500)

    assert await inspector.ledger_lag("mail") == timedelta(seconds=1.5)


async def test_jobs_that_are_due_soon_are_counted(arq_redis: ArqRedis, inspector: Inspector) -> None:
    """Jobs are counted that become due within a time, whatever their priority; others are not."""
    for name, delay, priority in (("a", 30, 0), ("b", 59, 9), ("c", 300, 0)):
        options = arq_redis.options(job_id=name, delay=delay, priority=priority, queue="mail")
        await options.enqueue("noop")
    await arq_redis.enqueue_job("noop", _job_id="now", _queue_name="mail")

    counts = [await inspector.due_within("mail", span) for span in (0, 40, 60, timedelta(minutes=10))]

    assert counts == [0, 1, 2, 3]
    assert await inspector.due_within("nothing", 60) == 0


async def test_span_that_cannot_be_is_refused(inspector: Inspector) -> None:
    """A time before now is no time to wait for."""
    with pytest.raises(ConfigurationError, match="span"):
        await inspector.due_within("mail", -1)
