"""Locks of unique jobs: taken with the job, released with its end or its period, never left behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from engine_toys import HOUR, Queue, ended, held, job, ready, record, scheduled

from arqlite.engine import Holder, Lock, NewJob, Refused

SUCCESSFUL = "Saersu"
ALL = "CFSaersu"
MINUTE = 60_000
FUTURE = 4_000_000_000_000


def unique(
    job_id: str,
    digest: str = "d",
    *,
    period_ms: int = -1,
    states: str = SUCCESSFUL,
    by_due: bool = False,
    when: str = "",
) -> NewJob:
    return job(job_id, when)._replace(lock=Lock(digest, period_ms, states, by_due))


async def offer(queue: Queue, *args: Any, **kwargs: Any) -> Holder | None:
    """Enqueue a unique job, and tell who is in its way."""
    refused = await queue.engine.enqueue([unique(*args, **kwargs)])
    return refused.holders.get(0)


async def nothing_is_left(queue: Queue) -> None:
    assert await queue.locks() == {}
    assert await queue.client.exists(queue.keys.locks) == 0
    keys = [key async for key in queue.client.scan_iter(match="*uid:*")]
    assert keys == []


async def test_second_one_is_refused(queue: Queue) -> None:
    """An equal job is not stored; its caller is told of the first one and of its state."""
    assert await offer(queue, "a") is None
    assert await offer(queue, "b") == Holder("a", "a")
    assert await offer(queue, "c", "other") is None

    assert (await queue.engine.size()).ready == 2
    assert await queue.home("b") == "absent"


async def test_equal_jobs_of_one_call(queue: Queue) -> None:
    """Of equal jobs in one call the first is stored, others among them are not disturbed."""
    jobs = [unique("a", "1"), unique("b", "2"), unique("c", "1"), job("d"), unique("e", "2", when="+5000")]

    refused = await queue.engine.enqueue(jobs)

    assert refused == {2, 4}
    assert refused.holders == {2: Holder("a", "a"), 4: Holder("b", "a")}
    assert (await queue.engine.size()).ready == 3


async def test_more_than_one_script_takes(queue: Queue) -> None:
    """Positions are those of the whole call, also where it goes in several scripts."""
    jobs = [unique(f"j{n}", str(n % 600)) for n in range(1300)]

    refused = await queue.engine.enqueue(jobs)

    assert refused == set(range(600, 1300))
    assert refused.holders[1299] == Holder("j99", "a")
    assert (await queue.engine.size()).ready == 600


async def test_id_in_use_has_no_holder(queue: Queue) -> None:
    """A job whose id is in use is refused for that, and takes no lock."""
    await queue.fill("a")

    refused = await queue.engine.enqueue([unique("a")])

    assert (set(refused), refused.holders) == ({0}, {})
    assert isinstance(refused, Refused)
    await nothing_is_left(queue)


async def test_resend_is_accepted(queue: Queue) -> None:
    """A call that is sent again since its reply was lost meets its own job, and that is no conflict."""
    first = unique("a")
    assert await queue.engine.enqueue([first]) == set()

    assert await queue.engine.enqueue([first]) == set()


async def into_ready(queue: Queue) -> None:
    await offer(queue, "a", states=ALL)


async def into_scheduled(queue: Queue) -> None:
    await offer(queue, "a", states=ALL, when="+60000")


async def into_executing(queue: Queue) -> None:
    await into_ready(queue)
    await queue.open("s")
    await queue.claim("s")


async def into_held(queue: Queue) -> None:
    await into_executing(queue)
    await queue.engine.turn("s", 0, {}, [held("a", "h")], [])


async def into_retryable(queue: Queue) -> None:
    await into_executing(queue)
    await queue.engine.turn("s", 0, {}, [scheduled("a", HOUR, "1:0:0:0:0:0:1")])


async def into_snoozed(queue: Queue) -> None:
    await into_executing(queue)
    await queue.engine.turn("s", 0, {}, [scheduled("a", HOUR, "0:0:0:0:1:0:0")])


async def into_rescued(queue: Queue) -> None:
    await into_executing(queue)
    await queue.end_lease("s")
    await queue.engine.rescue("other")


async def into_suspended(queue: Queue) -> None:
    await into_ready(queue)
    await queue.client.zrem(queue.keys.ready, "a")
    await queue.client.zadd(queue.keys.susp, {"a": 1})


def into_final(letter: bytes) -> Callable[[Queue], Any]:
    async def move(queue: Queue) -> None:
        await into_executing(queue)
        await queue.engine.turn("s", 0, ended("a", letter=letter), ())

    return move


async def into_cancelled(queue: Queue) -> None:
    await into_ready(queue)
    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"


@pytest.mark.parametrize(
    ("move", "letter"),
    [
        (into_ready, "a"),
        (into_held, "a"),
        (into_rescued, "a"),
        (into_scheduled, "s"),
        (into_snoozed, "s"),
        (into_retryable, "r"),
        (into_executing, "e"),
        (into_suspended, "u"),
        (into_final(b"S"), "S"),
        (into_final(b"F"), "F"),
        (into_final(b"C"), "C"),
        (into_cancelled, "C"),
    ],
)
async def test_state_decides(queue: Queue, move: Callable[[Queue], Any], letter: str) -> None:
    """An equal job counts in the states that the new one names, wherever it is, and in no other one."""
    await move(queue)

    assert await offer(queue, "b", states=letter) == Holder("a", letter)
    assert await offer(queue, "b", states=ALL.replace(letter, "")) is None
    assert (await queue.locks())["d"] == ("b", "")

    await queue.client.zrem(queue.keys.susp, "a")
    if letter == "u":
        await queue.client.zadd(queue.keys.ready, {"a": 1})


@pytest.mark.parametrize(
    ("age_s", "period_s", "is_refused"),
    [(240, 239, False), (240, 241, True), (300, 299, False), (300, 301, True), (540, None, True)],
)
@pytest.mark.parametrize("is_over", [False, True])
async def test_period_of_the_new_job_decides(
    queue: Queue, age_s: int, period_s: int | None, is_refused: bool, is_over: bool
) -> None:
    """What is older than the new job's period does not count, be it still waiting or over and kept."""
    await offer(queue, "a", period_ms=MINUTE)
    if is_over:
        await queue.open("s")
        await queue.claim("s")
        await queue.finish("s", "a")
    await queue.age_lock("d", age_s * 1000)

    holder = await offer(queue, "b", period_ms=-1 if period_s is None else period_s * 1000)

    assert holder == (Holder("a", "S" if is_over else "a") if is_refused else None)


