"""Enqueueing: once per id, in order of priority and time, with one token to wake a worker."""

from __future__ import annotations

import time
from typing import Any

import pytest
from engine_toys import FOREVER, HOUR, Queue, ended, job, record

from arqlite.engine import NewJob


async def test_new_job_is_ready(queue: Queue) -> None:
    """A job enqueued for now waits in `ready`, with its record as it was given."""
    new = job("a")

    assert await queue.engine.enqueue([new]) == set()

    peek = await queue.engine.peek("a")
    assert (peek.home, peek.record, peek.memory) == ("ready", new.record, "")
    assert abs(peek.ms - time.time() * 1000) < 5000


async def test_known_ids_are_refused_by_position(queue: Queue) -> None:
    """A job whose id is queued, scheduled, running or kept is refused; its neighbours are accepted."""
    await queue.fill("running", "finished")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "finished")
    await queue.fill("ready")
    await queue.fill("scheduled", when="+60000")

    refused = await queue.engine.enqueue(
        [job(name) for name in ["running", "new", "finished", "ready", "scheduled", "new2", "new"]]
    )

    assert refused == {0, 2, 3, 4, 6}
    assert await queue.home("new2") == "ready"


@pytest.mark.parametrize("state", ["ready", "running", "finished"])
async def test_same_bytes_again_are_a_resend(queue: Queue, state: str) -> None:
    """The very same job sent again, its first reply lost, counts as accepted and changes nothing."""
    new = job("a")
    await queue.engine.enqueue([new])
    await queue.open("s")
    if state != "ready":
        await queue.claim("s")
    if state == "finished":
        await queue.engine.turn("s", 0, {HOUR: ended("a")[HOUR]._replace(bodies=[b"S" + new.record[2:]])}, ())

    assert await queue.engine.enqueue([new]) == set()

    assert await queue.home("a") == state
    assert (await queue.engine.size()).jobs == (0 if state == "finished" else 1)


async def test_more_jobs_than_one_script_takes(queue: Queue) -> None:
    """More than 500 jobs go in several scripts; refusals are numbered through."""
    await queue.fill("j3", "j501", "j1200")

    refused = await queue.engine.enqueue([job(f"j{n}") for n in range(1201)])

    assert refused == {3, 501, 1200}
    assert (await queue.engine.size()).ready == 1201


async def test_nothing_to_enqueue(queue: Queue) -> None:
    """No jobs are no call."""
    assert await queue.engine.enqueue([]) == set()


async def test_first_in_first_out(queue: Queue) -> None:
    """Jobs of one priority start in the order they came, also within a millisecond."""
    names = [f"j{n:03}" for n in range(200)]
    for start in range(0, 200, 50):
        await queue.fill(*names[start : start + 50])
    await queue.open("s")

    assert await queue.claim("s", 200) == names


async def test_priority_comes_before_age(queue: Queue) -> None:
    """Lower numbers start first, whatever their age; within one priority the older."""
    await queue.engine.enqueue(
        [job("low", "", 9), job("high2", "=1600000000001", 1), job("high1", "=1600000000000", 1)]
    )
    await queue.engine.enqueue([job("urgent")])
    await queue.open("s")

    assert await queue.claim("s") == ["urgent", "high1", "high2", "low"]


async def test_negative_delay_goes_in_front(queue: Queue) -> None:
    """A negative delay puts a job before all that wait, the longer the earlier (arq's trick)."""
    await queue.fill("usual")
    three_years = 3 * 365 * 24 * HOUR
    await queue.engine.enqueue(
        [job("earlier", "-60000"), job("second", f"-{three_years}"), job("first", "=1")]
    )
    await queue.open("s")

    assert await queue.claim("s") == ["first", "second", "earlier", "usual"]


async def test_moment_in_the_past_is_ready(queue: Queue) -> None:
    """A job for a moment that has passed is ready at once, ranked by that moment."""
    await queue.engine.enqueue([job("now"), job("past", "=1600000000000")])
    await queue.open("s")

    assert (await queue.engine.peek("past")).ms == 1_600_000_000_000
    assert await queue.claim("s") == ["past", "now"]


