"""Unique jobs as callers see them: conflicts, what is replaced, errors, many at once and many callers."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from worker_toys import Ctx, Gate, at_work, lines

from arqlite import ArqRedis, Unique, call, func
from arqlite import task as make_task
from arqlite.engine import RedisEngine, due_ms
from arqlite.errors import ConfigurationError, JobConflict, SerializationError
from arqlite.jobs import JobStatus
from arqlite.telemetry import JobEnqueued, attach, detach

QUEUE = "arq:queue"
FOREVER = Unique(period=Unique.forever)
LATER = datetime(2096, 1, 2, tzinfo=UTC)


async def send(ctx: Ctx, user_id: int, text: str = "hi") -> str:
    return f"{user_id} {text}"


async def other(ctx: Ctx, user_id: int) -> None: ...


async def stored(pool: ArqRedis) -> int:
    return (await RedisEngine(pool, QUEUE).size()).jobs


async def envelope(pool: ArqRedis, job_id: str) -> dict[str, Any]:
    peek = await RedisEngine(pool, QUEUE).peek(job_id)
    found = json.loads(peek.record[2:])
    assert isinstance(found, dict)
    return found


async def priority(pool: ArqRedis, job_id: str) -> int:
    return (await RedisEngine(pool, QUEUE).peek(job_id)).record[1]


async def test_second_job_is_the_first(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who enqueues an equal job is given the one that is there, with its result, and told so."""
    pool = arq_redis.options(unique=Unique())
    first = await pool.enqueue(send, 1)
    second = await pool.enqueue(send, user_id=1)
    different = await pool.enqueue(send, 2)
    elsewhere = await pool.enqueue(other, 1)

    assert [first.conflict, second.conflict, different.conflict, elsewhere.conflict] == [
        False,
        True,
        False,
        False,
    ]
    assert second.job_id == first.job_id
    await make_worker([send, other]).run_check()
    assert await second.result() == "1 hi"


async def test_queues_are_apart(arq_redis: ArqRedis) -> None:
    """Equal jobs of two queues are two jobs."""
    first = await arq_redis.options(unique=True).enqueue(send, 1)
    second = await arq_redis.options(unique=True, queue="other").enqueue(send, 1)

    assert (first.conflict, second.conflict) == (False, False)


async def test_jobs_without_a_rule_do_not_count(arq_redis: ArqRedis) -> None:
    """A job is compared with those that were enqueued as unique ones, and with no other."""
    await arq_redis.enqueue(send, 1)
    first = await arq_redis.options(unique=True).enqueue(send, 1)
    plain = await arq_redis.options(unique=False).enqueue(send, 1)

    assert (first.conflict, plain.conflict) == (False, False)


async def test_keys(arq_redis: ArqRedis) -> None:
    """Only the chosen arguments are compared, be they given by position or by name."""
    pool = arq_redis.options(unique={"keys": ["user_id"]})

    jobs = [
        await pool.enqueue(send, 1, "x"),
        await pool.enqueue(send, 1, text="y"),
        await pool.enqueue(send, 2, "x"),
    ]

    assert [job.conflict for job in jobs] == [False, True, False]
    with pytest.raises(ConfigurationError, match="call send with keyword arguments"):
        await pool.enqueue("send", 1)
    assert (await pool.enqueue("send", user_id=2)).conflict


async def test_meta(arq_redis: ArqRedis) -> None:
    """Jobs may be the same by what they carry."""
    pool = arq_redis.options(unique=Unique(fields=["meta"], keys=["slug"]))

    first = await pool.options(meta={"slug": "a", "n": 1}).enqueue(send, 1)
    second = await pool.options(meta={"slug": "a", "n": 2}).enqueue(other, 2)
    third = await pool.options(meta={"slug": "b"}).enqueue(send, 1)

    assert [first.conflict, second.conflict, third.conflict] == [False, True, False]


async def test_completed_job_counts_unless_states_say_no(arq_redis: ArqRedis, make_worker: Any) -> None:
    """By default a job that completed counts, by the group `incomplete` it does not."""
    await arq_redis.options(unique=FOREVER).enqueue(send, 1)
    await make_worker([send]).run_check()

    assert (await arq_redis.options(unique=FOREVER).enqueue(send, 1)).conflict
    unfinished = arq_redis.options(unique=Unique(period=Unique.forever, states="incomplete"))
    assert not (await unfinished.enqueue(send, 1)).conflict
    assert (await unfinished.enqueue(send, 1)).conflict