@pytest.mark.parametrize(("period_s", "is_refused"), [(121, True), (119, False)])
async def test_period_since_it_was_due(queue: Queue, period_s: int, is_refused: bool) -> None:
    """By its due time a job is as old as that says, however lately it was enqueued."""
    await offer(queue, "a", by_due=True, when="-120000")

    holder = await offer(queue, "b", by_due=True, period_ms=period_s * 1000)

    assert (holder is not None) is is_refused


async def test_due_time_may_be_to_come(queue: Queue) -> None:
    """A job that is still to be due counts whatever the period is, and so it does when it was put off."""
    await offer(queue, "a", period_ms=MINUTE, by_due=True)
    old = await queue.client.hget(queue.keys.jobs, "a")
    await queue.engine.rewrite("a", old, record(), "a", f"={FUTURE}")
    await queue.age_lock("d", HOUR)

    assert await offer(queue, "b", period_ms=MINUTE, by_due=True) == Holder("a", "s")
    assert await offer(queue, "c", period_ms=MINUTE) is None


async def test_lock_is_taken_over(queue: Queue) -> None:
    """Who takes a lock over has it alone: the end of the job that had it before releases nothing."""
    await offer(queue, "a", states="s")
    await offer(queue, "b", states="s")
    await queue.open("s")
    await queue.claim("s", 1)
    await queue.finish("s", "a", keep_ms=0)

    assert await queue.locks() == {"d": ("b", "")}
    assert await offer(queue, "c") == Holder("b", "a")
    await queue.claim("s")
    await queue.finish("s", "b", keep_ms=0)
    await nothing_is_left(queue)


async def test_lock_for_ever_ends_with_what_is_kept(queue: Queue) -> None:
    """A lock for ever lasts as long as the end of its job is kept, and not at all where that is not."""
    await queue.open("s")
    await offer(queue, "a")
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=HOUR)

    assert await offer(queue, "b") == Holder("a", "S")
    ttl = await queue.client.pttl(queue.keys.lock("d"))
    assert HOUR - MINUTE < ttl <= HOUR
    await queue.engine.forget("a")
    await nothing_is_left(queue)
    assert await offer(queue, "b") is None
    await queue.claim("s")
    await queue.finish("s", "b", keep_ms=0)
    await nothing_is_left(queue)


async def test_period_outlasts_the_result(queue: Queue) -> None:
    """A period that is not over counts on where nothing is kept of the job, and ends by itself."""
    await queue.open("s")
    await offer(queue, "a", period_ms=HOUR)
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=0)

    assert await offer(queue, "b", period_ms=HOUR) == Holder("a", "S")
    assert await offer(queue, "b", period_ms=HOUR, states="asreu") is None
    await queue.claim("s")
    await queue.finish("s", "b", keep_ms=0)
    for key in (queue.keys.lock("d"), queue.keys.former_lock("b")):
        assert HOUR - MINUTE < await queue.client.pttl(key) <= HOUR


