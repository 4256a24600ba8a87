"""Cancelling, forgetting, pruning and peeking."""

from __future__ import annotations

from typing import Any

import pytest
from engine_toys import FOREVER, HOUR, Queue, job, record

from arqlite.engine import EndWatch
from arqlite.engine.management import Stop


async def test_cancel_in_ready(queue: Queue) -> None:
    """A job that waits is cancelled at once: its end stands where the job stood, and it is not claimed."""
    new = job("a")
    await queue.engine.enqueue([new, job("b")])

    assert await queue.engine.cancel("a", b"Cend", HOUR) == "cancelled"

    peek = await queue.engine.peek("a")
    assert (peek.home, peek.record[14:]) == ("finished", b"Cend" + new.record[2:])
    await queue.open("s")
    assert await queue.claim("s") == ["b"]


async def test_cancel_in_schedule(queue: Queue) -> None:
    """A scheduled job is cancelled at once, with what was remembered of it."""
    await queue.fill("a", when="+60000")
    await queue.client.hset(queue.keys.tries, "a", "1:0")

    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"

    assert await queue.home("a") == "finished"
    assert await queue.memory("a") is None


async def test_cancel_of_a_running_job(queue: Queue) -> None:
    """A running job's worker is asked, by its inbox and by a message; the job stays its own."""
    await queue.fill("a")
    await queue.open("s", "t")
    await queue.claim("s")
    pubsub = queue.client.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(queue.keys.control_channel("s"))
    await pubsub.get_message(timeout=1)

    assert await queue.engine.cancel("a", b"C", HOUR) == "asked"

    assert await queue.home("a") == "running"
    assert await queue.client.smembers(queue.keys.inbox("s")) == {b"a"}
    message = await pubsub.get_message(timeout=1)
    assert message["data"] == b"a"
    await pubsub.aclose()


async def test_cancel_of_a_dead_workers_job(queue: Queue) -> None:
    """A job whose owner's lease is over is cancelled here and now: nobody is left to ask."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.end_lease("s")

    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"

    assert (await queue.engine.rescue("t")).moved == {}


async def test_cancel_of_a_half_rescued_job(queue: Queue) -> None:
    """A job of a session that left and that nobody has rescued yet is cancelled at once, too."""
    await queue.fill("a", "b")
    await queue.open("s")
    await queue.claim("s")
    await queue.engine.leave("s")

    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"
    assert (await queue.engine.rescue("t")).moved == {"s": 1}


async def test_cancel_of_an_ended_job(queue: Queue) -> None:
    """A job that ended keeps its end."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a")

    assert await queue.engine.cancel("a", b"C", HOUR) == "ended"

    assert (await queue.engine.peek("a")).record[14:] == b"Sa"


async def test_cancel_of_an_unknown_job_leaves_no_trace(queue: Queue) -> None:
    """Cancelling an id that does not exist leaves nothing that could hit a later job of that id."""
    assert await queue.engine.cancel("a", b"C", HOUR) == "unknown"

    assert await queue.client.dbsize() == 0
    await queue.fill("a")
    await queue.open("s")
    assert await queue.claim("s") == ["a"]


async def test_cancel_twice(queue: Queue) -> None:
    """The second of two cancellations finds the job ended."""
    await queue.fill("a")

    answers = [await queue.engine.cancel("a", body, HOUR) for body in (b"C1", b"C2")]

    assert answers == ["cancelled", "ended"]


@pytest.mark.parametrize("states", ["", "ase"])
async def test_cancel_sent_again_after_its_reply_was_lost(queue: Queue, states: str) -> None:
    """The repetition of a cancellation is answered like the first: its caller has to tell of the end."""
    await queue.fill("a")
    stop = Stop("a", b"C000000021")

    answers = [await queue.engine.cancel_many([stop], HOUR, states) for _ in range(2)]

    assert answers == [["cancelled"], ["cancelled"]]
    await queue.check()


async def test_cancellation_is_announced(queue: Queue) -> None:
    """Who awaits a job hears of its cancellation, with the letter of it."""
    watch = EndWatch(queue.engine)
    await queue.fill("a")
    announced = await watch.announce("a")

    await queue.engine.cancel("a", b"C", HOUR)

    assert await announced == b"C"
    await watch.forget("a", announced)
    await watch.close()