@pytest.mark.parametrize(("when", "due"), [("+60000", None), ("=4102444800000", 4_102_444_800_000)])
async def test_future_job_is_scheduled(queue: Queue, when: str, due: int | None) -> None:
    """A job for later waits in `sched` with its moment, exact to the millisecond; no turn claims it."""
    before = time.time() * 1000
    await queue.engine.enqueue([job("later", when, 200)])
    await queue.open("s")

    peek = await queue.engine.peek("later")
    assert peek.home == "scheduled"
    assert peek.ms == due or before + 55_000 < peek.ms < before + 70_000
    turn = await queue.engine.turn("s", 10, {}, ())
    assert turn.job_ids == []
    assert 0 < turn.next_due_ms <= peek.ms - turn.now_ms


async def test_due_job_is_claimed_by_priority(queue: Queue, eventually: Any) -> None:
    """Jobs that have become due are ranked like any others: by priority, then by the moment they were due."""
    await queue.engine.enqueue([job("low", "+1", 5), job("high", "+2", 1), job("normal", "", 3)])
    await queue.open("s")
    await eventually(lambda: _is_ready(queue, "high"))

    assert await queue.claim("s") == ["high", "normal", "low"]


async def _is_ready(queue: Queue, job_id: str) -> bool:
    return await queue.home(job_id) == "ready"


async def test_token_is_one_at_most(queue: Queue) -> None:
    """However many jobs come, one token waits: it wakes one worker, which takes as many as it can."""
    for n in range(5):
        await queue.fill(f"j{n}")

    assert await queue.take_token()
    assert not await queue.take_token()


async def test_token_for_a_new_head_of_the_schedule_only(queue: Queue) -> None:
    """A scheduled job wakes a worker only when it is due before all others: somebody must set a new timer."""
    await queue.fill("middle", when="+60000")
    assert await queue.take_token()

    await queue.fill("later", when="+70000")
    assert not await queue.take_token()

    await queue.fill("sooner", when="+50000")
    assert await queue.take_token()


async def test_refused_job_wakes_nobody(queue: Queue) -> None:
    """A job that is refused leaves no token."""
    await queue.fill("a")
    assert await queue.take_token()

    assert await queue.engine.enqueue([job("a")]) == {0}
    assert not await queue.take_token()


async def test_id_is_free_when_its_result_has_expired(queue: Queue, eventually: Any) -> None:
    """An id can be used again the moment its result expires, though nobody has pruned yet."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=1)
    assert await queue.client.hexists(queue.keys.jobs, "a")

    async def accepted() -> bool:
        return await queue.engine.enqueue([job("a")]) == set()

    await eventually(accepted)
    assert await queue.home("a") == "ready"


@pytest.mark.parametrize(("keep_ms", "is_free"), [(0, True), (HOUR, False), (FOREVER, False)])
async def test_id_is_refused_while_its_result_is_kept(queue: Queue, keep_ms: int, is_free: bool) -> None:
    """An id is refused as long as its result is kept, and only so long."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=keep_ms)

    assert await queue.engine.enqueue([job("a")]) == (set() if is_free else {0})


@pytest.mark.parametrize("job_id", ["ümlaut ✓", "with:colon {and} braces", "x" * 512, "1e5", " "])
async def test_odd_ids(queue: Queue, job_id: str) -> None:
    """Any text without NUL is an id, through all of a job's life."""
    await queue.fill(job_id)
    await queue.open("s")

    assert await queue.claim("s") == [job_id]
    assert await queue.finish("s", job_id, keep_ms=1) == []
    assert await queue.home(job_id) in ("finished", "absent")


async def test_priorities_are_exact(queue: Queue) -> None:
    """The biggest priority and a far moment keep their milliseconds in the score."""
    due = 5_000_000_000_123
    await queue.engine.enqueue(
        [NewJob("far", f"={due}", record(255)), NewJob("now", "=1700000000123", record(255))]
    )

    assert (await queue.engine.peek("far")).ms == due
    assert (await queue.engine.peek("now")).ms == 1_700_000_000_123