async def test_period_is_over_before_the_end(queue: Queue) -> None:
    """Where the period is over at the end and nothing is kept, nothing remains of the lock."""
    await queue.open("s")
    await offer(queue, "a", period_ms=MINUTE)
    await queue.age_lock("d", 2 * MINUTE)
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=0)

    await nothing_is_left(queue)


async def test_expired_end_does_not_count(queue: Queue, eventually: Any) -> None:
    """When the end of a job has expired, so has its lock, whether somebody pruned meanwhile or not."""
    await queue.open("s")
    await offer(queue, "a")
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=1)

    async def is_gone() -> bool:
        return await queue.home("a") == "absent"

    await eventually(is_gone)
    assert await offer(queue, "b") is None
    await queue.claim("s")
    await queue.finish("s", "b", keep_ms=1)

    async def both_are_gone() -> bool:
        await queue.engine.prune()
        keys = [key async for key in queue.client.scan_iter(match="*u*:*") if b":u" in key]
        return keys == [] and await queue.client.hlen(queue.keys.jobs) == 0

    await eventually(both_are_gone)
    await nothing_is_left(queue)


async def test_end_that_is_kept_for_ever(queue: Queue) -> None:
    """A lock for ever of a job whose end is kept for ever goes when that is forgotten."""
    await queue.open("s")
    await offer(queue, "a")
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=-1)

    assert await queue.client.pttl(queue.keys.lock("d")) == -1
    assert await offer(queue, "b") == Holder("a", "S")
    assert await queue.engine.forget("a") == 1
    await nothing_is_left(queue)


async def test_record_that_is_gone_frees_its_lock(queue: Queue) -> None:
    """A job that somebody deleted by hand blocks nobody, waiting or over."""
    await offer(queue, "a")
    await queue.client.zrem(queue.keys.ready, "a")
    await queue.client.hdel(queue.keys.jobs, "a")
    assert await offer(queue, "b") is None
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "b")
    await queue.client.hdel(queue.keys.jobs, "b")

    assert await offer(queue, "c") is None
    await queue.client.hdel(queue.keys.locks, "a")


async def test_same_id_lives_again(queue: Queue) -> None:
    """An id that is used again takes its lock again; what its first life left is not its own."""
    await queue.open("s")
    await offer(queue, "a", period_ms=HOUR)
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=0)

    assert await offer(queue, "a", period_ms=HOUR) == Holder("a", "S")
    assert await offer(queue, "a", "other") is None
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=0)

    await queue.client.delete(queue.keys.lock("d"))
    await nothing_is_left(queue)


async def do(queue: Queue, verb: str, job_id: str) -> None:
    """Do one move of the library part by itself, for scripts that are not this room's."""
    part = (files("arqlite.engine") / "lua" / "lib" / "locks.lua").read_text()
    await queue.client.eval(f"{part}\nmoves_of_locks(ARGV[1]).{verb}(ARGV[2])", 0, queue.keys.base, job_id)


@pytest.mark.parametrize("taken_over", [False, True])
async def test_job_that_lives_again(queue: Queue, taken_over: bool) -> None:
    """The lock of a job that is retried by hand is as before its end, unless another job has it by now."""
    await queue.open("s")
    await offer(queue, "a", period_ms=HOUR)
    await queue.claim("s")
    old = await queue.client.hget(queue.keys.jobs, "a")
    await queue.finish("s", "a")
    if taken_over:
        assert await offer(queue, "b", states="asreu") is None

    await do(queue, "revived", "a")
    await queue.client.hset(queue.keys.jobs, "a", old)
    await queue.client.zadd(queue.keys.ready, {"a": 1})

    await queue.check()
    assert await offer(queue, "c") == Holder("b" if taken_over else "a", "a")
    assert await queue.client.pttl(queue.keys.lock("d")) == -1
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=0)
    assert (await queue.locks() == {"d": ("b", "")}) is taken_over


@pytest.mark.parametrize("taken_over", [False, True])
async def test_job_that_is_deleted(queue: Queue, taken_over: bool) -> None:
    """Who deletes a job that waits deletes its lock, unless another job has it by now."""
    await offer(queue, "a")
    if taken_over:
        assert await offer(queue, "b", states="s") is None
    await queue.client.zrem(queue.keys.ready, "a")
    await queue.client.hdel(queue.keys.jobs, "a")

    await do(queue, "forgotten", "a")

    assert await queue.locks() == ({"d": ("b", "")} if taken_over else {})