@pytest.mark.parametrize("state", ["unknown", "ready", "running", "finished"])
async def test_forget(queue: Queue, state: str) -> None:
    """Only a job that ended can be forgotten; then its id is free."""
    await queue.open("s")
    if state != "unknown":
        await queue.fill("a")
    if state in ("running", "finished"):
        await queue.claim("s")
    if state == "finished":
        await queue.finish("s", "a", keep_ms=FOREVER)

    answer = await queue.engine.forget("a")

    assert answer == {"unknown": 0, "ready": -1, "running": -1, "finished": 1}[state]
    assert await queue.engine.enqueue([job("a")]) == (set() if state in ("unknown", "finished") else {0})


async def test_prune_forgets_what_expired(queue: Queue, eventually: Any) -> None:
    """Pruning frees expired results only, and the lists that led to them."""
    await queue.fill("short", "long", "forever", "none", "waiting")
    await queue.open("s")
    await queue.claim("s", 4)
    for job_id, keep_ms in [("short", 1), ("long", HOUR), ("forever", FOREVER), ("none", 0)]:
        await queue.finish("s", job_id, keep_ms=keep_ms)

    assert await eventually(queue.engine.prune) == 1

    assert set(await queue.client.hkeys(queue.keys.jobs)) == {b"long", b"forever", b"waiting"}
    assert await queue.engine.prune() == 0
    assert await queue.client.smembers(queue.keys.ttls) == {b"%d" % HOUR}
    assert await queue.client.exists(f"{queue.keys.base}done:1") == 0


async def test_prune_spares_an_id_in_use_again(queue: Queue, eventually: Any) -> None:
    """An id that was used again since its result expired is not pruned with it."""
    await queue.fill("a", "b")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a", "b", keep_ms=1)

    async def used_again() -> bool:
        return await queue.engine.enqueue([job("a")]) == set()

    await eventually(used_again)

    assert await queue.engine.prune() == 1
    assert [await queue.home("a"), await queue.home("b")] == ["ready", "absent"]


async def test_prune_of_many_batches(queue: Queue, eventually: Any) -> None:
    """Pruning goes on until nothing is due, however many turns left something."""
    names = [f"j{n}" for n in range(60)]
    await queue.fill(*names)
    await queue.open("s")
    await queue.claim("s")
    for name in names:
        await queue.finish("s", name, keep_ms=1)

    async def is_over() -> bool:
        return await queue.home(names[-1]) == "absent"

    await eventually(is_over)

    assert await queue.engine.prune() == 60
    assert await queue.client.hlen(queue.keys.jobs) == 0


async def test_expired_result_is_absent(queue: Queue, eventually: Any) -> None:
    """A result that outlived its time is absent for every reader, though it is not pruned yet."""
    await queue.fill("a", "kept")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "kept", keep_ms=HOUR)
    await queue.finish("s", "a", keep_ms=20)
    assert await queue.home("kept") == "finished"

    async def is_absent() -> bool:
        return await queue.home("a") == "absent"

    await eventually(is_absent)
    assert await queue.engine.cancel("a", b"C", HOUR) == "unknown"


async def test_peek_follows_a_job(queue: Queue) -> None:
    """Where a job is, is its state: scheduled, ready, running, finished."""
    assert await queue.home("a") == "absent"
    await queue.fill("a", when="+60000")
    assert await queue.home("a") == "scheduled"
    await queue.client.zrem(queue.keys.sched, "a")
    await queue.client.zadd(queue.keys.ready, {"a": 1})
    assert await queue.home("a") == "ready"
    await queue.open("s")
    await queue.claim("s")
    assert await queue.home("a") == "running"
    await queue.finish("s", "a")
    assert await queue.home("a") == "finished"


async def test_due_job_counts_as_ready(queue: Queue, eventually: Any) -> None:
    """A scheduled job whose time has come is ready for whoever looks, though no worker has staged it."""
    await queue.fill("a", when="+1")

    async def is_ready() -> bool:
        return await queue.home("a") == "ready"

    await eventually(is_ready)


