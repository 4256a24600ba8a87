"""The errors of a job: added to behind the fence, kept as long as its end."""

from __future__ import annotations

from typing import Any

import pytest
from engine_toys import FOREVER, HOUR, Queue, ended, ids, ready, scheduled

from arqlite.engine import Failure
from arqlite.errors import SessionLost

UNTIL_ITS_END = -1


@pytest.fixture
async def owned(queue: Queue) -> Queue:
    """A queue whose session `s` owns the jobs a and b."""
    await queue.fill("a", "b")
    await queue.open("s")
    assert await queue.claim("s") == ["a", "b"]
    return queue


async def errors(queue: Queue, job_id: str) -> list[bytes]:
    entries: list[bytes] = await queue.client.lrange(queue.keys.errors(job_id), 0, -1)
    return entries


async def fail(queue: Queue, job_id: str, text: bytes, memory: str = "1:0", delay_ms: int = 0) -> Any:
    """Put a job back that failed; it is claimed again if there is no delay."""
    back = scheduled(job_id, delay_ms, memory) if delay_ms else ready(job_id, 0, memory)
    failures = [Failure(job_id, UNTIL_ITS_END, text)]
    return await queue.engine.turn("s", 0, {}, [back], None, failures)


async def test_errors_grow_and_travel_with_the_claim(owned: Queue) -> None:
    """A job that was tried before comes with what its attempts failed with; others bring nothing."""
    await fail(owned, "a", b"first")
    first = await owned.engine.turn("s", 5, {}, ())
    await fail(owned, "a", b"second", "2:0")
    await owned.fill("c")

    second = await owned.engine.turn("s", 5, {}, ())

    assert [list(pair) for pair in first.errors] == [[b"a", [b"first"]]]
    assert sorted(ids(second)) == ["a", "c"]
    assert [list(pair) for pair in second.errors] == [[b"a", [b"first", b"second"]]]


async def test_jobs_without_trouble_bring_no_errors(queue: Queue) -> None:
    """A turn that claims only new jobs has no part for errors."""
    await queue.fill("a")
    await queue.open("s")

    assert (await queue.engine.turn("s", 5, {}, ())).errors == ()


async def test_claim_without_errors_of_a_tried_job(owned: Queue) -> None:
    """A job that was tried and failed with nothing, by arq's `Retry`, brings no errors."""
    await owned.engine.turn("s", 0, {}, [ready("a", 0, "1:0")])

    assert (await owned.engine.turn("s", 5, {}, ())).errors == ()


async def test_newest_hundred_are_kept(owned: Queue) -> None:
    """Of many errors the newest 100 stay, and the newest 20 travel."""
    for number in range(103):
        await fail(owned, "a", b"%d" % number)
        turn = await owned.engine.turn("s", 5, {}, ())

    assert await errors(owned, "a") == [b"%d" % number for number in range(3, 103)]
    assert turn.errors[0][1] == [b"%d" % number for number in range(83, 103)]


@pytest.mark.parametrize(("keep_ms", "ttl"), [(HOUR, HOUR), (FOREVER, -1), (10**15, -1)])
async def test_errors_live_as_long_as_the_end(owned: Queue, keep_ms: int, ttl: int) -> None:
    """A final end with an error keeps all errors as long as itself."""
    await fail(owned, "a", b"first")
    await owned.claim("s")

    failures = [Failure("a", keep_ms, b"last")]
    await owned.engine.turn("s", 0, ended("a", keep_ms=keep_ms, letter=b"F"), (), None, failures)

    assert await errors(owned, "a") == [b"first", b"last"]
    left = await owned.client.pttl(owned.keys.errors("a"))
    assert left == ttl or ttl - 5000 < left <= ttl


