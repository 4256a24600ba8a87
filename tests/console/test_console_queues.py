"""How queues are now, and who works for them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from console_now_toys import HOUR, QUEUE, dead_settings, join, noop
from reading_toys import away_ledger
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)
from worker_toys import Gate, at_work

from arqlite import ArqRedis, Inspector, Worker, func
from arqlite.console import Console
from arqlite.engine import RedisEngine, Returned
from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger
from arqlite.model.queues import MOST_FUNCTIONS
from arqlite.version import VERSION


async def enqueue(pool: ArqRedis, count: int = 1, **options: Any) -> None:
    for _ in range(count):
        await pool.options(**options).enqueue("noop")


async def test_queue_that_nobody_used_is_empty(arq_redis: ArqRedis) -> None:
    """A queue that only settings know of has no jobs, no workers and no error."""
    async with Console([arq_redis]) as console:
        [state] = await console.queues()

    assert (state.error, state.available, state.workers, state.oldest) == ("", 0, (), None)


async def test_jobs_are_counted_by_state(arq_redis: ArqRedis) -> None:
    """Each job that has not ended counts in the state that it is in."""
    engine = await join(arq_redis)
    await enqueue(arq_redis, 2)
    turn = await engine.turn("s", 2, {}, ())
    again = Returned(turn.job_ids[1].decode(), "scheduled", HOUR, "1:0:0:0:0:0:1")
    await engine.turn("s", 0, {}, [again])
    await engine.close()
    await enqueue(arq_redis, 3)
    await enqueue(arq_redis, 4, delay=3600)

    async with Console([arq_redis]) as console:
        state = await console.queue(QUEUE)

    assert (state.available, state.scheduled, state.retryable, state.suspended, state.executing) == (
        3, 4, 1, 0, 1,
    )  # fmt: skip
    assert state.retryable_is_exact
    assert state.oldest is not None
    assert timedelta() <= state.oldest < timedelta(minutes=1)


async def test_slots_are_those_that_can_be_used(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A paused worker has no slots, and a limit of the queue leaves no more than it allows; without a worker
    there are none.
    """
    inspector = Inspector(arq_redis)
    async with Console([arq_redis]) as console:
        await inspector.scale_queue(QUEUE, global_limit=8)
        before = (await console.queue(QUEUE)).slots
        workers = [make_worker([func(noop, name="noop")], node=node, max_jobs=10) for node in ("a", "b")]
        async with at_work(workers[0]), at_work(workers[1]):

            async def slots(wanted: int) -> bool:
                state = await console.queue(QUEUE)
                return len(state.workers) == 2 and state.slots == wanted

            await eventually(lambda: slots(8))
            await inspector.scale_queue(QUEUE, global_limit=None)
            await inspector.pause_queue(QUEUE, node="b")
            await eventually(lambda: slots(10))
            await inspector.pause_queue(QUEUE)
            await eventually(lambda: slots(0))

    assert before == 0


async def test_many_retries_are_estimated(arq_redis: ArqRedis) -> None:
    """Of very many jobs that had trouble only some are looked at; the others count as those do."""
    engine = RedisEngine(arq_redis, QUEUE)
    due = 1 << 52  # far in the future, as `sched` has it
    names = [f"job-{number}" for number in range(6_000)]
    async with arq_redis.pipeline(transaction=False) as pipe:
        await pipe.hset(
            engine.keys.tries, mapping={name: f"1:0:0:0:0:0:{place % 2}" for place, name in enumerate(names)}
        )
        await pipe.zadd(engine.keys.sched, dict.fromkeys(names, due))
        await pipe.execute()

    found, is_exact = await engine.estimate_retryable(0, most=2_000)
    exactly = await engine.estimate_retryable(0, most=10_000)

    assert not is_exact
    assert 2_400 < found < 3_600
    assert exactly == (3_000, True)


