"""Leases: kept, lost, left; the jobs of the dead go back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_toys import HOUR, LEASE, Queue

from arqlite.engine import Note
from arqlite.engine.redis import TURN_LIMIT
from arqlite.errors import SessionLost
from arqlite.model.codec import Codec


async def test_open_tells_the_next_end_of_another_lease(queue: Queue) -> None:
    """A session that opens hears when the next lease of another ends; alone it hears -1."""
    assert await queue.engine.open("s", 60_000) == -1
    assert 0 < await queue.engine.open("t", 30_000) <= 60_000
    assert 0 < await queue.engine.open("u", 90_000) <= 30_000


async def test_beat_extends_the_lease(queue: Queue) -> None:
    """A beat moves the deadline on, and hears when the next lease of another ends."""
    await queue.open("s", lease_ms=50)
    await queue.open("t", lease_ms=HOUR)

    beat = queue.engine.beat("s", LEASE, ())

    assert (beat.alive, beat.cancel) == (True, frozenset())
    assert LEASE < beat.next_deadline_ms <= HOUR
    deadline = await queue.client.zscore(queue.keys.live, "s")
    now = (await queue.engine.turn("s", 0, {}, ())).now_ms
    assert now < deadline <= now + LEASE


async def test_dead_session_is_not_revived_by_a_beat(queue: Queue) -> None:
    """A beat of a dead session hears that it is dead, and does not bring it back."""
    await queue.open("s")
    await queue.end_lease("s")
    await queue.engine.rescue("t")

    assert not queue.engine.beat("s", LEASE, ()).alive
    assert (await queue.engine.size()).sessions == 0
    with pytest.raises(SessionLost):
        await queue.claim("s")


async def test_rescue_puts_the_jobs_back_in_front(queue: Queue) -> None:
    """The jobs of a dead session go before all others of their priority, with one crash more each."""
    await queue.fill("a", "b")
    await queue.open("s", "t")
    await queue.claim("s")
    await queue.fill("younger", when="-5000")
    await queue.take_token()
    await queue.end_lease("s")

    rescued = await queue.engine.rescue("t")

    assert rescued.moved == {"s": 2}
    assert rescued.next_deadline_ms == -1
    assert await queue.take_token()
    assert sorted((await queue.claim("t"))[:2]) == ["a", "b"]
    assert await queue.memory("a") == b"0:1:"


async def test_rescue_counts_crashes_beside_tries(queue: Queue) -> None:
    """A rescue adds to the crashes and leaves the rest of what is remembered as it is."""
    await queue.fill("a")
    await queue.client.hset(queue.keys.tries, "a", "2:1:1700000000000:5")
    await queue.open("s")
    await queue.claim("s")
    await queue.end_lease("s")

    await queue.engine.rescue("t")

    assert await queue.memory("a") == b"2:2:1700000000000:5"


async def test_rescue_leaves_the_living_alone(queue: Queue) -> None:
    """A rescue touches no session whose lease holds, and tells when the next one may end."""
    await queue.fill("a")
    await queue.open("s", "t")
    await queue.claim("s")

    rescued = await queue.engine.rescue("t")

    assert rescued.moved == {}
    assert 0 < rescued.next_deadline_ms <= LEASE
    assert await queue.home("a") == "running"


async def test_rescue_of_a_session_without_jobs(queue: Queue) -> None:
    """A dead session that owned nothing just goes."""
    await queue.open("s")
    await queue.end_lease("s")

    assert (await queue.engine.rescue("t")).moved == {}
    assert await queue.client.zcard(queue.keys.live) == 0


async def test_rescue_of_more_than_one_script_takes(queue: Queue) -> None:
    """A big session is rescued in parts; between them it is dead already, and any rescuer may go on."""
    names = [f"j{n}" for n in range(TURN_LIMIT + 200)]
    await queue.fill(*names)
    await queue.open("s", "t")
    await queue.claim("s", TURN_LIMIT)
    await queue.claim("s", 200)
    await queue.end_lease("s")

    first = await queue.engine.rescue("t")

    await queue.check()
    assert (first.moved, first.next_deadline_ms) == ({"s": TURN_LIMIT}, 0)
    assert not queue.engine.beat("s", LEASE, ()).alive
    assert queue.engine.beat("t", LEASE, ()).next_deadline_ms == 0
    with pytest.raises(SessionLost):
        await queue.claim("s")
    assert (await queue.engine.size()).sessions == 1

    second = await queue.engine.rescue("u")

    assert second.moved == {"s": 200}
    assert (await queue.engine.rescue("t")).next_deadline_ms == -1
    size = await queue.engine.size()
    assert (size.ready, size.running) == (TURN_LIMIT + 200, 0)


async def test_rescue_of_several_sessions(queue: Queue) -> None:
    """All sessions that are over are rescued at once, each job from its own."""
    await queue.fill("a", "b", "c")
    await queue.open("s", "t", "u")
    for session in ("s", "t", "u"):
        await queue.claim(session, 1)
    await queue.end_lease("s")
    await queue.end_lease("u")

    assert (await queue.engine.rescue("t")).moved == {"s": 1, "u": 1}
    assert await queue.engine.owned("t") == {"b"}


async def test_leave_gives_the_jobs_to_the_next_rescue(queue: Queue) -> None:
    """A session that leaves with jobs in hand is dead at once, and they are rescued without waiting."""
    await queue.fill("a")
    await queue.open("s", "t")
    await queue.claim("s")

    assert await queue.engine.leave("s") == 1

    with pytest.raises(SessionLost):
        await queue.finish("s", "a")
    assert queue.engine.beat("t", LEASE, ()).next_deadline_ms == 0
    assert (await queue.engine.rescue("t")).moved == {"s": 1}


async def test_leave_with_empty_hands(queue: Queue) -> None:
    """A session that leaves with nothing in hand leaves no trace; the last one hears that it was the last."""
    await queue.open("s", "t")

    assert [await queue.engine.leave("s"), await queue.engine.leave("t")] == [1, 0]

    assert await queue.client.exists(queue.keys.live) == 0


async def test_cancel_request_reaches_the_session(queue: Queue) -> None:
    """A session hears of a cancellation with each beat until it has said that it heard."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    assert await queue.engine.cancel("a", b"C", HOUR) == "asked"

    assert queue.engine.beat("s", LEASE, ()).cancel == {"a"}
    assert queue.engine.beat("s", LEASE, ()).cancel == {"a"}
    assert queue.engine.beat("s", LEASE, ["a"]).cancel == frozenset()


