"""Rewriting a job that has not ended: its record, its priority and when it is due, where it is."""

from __future__ import annotations

import pytest
from engine_toys import HOUR, Queue, held, job, record, scheduled

from arqlite.engine import due_ms

ALL = "aesru"
FUTURE = 4_000_000_000_000


async def stored(queue: Queue, job_id: str) -> bytes:
    found = await queue.client.hget(queue.keys.jobs, job_id)
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize("states", ["a", "sa", ALL])
async def test_record_of_a_ready_job(queue: Queue, states: str) -> None:
    """A job that waits gets another record and goes on waiting where it was."""
    await queue.fill("a", "b")
    new = record()

    assert await queue.engine.rewrite("a", await stored(queue, "a"), new, states) == "done"

    assert await stored(queue, "a") == new
    await queue.open("s")
    assert await queue.claim("s") == ["a", "b"]


async def test_another_state_is_left_alone(queue: Queue) -> None:
    """A job in a state that was not named is not changed."""
    await queue.fill("a")
    old = await stored(queue, "a")

    assert await queue.engine.rewrite("a", old, record(), "esru") == "changed"
    assert await stored(queue, "a") == old


async def test_somebody_was_faster(queue: Queue) -> None:
    """Whoever read a record that is not there any more is told so, and changes nothing."""
    await queue.fill("a")
    old, first = await stored(queue, "a"), record()
    await queue.engine.rewrite("a", old, first, ALL)

    assert await queue.engine.rewrite("a", old, record(), ALL) == "changed"
    assert await stored(queue, "a") == first


async def test_repetition_is_done_as_well(queue: Queue) -> None:
    """A call that is sent again since its reply was lost is told that it is done."""
    await queue.fill("a")
    old, new = await stored(queue, "a"), record()

    assert [await queue.engine.rewrite("a", old, new, ALL, "+5000") for _ in range(2)] == ["done"] * 2
    assert await queue.home("a") == "scheduled"


async def test_unknown_job(queue: Queue) -> None:
    """A job that is not there is told as unknown, and nothing is left behind."""
    assert await queue.engine.rewrite("ghost", record(), record(), ALL) == "unknown"
    assert await queue.client.dbsize() == 0


async def test_ended_job_stays_as_it_is(queue: Queue) -> None:
    """The record of an end is nobody's to change, whatever states are named."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a")

    assert await queue.engine.rewrite("a", await stored(queue, "a"), record(), "SFC" + ALL) == "changed"


async def test_priority_where_it_waits(queue: Queue) -> None:
    """A new priority ranks a job anew, by the moment that it had: ready, scheduled or held."""
    await queue.fill("a", "b", "c")
    await queue.engine.rewrite("c", await stored(queue, "c"), record(priority=0), ALL)
    await queue.engine.rewrite("a", await stored(queue, "a"), record(priority=5), ALL)
    await queue.engine.enqueue([job("late", when=f"={FUTURE}", priority=3)])
    await queue.engine.rewrite("late", await stored(queue, "late"), record(priority=1), ALL)
    score = await queue.client.zscore(queue.keys.sched, "late")
    assert (int(score) % 2048, due_ms(score)) == (1, FUTURE)

    await queue.open("s")
    assert await queue.claim("s", 2) == ["b", "c"]
    await queue.engine.turn("s", 0, {}, [held("b", "h", 7), held("c", "h", 8)], [])
    assert await queue.engine.rewrite("b", await stored(queue, "b"), record(priority=9), "a") == "done"
    assert await queue.holds() == {"h": ["c", "b"]}


async def test_due_time_moves_a_job(queue: Queue) -> None:
    """A job is due when it is told: it goes from ready to scheduled and back, and workers hear of it."""
    await queue.fill("a")
    await queue.take_token()

    assert await queue.engine.rewrite("a", await stored(queue, "a"), record(), ALL, "+5000") == "done"
    assert await queue.home("a") == "scheduled"
    assert await queue.take_token()
    assert await queue.engine.rewrite("a", await stored(queue, "a"), record(), "s", "-1") == "done"
    assert await queue.home("a") == "ready"
    assert await queue.take_token()


async def test_held_job_is_put_off(queue: Queue) -> None:
    """A job that is held leaves its hold for its time, and an empty hold does not stay."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.engine.turn("s", 0, {}, [held("a", "h")], [])

    assert await queue.engine.rewrite("a", await stored(queue, "a"), record(), "a", f"={FUTURE}") == "done"

    assert (await queue.home("a"), await queue.holds()) == ("scheduled", {})


async def test_retryable_job_becomes_scheduled(queue: Queue) -> None:
    """A job that waits for another try and is given a time waits for that; its tries stay counted."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.engine.turn("s", 0, {}, [scheduled("a", HOUR, "2:1:77:0:3:0:1")])
    old = await stored(queue, "a")

    assert await queue.engine.rewrite("a", old, record(), "s") == "changed"
    assert await queue.engine.rewrite("a", old, record(), "r", f"={FUTURE}") == "done"

    assert await queue.memory("a") == b"2:1:%d:0:3:0:0" % FUTURE
    assert await queue.engine.rewrite("a", await stored(queue, "a"), record(), "s") == "done"


async def test_running_job_goes_on(queue: Queue) -> None:
    """Of a job that runs only the record changes: it stays its session's, whatever due time is told."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    new = record(priority=4)

    assert await queue.engine.rewrite("a", await stored(queue, "a"), new, "e", "+5000") == "done"

    assert (await queue.home("a"), await stored(queue, "a")) == ("running", new)
    assert await queue.finish("s", "a") == []


async def test_suspended_job(queue: Queue) -> None:
    """A job that waits for other jobs is changed as well, and goes on waiting for them."""
    await queue.fill("a")
    await queue.client.zrem(queue.keys.ready, "a")
    await queue.client.zadd(queue.keys.susp, {"a": 5})

    assert await queue.engine.rewrite("a", await stored(queue, "a"), record(priority=1), "u") == "done"
    assert await queue.client.zscore(queue.keys.susp, "a") == 4398046511104 + 5
    assert await queue.engine.rewrite("a", await stored(queue, "a"), record(), "u", f"={FUTURE}") == "done"
    assert await queue.client.zcard(queue.keys.susp) == 1

    await queue.client.delete(queue.keys.susp)
    await queue.client.zadd(queue.keys.ready, {"a": 5})