async def test_job_that_failed_may_come_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that came to nothing keeps no other out, unless its state is named."""

    async def fail(ctx: Ctx) -> None:
        raise ValueError("no")

    function = func(fail, name="fail")
    await arq_redis.options(unique=True).enqueue(function)
    await make_worker([function]).run_check.__self__.async_run()

    assert not (await arq_redis.options(unique=True).enqueue(function)).conflict
    job = await arq_redis.options(unique=True).enqueue(function)
    assert await job.abort()
    assert (await arq_redis.options(unique={"states": "all"}).enqueue(function)).conflict


async def test_raise(arq_redis: ArqRedis) -> None:
    """A conflict may be an error, which names the job that is there and its state."""
    pool = arq_redis.options(unique=Unique(on_conflict="raise"))
    first = await pool.options(delay=60).enqueue(send, 1)

    with pytest.raises(
        JobConflict, match=rf"send was not enqueued: job {first.job_id} \(scheduled\) is the same"
    ) as info:
        await pool.enqueue(send, 1)

    assert (info.value.job_id, info.value.state, info.value.jobs) == (first.job_id, "scheduled", [])
    assert await stored(arq_redis) == 1


async def test_id_of_ones_own(arq_redis: ArqRedis, make_worker: Any) -> None:
    """An id in use is a conflict by itself, never an error; a lock may be that of another id, or of this."""
    pool = arq_redis.options(unique=Unique(period=600, on_conflict="raise"))
    first = await pool.options(job_id="a").enqueue(send, 1)
    same_id = await pool.options(job_id="a").enqueue(send, 2)
    with pytest.raises(JobConflict):
        await pool.options(job_id="b").enqueue(send, 1)

    assert (first.conflict, same_id.conflict) == (False, True)
    await make_worker([send], keep_result=0).run_check()
    with pytest.raises(JobConflict, match=r"job a \(completed\) is the same one"):
        await pool.options(job_id="a").enqueue(send, 1)


async def test_verb_of_arq_knows_ids_only(arq_redis: ArqRedis) -> None:
    """`enqueue_job` gives None for an id in use, and knows nothing of rules."""
    await arq_redis.options(unique=True).enqueue(send, 1)

    assert await arq_redis.enqueue_job("send", 1, _job_id="x") is not None
    assert await arq_redis.enqueue_job("send", 1, _job_id="x") is None


async def test_rule_of_a_task(arq_redis: ArqRedis) -> None:
    """A task's rule holds for all its jobs; a call says otherwise in part, or not at all."""
    task = make_task(queue="x", max_attempts=5, unique={"period": 60})(send)

    first = await arq_redis.enqueue(task, 1, "a")
    again = await arq_redis.enqueue(task, 1, "a")
    keyed = arq_redis.options(queue="y", unique={"keys": ["user_id"]})
    others = [await keyed.enqueue(task, 1, "a"), await keyed.enqueue(task, 1, "b")]
    free = await arq_redis.options(unique=False).enqueue(task, 1, "a")

    assert [job.conflict for job in (first, again, *others, free)] == [False, True, False, True, False]
    assert [job._queue_name for job in (first, *others, free)] == ["x", "y", "y", "x"]