async def test_cancel_request_ends_with_its_job(queue: Queue) -> None:
    """What was asked of a job that has ended does not concern a later job of its id."""
    await queue.fill("a", "b")
    await queue.open("s")
    await queue.claim("s")
    assert await queue.engine.cancel("a", b"C", HOUR) == "asked"
    assert await queue.engine.cancel("b", b"C", HOUR) == "asked"

    await queue.finish("s", "a", keep_ms=0)
    await queue.fill("a")
    assert await queue.claim("s") == ["a"]

    assert queue.engine.beat("s", LEASE, ()).cancel == {"b"}


@pytest.mark.parametrize("is_killed", [True, False], ids=["dies", "leaves"])
async def test_cancel_request_outlives_its_session(queue: Queue, is_killed: bool) -> None:
    """A job whose session ends before it did as it was asked is cancelled by the rescue, and runs nowhere."""
    await queue.fill("a", "b")
    await queue.open("s", "t")
    await queue.claim("s")
    assert await queue.engine.cancel("a", b"C", HOUR) == "asked"
    if is_killed:
        await queue.end_lease("s")
    else:
        await queue.engine.leave("s")
    await queue.take_token()

    rescued = await queue.engine.rescue("t")

    assert rescued.moved == {"s": 1}
    assert await queue.take_token()
    record = (await queue.engine.peek("a")).record
    assert record[:1] + record[14:15] == b"RC"
    ended, value = Codec().decode_end(record)
    assert (ended["s"], type(value)) == (False, asyncio.CancelledError)
    turn = await queue.engine.turn("t", 9, {}, (), told=())
    assert (turn.job_ids, turn.swept) == ([b"b"], [b"\0a"])
    await queue.check()