async def test_worker_tells_of_itself(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A worker says what it is and can, and from its heartbeats on how its process is."""
    gate = Gate()
    worker: Worker = make_worker([func(gate, name="gate"), func(noop, name="noop")], node="web-7", lease=0.3)
    async with Console([arq_redis]) as console, at_work(worker):
        await arq_redis.enqueue_job("gate", _job_id="one")
        await gate.started.wait()

        async def beaten() -> Any:
            return [told for told in (await console.workers()).workers if told.loop_lag is not None]

        [told] = await eventually(beaten)
        gate.open.set()
        state = await console.queue(QUEUE)

    assert (told.queue, told.node, told.version, told.limit) == (QUEUE, "web-7", VERSION, 10)
    assert (list(told.functions), told.function_count) == (["gate", "noop"], 2)
    assert list(told.running) == ["one"]
    assert told.leads
    assert told.memory > 10_000_000
    assert told.loop_lag < timedelta(seconds=5)
    assert (state.slots, state.limit) == (10, None)


async def test_worker_of_many_functions_names_some(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Of very many functions a worker names the first ones, and says how many there are."""
    worker = make_worker([func(noop, name=f"f{number:03}") for number in range(MOST_FUNCTIONS + 5)])
    async with Console([arq_redis]) as console, at_work(worker):

        async def known() -> Any:
            return (await console.workers()).workers

        [told] = await eventually(known)

    assert (len(told.functions), told.function_count) == (MOST_FUNCTIONS, MOST_FUNCTIONS + 5)
    assert told.functions[0] == "f000"


async def test_older_worker_tells_less(arq_redis: ArqRedis) -> None:
    """A worker of a version that told nothing of these is shown all the same."""
    await join(arq_redis, version="", functions=[], function_count=0)

    async with Console([arq_redis]) as console:
        [told] = (await console.workers()).workers

    assert (told.version, list(told.functions), told.memory, told.loop_lag) == ("", [], None, None)
    assert told.limit == 10


async def test_dead_worker_is_none(arq_redis: ArqRedis) -> None:
    """A session whose lease is over is no worker any more, even if nobody has rescued its jobs yet."""
    engine = await join(arq_redis)
    await arq_redis.zadd(engine.keys.live, {"s": 1})

    async with Console([arq_redis]) as console:
        state = await console.queue(QUEUE)

    assert (list(state.workers), state.slots) == ([], 0)


async def test_vitals_go_with_the_session(arq_redis: ArqRedis) -> None:
    """What a beat told of a process is forgotten when its session leaves or is rescued."""
    engine = await join(arq_redis, "s")
    await join(arq_redis, "t")
    for session in ("s", "t"):
        engine.beat(session, HOUR, (), "1000:5")
    assert await arq_redis.hlen(engine.keys.vitals) == 2

    await engine.leave("s")
    await arq_redis.zadd(engine.keys.live, {"t": 1})
    await engine.rescue("u")
    await engine.close()

    assert not await arq_redis.exists(engine.keys.vitals)


async def test_workers_are_ordered_by_node(arq_redis: ArqRedis) -> None:
    """Workers come by node and session, over all queues; one that is away is told, not taken for idle."""
    for session, node in (("b", "web-2"), ("a", "web-2"), ("c", "web-1")):
        await join(arq_redis, session, node=node)
    await join(arq_redis, "d", queue="mail", node="web-1")
    mail = ArqRedis(arq_redis.connection_pool, default_queue_name="mail")

    async with Console([arq_redis, mail, dead_settings()]) as console:
        listed = await console.workers()

    found = [(told.node, told.session, told.queue) for told in listed.workers]
    assert [(one.code, one.queue) for one in listed.troubles] == [("redis-away", "dead")]
    assert found == [
        ("web-1", "c", QUEUE), ("web-1", "d", "mail"), ("web-2", "a", QUEUE), ("web-2", "b", QUEUE),
    ]  # fmt: skip


async def test_queue_whose_ledger_is_away_says_so(arq_redis: ArqRedis) -> None:
    """That its ledger does not tell what has ended is no hour without a run."""
    arq_redis.ledger = away_ledger()
    async with Console([arq_redis]) as console:
        [listed], alone = await console.queues(), await console.queue(QUEUE)

    for state in (listed, alone):
        assert (state.error, list(state.ended)) == ("", [])
        assert state.ledger_error != ""


async def test_unknown_queue_is_told_with_what_is_near(arq_redis: ArqRedis) -> None:
    """A slip in the name of a queue is answered with the name that was meant."""
    async with Console([arq_redis]) as console:
        with pytest.raises(ConfigurationError, match="did you mean 'arq:queue'"):
            await console.queue("arq:queu")


async def test_what_ended_is_told_by_minute(
    arq_redis: ArqRedis, make_worker: Any, tmp_path: Path, eventually: Any
) -> None:
    """With a ledger a queue tells how many runs ended in each of the last 60 minutes."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    arq_redis.ledger = ledger
    await ledger.upgrade()
    await enqueue(arq_redis, 3)
    await make_worker([func(noop, name="noop")], ledger=ledger).async_run()

    async with Console([arq_redis]) as console:
        state = await eventually(lambda: _with_ends(console, 3))
    await ledger.aclose()

    assert state.has_ledger
    assert len(state.ended) == 60
    assert sum(state.ended[-2:]) == 3


async def _with_ends(console: Console, count: int) -> Any:
    state = await console.queue(QUEUE)
    return state if sum(state.ended) == count else None