async def test_task_that_waits_for_its_next_attempt(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that failed and will be tried again has not ended, and keeps equal ones out all the while."""
    failed = asyncio.Event()

    @make_task(unique={"states": "incomplete", "period": Unique.forever}, backoff=3600)
    async def flaky(ctx: Ctx) -> None:
        failed.set()
        raise ValueError("not yet")

    first = await arq_redis.enqueue(flaky)
    async with at_work(make_worker([flaky])):
        await failed.wait()
        while await first.status() is JobStatus.in_progress:
            assert (await arq_redis.enqueue(flaky)).job_id == first.job_id

    with pytest.raises(JobConflict) as info:
        await arq_redis.options(unique={"on_conflict": "raise"}).enqueue(flaky)
    assert (info.value.job_id, info.value.state) == (first.job_id, "retryable")
    assert await first.abort()
    assert not (await arq_redis.enqueue(flaky)).conflict


async def test_replace(arq_redis: ArqRedis) -> None:
    """The job that is there keeps its id and takes over what was said of the new one."""
    rule = Unique(
        keys=["user_id"], replace=["scheduled_at", "priority", "args", "meta", "tags", "max_attempts"]
    )
    pool, mail = arq_redis.options(unique=rule), make_task(send)
    first = await pool.options(priority=3, tags=["old"], meta={"n": 1}).enqueue(mail, 1, "old")
    again = await pool.options(priority=1, at=LATER, tags=["new"], meta={"n": 2}, max_attempts=7).enqueue(
        mail, 1, text="new"
    )

    assert (again.conflict, again.job_id) == (True, first.job_id)
    assert await first.status() is JobStatus.deferred
    found = await envelope(arq_redis, first.job_id)
    assert {key: found.get(key) for key in "akpmg"} == {
        "a": [1], "k": {"text": "new"}, "p": 1, "m": {"n": 2}, "g": ["new"],
    }  # fmt: skip
    assert (found["ma"], found["at"]) == (7, int(LATER.timestamp() * 1000))
    assert await priority(arq_redis, first.job_id) == 1
    [(_, score)] = await arq_redis.zrange(f"aq:{{{QUEUE}}}:sched", 0, -1, withscores=True)
    assert due_ms(score) == int(LATER.timestamp() * 1000)
    assert await stored(arq_redis) == 1


async def test_replace_leaves_what_was_not_said(arq_redis: ArqRedis) -> None:
    """Neither defaults nor what a task says of all its jobs resets what somebody said of this one."""
    rule = Unique(replace=["priority", "tags", "max_attempts", "meta", "scheduled_at"])
    task = make_task(unique=rule, priority=2, tags=("a",))(send)
    first = await arq_redis.options(priority=5, tags=["mine"], delay=60).enqueue(task, 1)
    await arq_redis.enqueue(task, 1)

    found = await envelope(arq_redis, first.job_id)
    assert (found["p"], found["g"], await first.status()) == (5, ["mine"], JobStatus.deferred)
    await arq_redis.options(priority=0).enqueue(task, 1)
    assert await priority(arq_redis, first.job_id) == 0


async def test_replace_by_state(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job in a state that is not listed stays as it is; both callers are given it."""
    pool = arq_redis.options(unique=Unique(fields=["function"], replace={"scheduled": ["priority"]}))
    gate = Gate()
    function = func(gate, name="gate")
    scheduled = await pool.options(delay=60).enqueue(send, 1)
    running = await pool.enqueue(function)
    async with at_work(make_worker([function])):
        await gate.started.wait()
        one = await pool.options(priority=4).enqueue(send, 1)
        two = await pool.options(priority=4).enqueue(function)
        assert (one.job_id, two.job_id) == (scheduled.job_id, running.job_id)
        assert await priority(arq_redis, scheduled.job_id) == 4
        assert await priority(arq_redis, running.job_id) == 0
        gate.open.set()
        await running.result()


async def test_replace_does_not_reach_a_running_call(arq_redis: ArqRedis, make_worker: Any) -> None:
    """New arguments of a job that runs do not change the call; it ends as it began."""
    gate = Gate()
    function = func(gate, name="gate")
    pool = arq_redis.options(unique=Unique(fields=["function", "args"], keys=["k"], replace=["args"]))
    job = await pool.enqueue("gate")
    async with at_work(make_worker([function])):
        await gate.started.wait()
        again = await pool.enqueue("gate", other=2)
        assert again.job_id == job.job_id
        gate.open.set()
        assert await job.result() == "through"


async def test_replace_of_a_job_that_ended(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that is over stays as it is, and still counts."""
    pool = arq_redis.options(unique=Unique(replace=["priority"]))
    job = await pool.enqueue(send, 1)
    await make_worker([send]).run_check()

    again = await pool.options(priority=5).enqueue(send, 1)

    assert (again.conflict, await again.result()) == (True, "1 hi")
    assert job.job_id == again.job_id


async def test_replace_goes_on_when_the_job_moves(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that moves just when it is changed is looked at again, and changed as its state then says."""
    rule = Unique(replace={"scheduled": ["tags"], "available": ["priority", "scheduled_at"]})
    pool = arq_redis.options(unique=rule)
    job = await pool.options(delay=60).enqueue(send, 1)
    peek, looks = RedisEngine.peek, []

    async def peek_and_move(engine: RedisEngine, job_id: str) -> Any:
        found = await peek(engine, job_id)
        looks.append(found.home)
        if len(looks) == 1:
            await engine.rewrite(
                job_id, found.record, found.record[:2] + b"{" + found.record[2:][1:], "s", "-1"
            )
        return found

    monkeypatch.setattr(RedisEngine, "peek", peek_and_move)
    await pool.options(priority=7, tags=["x"]).enqueue(send, 1)

    assert looks[:2] == ["scheduled", "ready"]
    assert await priority(arq_redis, job.job_id) == 7
    assert "g" not in await envelope(arq_redis, job.job_id)


async def test_replace_of_own_bytes(arq_redis: ArqRedis) -> None:
    """A serializer of the caller's own writes what is replaced."""
    pool = ArqRedis(arq_redis.connection_pool, job_serializer=pickle.dumps, job_deserializer=pickle.loads)
    unique = pool.options(unique=Unique(replace=["priority", "tags"]))
    job = await unique.enqueue(send, 1)
    await unique.options(priority=5, tags=["x"]).enqueue(send, 1)

    peek = await RedisEngine(pool, QUEUE).peek(job.job_id)
    found = pickle.loads(peek.record[2:])
    assert (peek.record[1], found["p"], found["g"], found["a"]) == (5, 5, ("x",), (1,))


async def test_values_that_cannot_be_compared(arq_redis: ArqRedis) -> None:
    """What a serializer of one's own can write and JSON cannot, cannot be unique; nothing is stored."""
    pool = ArqRedis(arq_redis.connection_pool, job_serializer=pickle.dumps, job_deserializer=pickle.loads)

    with pytest.raises(SerializationError, match="a unique job of send is told by what JSON would write"):
        await pool.options(unique=True).enqueue("send", object)
    assert await arq_redis.dbsize() == 0


async def test_many_at_once(arq_redis: ArqRedis) -> None:
    """Each of many is checked, against what is there and against those before it, in their order."""
    there = await arq_redis.options(unique=True).enqueue(send, 3)
    calls: Iterator[Any] = (call(send, n).options(unique=True) for n in (1, 2, 1, 3))
    plain = [call(send, 1), ("send", (3,))]

    jobs = await arq_redis.enqueue_many([*calls, *plain])

    assert [job.conflict for job in jobs] == [False, False, True, True, False, False]
    assert (jobs[2].job_id, jobs[3].job_id) == (jobs[0].job_id, there.job_id)
    assert await stored(arq_redis) == 5


async def test_many_that_raise(arq_redis: ArqRedis) -> None:
    """Where conflicts are errors, the others are stored all the same; the error has every job."""
    rule = Unique(on_conflict="raise")
    await arq_redis.options(unique=rule).enqueue(send, 2)

    with pytest.raises(JobConflict, match="of 3 jobs 1 were not enqueued, and the others were") as info:
        await arq_redis.options(unique=rule).enqueue_many([call(send, n) for n in (1, 2, 3)])

    assert [job.conflict for job in info.value.jobs] == [False, True, False]
    assert info.value.job_id == info.value.jobs[1].job_id
    assert await stored(arq_redis) == 3


async def test_many_that_replace(arq_redis: ArqRedis) -> None:
    """Of equal jobs in one call the first is stored, and takes over what the later ones say in turn."""
    rule = Unique(keys=["user_id"], replace=["args", "priority"])
    calls = [call(send, 1, text).options(priority=n) for n, text in enumerate("abc")]

    jobs = await arq_redis.options(unique=rule).enqueue_many(calls)

    assert len({job.job_id for job in jobs}) == 1
    found = await envelope(arq_redis, jobs[0].job_id)
    assert (found["a"], found["p"]) == ([1, "c"], 2)


async def test_many_of_all_shapes(arq_redis: ArqRedis) -> None:
    """A generator does as well as a list, nothing gives nothing, and the order of the calls is kept."""
    assert await arq_redis.enqueue_many([]) == []
    assert await arq_redis.enqueue_many(iter(())) == []

    jobs = await arq_redis.enqueue_many(call(send, n).options(job_id=f"j{n}") for n in range(3))

    assert [job.job_id for job in jobs] == ["j0", "j1", "j2"]


async def test_one_that_cannot_be_written(arq_redis: ArqRedis) -> None:
    """One bad call of many raises, and none is stored."""
    with pytest.raises(SerializationError):
        await arq_redis.enqueue_many([call("send", 1), call("send", object())])
    with pytest.raises(ConfigurationError, match="call send with keyword arguments"):
        await arq_redis.options(unique={"keys": ["user_id"]}).enqueue_many([call(send, 1), call("send", 1)])

    assert await arq_redis.dbsize() == 0


async def test_keys_of_dicts_are_texts(arq_redis: ArqRedis) -> None:
    """What is stored is JSON, whose keys are texts; what JSON has no words for is refused before."""
    job = await arq_redis.options(meta={"a": {1: 2}}).enqueue("send", {1: {2: 3}})

    found = await envelope(arq_redis, job.job_id)
    assert (found["a"], found["m"]) == ([{"1": {"2": 3}}], {"a": {"1": 2}})
    with pytest.raises(SerializationError):
        await arq_redis.options(meta={"a": object()}).enqueue("send")


async def test_many_with_options(arq_redis: ArqRedis) -> None:
    """Many may go to a queue of their own, later, with whatever else is said of jobs."""
    pool = arq_redis.options(queue="special", delay=10, expires=60)
    jobs = await pool.enqueue_many([call(send, 1), call(send, 2).options(delay=None)])

    assert [await job.status() for job in jobs] == [JobStatus.deferred] * 2
    assert (await RedisEngine(arq_redis, "special").size()).scheduled == 2


async def test_conflicts_are_no_events(arq_redis: ArqRedis) -> None:
    """Only what was stored is told as enqueued."""
    told: list[str] = []

    def note(event: JobEnqueued) -> None:
        told.append(event.job_id)

    attach("test", [JobEnqueued], note)
    try:
        pool = arq_redis.options(unique=True)
        first = await pool.enqueue(send, 1)
        await pool.enqueue(send, 1)
        jobs = await pool.enqueue_many([call(send, 1), call(send, 2)])
    finally:
        detach("test")

    assert told == [first.job_id, jobs[1].job_id]


@pytest.mark.real
@pytest.mark.parametrize("at_once", [False, True])
async def test_twenty_callers(real_url: str, at_once: bool) -> None:
    """Of 20 equal jobs that 5 pools enqueue at the same moment one is stored, and 19 meet it."""
    pools = [ArqRedis.from_url(real_url) for _ in range(5)]
    if at_once:
        many = await asyncio.gather(
            *[pool.options(unique=True).enqueue_many([call(send, 1)] * 4) for pool in pools]
        )
        jobs = [job for some in many for job in some]
    else:
        jobs = await asyncio.gather(*[pools[n % 5].options(unique=True).enqueue(send, 1) for n in range(20)])

    assert sorted(job.conflict for job in jobs) == [False] + [True] * 19
    assert len({job.job_id for job in jobs}) == 1
    assert await stored(pools[0]) == 1
    for pool in pools:
        await pool.aclose(close_connection_pool=True)


@pytest.mark.real
async def test_commands_of_jobs_that_are_not_unique(real_url: str) -> None:
    """Without a rule locks cost nothing where jobs are enqueued, and one look per batch where they end."""
    pool = ArqRedis.from_url(real_url)
    engine = RedisEngine(pool, QUEUE)
    await engine.open("s", 60_000)
    await pool.config_resetstat()
    await pool.enqueue_many([call(send, n) for n in range(50)])
    enqueued = await pool.info("commandstats")
    turn = await engine.turn("s", 50, {}, ())
    from arqlite.engine import Ended

    await pool.config_resetstat()
    ids = [job_id.decode() for job_id in turn.job_ids]
    await engine.turn("s", 0, {60_000: Ended(ids, [b"S"] * 50)}, ())
    ended = await pool.info("commandstats")

    assert not {"cmdstat_get", "cmdstat_set", "cmdstat_exists"} & enqueued.keys()
    # One for locks, tries, steps of workflows and whoever waits for an end; one each for whoever asked to
    # cancel, for holds, and for what is settled for the queue.
    assert ended["cmdstat_exists"]["calls"] == 4
    assert "cmdstat_get" not in ended
    await engine.close()
    await pool.aclose(close_connection_pool=True)


async def test_negative_delay_comes_first(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that was due before it was enqueued is ready at once, and comes before those that are due now."""
    order: list[str] = []

    async def note(ctx: Ctx, name: str) -> None:
        order.append(name)

    function = func(note, name="note")
    await arq_redis.enqueue(function, "now")
    job = await arq_redis.options(delay=-60).enqueue(function, "before")
    await arq_redis.options(delay=-1e12).enqueue(function, "long ago")

    assert await job.status() is JobStatus.queued
    await make_worker([function], max_jobs=1).run_check()
    assert order == ["long ago", "before", "now"]


async def test_large_jobs_are_told_once(
    arq_redis: ArqRedis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first job of a function that is large is told in the log, and the next ones are not."""
    monkeypatch.setattr("arqlite.offering._told_as_large", set())
    caplog.set_level(logging.WARNING)
    for size in (8000, 9000, 9001):
        await arq_redis.enqueue("large_job", "x" * size)

    [line] = lines(caplog, "arqlite.enqueuing")
    assert line.startswith("a job of large_job has 90")
    assert line.endswith("better store what is large elsewhere, and give jobs its id")