async def test_cancelled_by_a_rescue_leaves_nothing(queue: Queue) -> None:
    """A rescue ends a job as any end does: waiters hear of it, its notes go, what was remembered of it is
    forgotten; a repetition does nothing more.
    """
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.engine.note("s", "1", [Note("a", 5, "0.5", HOUR, 0, ["line"])])
    await queue.client.hset(queue.keys.tries, "a", "1:0:0:0:0:0:0")
    await queue.engine.cancel("a", b"C", HOUR)
    await queue.end_lease("s")
    pubsub = queue.client.pubsub()
    await pubsub.subscribe(queue.keys.finished_channel)
    await pubsub.get_message(timeout=1)
    assert await queue.engine.mind_many(["a"]) == [True]

    assert (await queue.engine.rescue("")).moved == {"s": 0}
    assert (await queue.engine.rescue("")).moved == {}

    assert await pubsub.get_message(timeout=1) is not None
    await pubsub.aclose()
    assert await queue.memory("a") is None
    assert 0 < await queue.client.pttl(queue.keys.note("a")) <= HOUR
    assert await queue.client.exists(queue.keys.inbox("s"), queue.keys.run("s")) == 0
    await queue.check()


async def test_inbox_goes_with_its_session(queue: Queue) -> None:
    """What a session was asked to cancel is forgotten with it where it has no job any more."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.engine.cancel("a", b"C", HOUR)
    await queue.client.sadd(queue.keys.inbox("s"), "stranger")
    await queue.finish("s", "a")
    assert await queue.client.exists(queue.keys.inbox("s")) == 1

    await queue.engine.leave("s")

    assert await queue.client.exists(queue.keys.inbox("s")) == 0


async def test_nudge_leaves_a_token_only_for_work(queue: Queue) -> None:
    """Who took a token in vain leaves another one, if there is work for it."""
    await queue.engine.nudge()
    assert not await queue.take_token()

    await queue.fill("a")
    await queue.take_token()
    await queue.engine.nudge()
    await queue.engine.nudge()

    assert await queue.take_token()
    assert not await queue.take_token()


async def test_size_counts_homes(queue: Queue) -> None:
    """The size tells how many jobs wait, are scheduled and run, and how many sessions live."""
    await queue.fill("a", "b", "c", "d")
    await queue.fill("later", when="+60000")
    await queue.open("s", "t")
    await queue.claim("s", 3)
    await queue.finish("s", "a")

    size = await queue.engine.size()

    assert (size.ready, size.scheduled, size.running, size.sessions, size.jobs) == (1, 1, 2, 2, 4)


async def test_bequeathed_jobs_are_rescued_soon_and_without_a_crash(queue: Queue, eventually: Any) -> None:
    """A session whose process is about to be gone ends soon; its jobs go back as they were."""
    await queue.fill("a", "b")
    await queue.client.hset(queue.keys.tries, "b", "2:1:0:0")
    await queue.open("s", "t")
    await queue.claim("s")

    assert await queue.engine.bequeath("s", 50)

    assert (await queue.engine.rescue("t")).moved == {}

    async def rescued() -> bool:
        return (await queue.engine.rescue("t")).moved == {"s": 2}

    await eventually(rescued)
    assert (await queue.home("a"), await queue.home("b")) == ("ready", "ready")
    assert (await queue.memory("a"), await queue.memory("b")) == (None, b"2:1:0:0")
    assert await queue.client.exists(queue.keys.will("s")) == 0


async def test_dead_session_has_nothing_to_bequeath(queue: Queue) -> None:
    """What was rescued already counted as a crash, and nothing is left behind."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.end_lease("s")
    await queue.engine.rescue("t")

    assert not await queue.engine.bequeath("s", 50)

    assert await queue.memory("a") == b"0:1:"
    assert await queue.client.exists(queue.keys.will("s")) == 0