async def test_job_that_ended_well_after_failures(owned: Queue) -> None:
    """A job that completes in the end keeps the errors of its earlier attempts as long as its result."""
    await fail(owned, "a", b"first")
    assert await owned.client.pttl(owned.keys.errors("a")) == -1
    await owned.claim("s")

    await owned.finish("s", "a", "b")

    assert HOUR - 5000 < await owned.client.pttl(owned.keys.errors("a")) <= HOUR
    assert await errors(owned, "b") == []


async def test_end_that_is_not_kept(owned: Queue) -> None:
    """A job whose end is not kept leaves no errors behind."""
    await fail(owned, "a", b"first")
    await owned.claim("s")

    failures = [Failure("a", 0, b"last")]
    await owned.engine.turn("s", 0, ended("a", keep_ms=0, letter=b"F"), (), None, failures)

    assert not await owned.client.exists(owned.keys.errors("a"))


async def test_cancelled_while_it_waits(owned: Queue) -> None:
    """A job that is cancelled between two attempts keeps its errors as long as its end."""
    await fail(owned, "a", b"first", delay_ms=HOUR)

    assert await owned.engine.cancel("a", b"C", HOUR) == "cancelled"

    assert await errors(owned, "a") == [b"first"]
    assert HOUR - 5000 < await owned.client.pttl(owned.keys.errors("a")) <= HOUR


async def test_fence(owned: Queue) -> None:
    """Whoever does not own a job adds nothing to its errors."""
    await owned.open("other")

    failures = [Failure("a", HOUR, b"false"), Failure("x", HOUR, b"no")]
    await owned.engine.turn("other", 0, {}, (), None, failures)

    assert (await errors(owned, "a"), await errors(owned, "x")) == ([], [])


async def test_dead_session_adds_nothing(owned: Queue) -> None:
    """A worker whose lease ended says nothing of its jobs any more."""
    await owned.end_lease("s")
    await owned.engine.rescue("nobody")

    with pytest.raises(SessionLost):
        await fail(owned, "a", b"late")

    assert await errors(owned, "a") == []


async def test_resent_error_is_added_once(owned: Queue) -> None:
    """A turn that is sent again adds no error twice, though the job was claimed by the first one."""
    back, failures = [ready("a", 0, "1:0")], [Failure("a", UNTIL_ITS_END, b"first")]
    assert "a" in ids(await owned.engine.turn("s", 5, {}, back, None, failures))

    await owned.engine.turn("s", 0, {}, back, None, failures)

    assert await errors(owned, "a") == [b"first"]


async def test_failure_of_a_job_that_goes_on_again(owned: Queue) -> None:
    """Errors whose time was running, since their job had ended, are kept again while it goes on."""
    await owned.client.rpush(owned.keys.errors("a"), b"old")
    await owned.client.pexpire(owned.keys.errors("a"), HOUR)

    await fail(owned, "a", b"new")

    assert await owned.client.pttl(owned.keys.errors("a")) == -1


async def test_forgotten_job_leaves_no_errors(owned: Queue) -> None:
    """An id that is free again has no errors of the job before."""
    failures = [Failure("a", HOUR, b"last")]
    await owned.engine.turn("s", 0, ended("a", letter=b"F"), (), None, failures)
    assert await owned.engine.errors_of(["a"]) == [[b"last"]]

    assert await owned.engine.forget("a") == 1

    assert not await owned.client.exists(owned.keys.errors("a"))


async def test_errors_of_many(owned: Queue) -> None:
    """Errors of many jobs are read in their order; an unknown job has none."""
    await fail(owned, "b", b"one")
    await owned.client.rpush(owned.keys.errors("gone"), b"left over")

    assert await owned.engine.errors_of(["a", "b", "gone"]) == [[], [b"one"], []]


async def test_rooms_and_errors_travel_together(owned: Queue) -> None:
    """Errors are told beside what a turn tells those with limits."""
    await fail(owned, "a", b"first")

    turn = await owned.engine.turn("s", 5, {}, (), ())

    assert len(turn.moments) == len(turn.job_ids) == 1
    assert [list(pair) for pair in turn.errors] == [[b"a", [b"first"]]]