@pytest.mark.real
@pytest.mark.parametrize("at_once", [False, True])
async def test_twenty_at_once(queue: Queue, real_url: str, at_once: bool) -> None:
    """Of 20 equal jobs over 5 connections one is stored and 19 meet it, each alone or many in one call."""
    import redis.asyncio

    from arqlite.engine import RedisEngine

    clients = [redis.asyncio.from_url(real_url) for _ in range(5)]
    engines = [RedisEngine(client, "race") for client in clients]
    jobs = [unique(f"j{n}") for n in range(20)]
    if at_once:
        answers = await asyncio.gather(
            *[engine.enqueue(jobs[4 * n : 4 * n + 4]) for n, engine in enumerate(engines)]
        )
    else:
        answers = await asyncio.gather(*[engines[n % 5].enqueue([one]) for n, one in enumerate(jobs)])

    holders = [holder for refused in answers for holder in refused.holders.values()]
    assert len(holders) == 19
    assert len(set(holders)) == 1
    assert (await engines[0].size()).jobs == 1
    for client in clients:
        await client.aclose()


async def test_tick_meets_an_equal_job(queue: Queue) -> None:
    """A cron job may be unique: its tick is fired, and enqueues nothing while an equal job is there."""
    lock = Lock("d", -1, "aersu")
    first = await queue.engine.fire(["c"], 1_000_000, "a", record(), lock)
    second = await queue.engine.fire(["c"], 2_000_000, "b", record(), lock)
    again = await queue.engine.fire(["c"], 2_000_000, "b", record(), lock)

    assert (first.done, first.holder) == (True, None)
    assert (second.done, second.holder) == (False, Holder("a", "a"))
    assert (again.done, again.holder) == (False, None)
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=0)
    assert (await queue.engine.fire(["c"], 3_000_000, "c", record(), lock)).done


ENDS = {
    "done": lambda queue: queue.finish("s", "a", keep_ms=0),
    "kept": lambda queue: queue.finish("s", "a", keep_ms=1),
    "failed": lambda queue: queue.engine.turn("s", 0, ended("a", letter=b"F", keep_ms=0), ()),
}


@pytest.mark.parametrize("path", list(itertools.permutations(["retry", "rescue", "snooze"], 2)))
@pytest.mark.parametrize("taken_over", [False, True])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("period_ms", [-1, 1])
async def test_nothing_is_left_behind(
    queue: Queue, eventually: Any, path: tuple[str, ...], taken_over: bool, end: str, period_ms: int
) -> None:
    """Whatever befell a job before its end, no lock remains once that has expired."""
    await queue.open("s")
    await offer(queue, "a", period_ms=period_ms)
    await queue.claim("s")
    for step in path:
        if step == "retry":
            await queue.engine.turn("s", 0, {}, [ready("a", memory="1:0:0:0:0:0:1")])
        elif step == "snooze":
            await queue.engine.turn("s", 0, {}, [scheduled("a", 0, "0:0:0:0:1:0:0")])
        else:
            await queue.end_lease("s")
            await queue.engine.rescue("other")
            await queue.open("s")
        assert await queue.claim("s") == ["a"]
    if taken_over:
        assert await offer(queue, "b", states="s") is None
        assert await queue.engine.cancel("b", b"C", 0) == "cancelled"
    await ENDS[end](queue)

    async def is_over() -> bool:
        await queue.engine.prune()
        return await queue.locks() == {} and await queue.client.hlen(queue.keys.jobs) == 0

    await eventually(is_over)
    await nothing_is_left(queue)


async def test_refusals_are_foreseen(queue: Queue) -> None:
    """Which jobs would be refused is told without storing any; they are not compared with each other."""
    await queue.engine.enqueue([unique("a", "1"), unique("b", "2", when="+5000"), job("c")])
    asked = [unique("d", "1"), unique("e", "2"), job("c"), job("f"), unique("g", "3"), unique("h", "3")]

    refused = await queue.engine.foresee(asked)

    assert refused == {0, 1, 2}
    assert refused.holders == {0: Holder("a", "a"), 1: Holder("b", "s")}
    assert [refused.holder(place, asked[place]) for place in (2, 3)] == [Holder("c"), None]
    assert (await queue.engine.size()).jobs == 3


async def test_what_does_not_count_is_not_foreseen(queue: Queue) -> None:
    """A state or an age that does not count keeps nobody out, and nor does a job that is forgotten."""
    await queue.engine.enqueue([unique("a", "1", when="+5000"), job("b")])
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "b", keep_ms=0)

    assert await queue.engine.foresee([unique("c", "1", states="a"), job("b")]) == set()