async def fire(queue: Queue, schedules: str, tick_ms: int, job_id: str) -> bool:
    """Fire a tick of the schedules whose letters are given."""
    return (await queue.engine.fire(list(schedules), tick_ms, job_id, record())).done


async def test_fire_is_once_per_tick(queue: Queue) -> None:
    """However many workers fire a tick, one of them enqueues; a tick of the past is refused for ever."""
    assert [await fire(queue, "a", 1000, f"id{n}") for n in range(4)] == [True, False, False, False]
    assert await queue.take_token()

    assert await fire(queue, "a", 2000, "next")
    assert not await fire(queue, "a", 1000, "laggard")
    assert await fire(queue, "b", 1000, "other")

    await queue.open("s")
    assert await queue.claim("s") == ["id0", "next", "other"]


async def test_fire_with_an_id_in_use(queue: Queue) -> None:
    """A cron job with a fixed id is not queued again before the first has ended; the tick is used up."""
    assert await fire(queue, "a", 1000, "fixed")

    assert not await fire(queue, "a", 2000, "fixed")

    await queue.open("s")
    assert await queue.claim("s") == ["fixed"]
    await queue.finish("s", "fixed", keep_ms=0)
    assert not await fire(queue, "a", 2000, "fixed")
    assert await fire(queue, "a", 3000, "fixed")


async def test_schedules_that_meet_fire_once(queue: Queue) -> None:
    """A tick that two schedules of a job name is fired once, also for workers that know one of them only."""
    assert await fire(queue, "ab", 2000, "both")

    assert not await fire(queue, "a", 2000, "again")
    assert not await fire(queue, "b", 2000, "again")
    assert not await fire(queue, "ab", 2000, "again")
    assert await fire(queue, "b", 3000, "next")
    assert not await fire(queue, "ab", 3000, "again")


async def test_a_tick_to_come_is_not_fired(queue: Queue) -> None:
    """A worker whose clock is fast is told the time, and takes the tick from nobody."""
    now_ms = (await queue.engine.ticks([])).now_ms

    answer = await queue.engine.fire(["a"], now_ms + HOUR, "soon", record())

    assert not answer.done
    assert now_ms <= answer.now_ms < now_ms + HOUR
    assert await fire(queue, "a", now_ms, "now")


async def test_last_tick_of_a_clock_set_back_is_void(queue: Queue) -> None:
    """When the server's clock went back by days, schedules do not wait until it is there again."""
    now_ms = (await queue.engine.ticks([])).now_ms
    await queue.client.hset(queue.keys.cron, mapping={"a": now_ms + HOUR, "b": now_ms + 24 * HOUR})

    assert not await fire(queue, "a", now_ms - 2, "a little")
    assert await fire(queue, "b", now_ms - 2, "a lot")
    assert not await fire(queue, "b", now_ms - 2, "again")


async def test_ticks_are_told(queue: Queue) -> None:
    """The last ticks come in the order asked for, with 0 for what was never fired."""
    await fire(queue, "a", 1_700_000_000_123, "x")
    await fire(queue, "b", 2000, "y")

    assert (await queue.engine.ticks(["b", "never", "a"])).last_ms == [2000, 0, 1_700_000_000_123]


async def test_schedules_of_old_are_forgotten(queue: Queue) -> None:
    """What no worker has fired for more than a year goes when a new schedule comes."""
    now_ms = (await queue.engine.ticks([])).now_ms
    year = 366 * 24 * HOUR
    await fire(queue, "a", now_ms - 2 * year, "x")
    await fire(queue, "b", now_ms - year, "y")

    await fire(queue, "c", now_ms, "z")

    assert set(await queue.client.hkeys(queue.keys.cron)) == {b"b", b"c"}


async def test_an_end_beyond_all_digits_is_kept_for_ever(queue: Queue) -> None:
    """A result that is kept for three centuries and more is kept, not taken for one of long ago."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")

    await queue.finish("s", "a", keep_ms=10**13)

    record = (await queue.engine.peek("a")).record
    assert (record[:14], await queue.home("a")) == (b"R" + b"9" * 13, "finished")
