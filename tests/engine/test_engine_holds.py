"""Holds: jobs that a worker had no room for, until somebody has."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_toys import HOUR, Queue, ended, held, ids, job, ready

from arqlite.engine import Returned, Room, Waker
from arqlite.engine.protocol import Place
from arqlite.engine.redis import TURN_LIMIT

LONG_AGO = "?1"


@pytest.fixture
async def shelf(queue: Queue) -> Queue:
    """A queue whose session `s` put a, b and c on hold for `f`; `t` is another session."""
    await queue.fill("a", "b", "c")
    await queue.open("s", "t")
    await queue.engine.turn("s", 0, {}, await give_back(queue, "f"))
    while await queue.take_token():
        pass
    return queue


async def give_back(queue: Queue, hold: str, session: str = "s") -> list[Any]:
    """Claim all that is ready, to put it on hold at the very moments it had."""
    turn = await queue.engine.turn(session, TURN_LIMIT, {}, (), ())
    return [held(name, hold, ms) for name, ms in zip(ids(turn), turn.moments, strict=True)]


async def take(queue: Queue, want: int, *rooms: Room, session: str = "t") -> list[str]:
    return ids(await queue.engine.turn(session, want, {}, (), rooms))


async def test_held_job_waits_apart(shelf: Queue) -> None:
    """A held job is no longer ready: who gives no room for it gets only what stands behind it."""
    await shelf.fill("d")

    assert [await shelf.home(name) for name in "ad"] == ["held", "ready"]
    assert await shelf.claim("t") == ["d"]
    size = await shelf.engine.size()
    assert (size.held, size.ready, size.running, size.jobs) == (3, 0, 1, 4)


async def test_held_job_keeps_its_moment(queue: Queue) -> None:
    """A held job tells when it was ready, and what was remembered of it stays."""
    await queue.engine.enqueue([job("a", "=1700000000123")])
    await queue.open("s")
    turn = await queue.engine.turn("s", 1, {}, (), ())
    assert turn.moments == [1_700_000_000_123]

    await queue.engine.turn("s", 0, {}, [held("a", "f", turn.moments[0], "2:1:7:0")], ())

    peek = await queue.engine.peek("a")
    assert (peek.home, peek.ms, peek.memory) == ("held", 1_700_000_000_123, "2:1:7:0")
    turn = await queue.engine.turn("s", 1, {}, (), [Room("f", 1)])
    assert (ids(turn), turn.moments, turn.memories) == (["a"], [1_700_000_000_123], [b"2:1:7:0"])


async def test_room_is_what_it_says(shelf: Queue) -> None:
    """A turn takes no more out of a hold than there is room for, and tells that the hold remains."""
    turn = await shelf.engine.turn("t", 9, {}, (), [Room("f", 2)])

    assert (ids(turn), turn.holds) == (["a", "b"], [b"f"])
    assert await take(shelf, 9, Room("f", 0)) == []
    assert await take(shelf, 9) == []
    assert await take(shelf, 9, Room("f", 1)) == ["c"]


async def test_room_for_a_hold_that_is_not_there(shelf: Queue) -> None:
    """Room for a hold that nobody filled, or that is empty by now, does no harm."""
    assert await take(shelf, 9, Room("g", 5), Room("f", 5)) == ["a", "b", "c"]
    assert await take(shelf, 9, Room("g", 5), Room("f", 5)) == []


async def test_eldest_first_whether_held_or_ready(queue: Queue) -> None:
    """Held and ready jobs are claimed by one order: priority, then time, then id."""
    new = [job("c", "=1700000000300"), job("e", "=1700000000500"), job("low", "=1700000000000", 2)]
    await queue.engine.enqueue(new)
    await queue.open("s")
    returned = await give_back(queue, "f")
    await queue.engine.turn("s", 0, {}, returned, ())
    others = [job("b", "=1700000000200"), job("d", "=1700000000400"), job("f", "=1700000000500")]
    await queue.engine.enqueue([*others, job("urgent", "=1600000000000", 0)])

    assert await take(queue, 4, Room("f", 9), session="s") == ["urgent", "b", "c", "d"]
    assert await take(queue, 9, Room("f", 9), session="s") == ["e", "f", "low"]


async def test_pool_is_shared(queue: Queue) -> None:
    """Holds of one pool give no more together than the pool may, the eldest first; others are not bound."""
    await queue.open("s", "t")
    for name, hold in [("a", "f"), ("b", "g"), ("c", "f"), ("d", "h"), ("e", "g")]:
        await queue.engine.enqueue([job(name, f"=17000000000{'abcde'.index(name):02}")])
        await queue.engine.turn("s", 0, {}, await give_back(queue, hold), ())

    rooms = [Room("f", 2, "cpu", 3), Room("g", 1, "cpu", 3), Room("h", 1)]
    assert await take(queue, 9, *rooms) == ["a", "b", "c", "d"]
    assert await take(queue, 9, Room("g", 2, "cpu", 0)) == []


async def test_empty_hold_leaves_nothing(shelf: Queue) -> None:
    """When the last job has left a hold, by a claim or by a cancellation, its keys are gone."""
    keys = shelf.keys

    await take(shelf, 9, Room("f", 2))
    assert await shelf.engine.cancel("c", b"C", HOUR) == "cancelled"

    assert await shelf.client.exists(keys.holds, keys.hold("f"), keys.hold_token("f")) == 0


async def test_hold_has_a_token_of_its_own(shelf: Queue) -> None:
    """As long as a hold has jobs there is a token of it, whoever took the last one."""
    assert await shelf.take_token("f")

    await take(shelf, 9, Room("f", 1))
    assert await shelf.take_token("f")

    await shelf.claim("t")
    assert await shelf.take_token("f")

    await take(shelf, 9, Room("f", 9))
    assert not await shelf.take_token("f")


async def test_workers_without_room_are_not_woken(shelf: Queue) -> None:
    """Only the first job of a hold is told to all; later ones, and turns without room, leave no token."""
    await shelf.fill("d")
    await shelf.take_token()

    await shelf.engine.turn("s", 0, {}, await give_back(shelf, "f"), [Room("f", 0)])
    await take(shelf, 9, Room("f", 0))

    assert not await shelf.take_token()
    await shelf.fill("e")
    returned = await give_back(shelf, "g")
    await shelf.take_token()
    await shelf.engine.turn("s", 0, {}, returned, [Room("f", 0)])
    assert await shelf.take_token()


async def test_nudge_leaves_the_tokens_of_holds(shelf: Queue) -> None:
    """Who took a token of a hold without room for it hands it on."""
    await shelf.take_token("f")

    await shelf.engine.nudge()

    assert await shelf.take_token("f")
    assert not await shelf.take_token()


async def test_cancel_of_a_held_job(shelf: Queue) -> None:
    """A held job is cancelled at once, and what is kept of it is as of any other."""
    assert await shelf.engine.cancel("b", b"C", HOUR) == "cancelled"

    assert await shelf.home("b") == "finished"
    assert await take(shelf, 9, Room("f", 9)) == ["a", "c"]


@pytest.mark.parametrize("place", ["held", "ready", "scheduled"])
async def test_job_that_goes_back_when_it_is_to_be_cancelled(shelf: Queue, place: Place) -> None:
    """A job that was asked to be cancelled just before it goes back is told of until that was done."""
    await shelf.fill("d", "e")
    await shelf.claim("s")
    assert await shelf.engine.cancel("d", b"C", HOUR) == "asked"
    returns = [Returned(name, place, HOUR, "", "g" if place == "held" else "") for name in "de"]

    turn = await shelf.engine.turn("s", 0, {}, returns)
    assert turn.recalled == [b"d"]

    assert (await shelf.engine.turn("s", 0, {}, returns)).recalled == [b"d"], "the first reply may be lost"
    assert await shelf.engine.cancel("d", b"C", HOUR, "s") == "cancelled"
    assert (await shelf.engine.turn("s", 0, {}, returns)).recalled == []
    assert shelf.engine.beat("s", HOUR, ()).cancel == frozenset()


async def test_id_of_a_held_job_is_in_use(shelf: Queue) -> None:
    """A held job can be neither enqueued again nor forgotten."""
    assert await shelf.engine.enqueue([job("a")]) == {0}
    assert await shelf.engine.forget("a") == -1


async def test_only_the_owner_holds_a_job(shelf: Queue) -> None:
    """A session cannot put a job on hold that is not its own, and a resend puts it there once."""
    await shelf.fill("d")
    [returned] = await give_back(shelf, "g")

    turn = await shelf.engine.turn("t", 0, {}, [returned], ())
    assert turn.lost == [b"d"]
    assert await shelf.home("d") == "running"

    await shelf.engine.turn("s", 0, {}, [returned], ())
    assert (await shelf.engine.turn("s", 0, {}, [returned], ())).lost == [b"d"]
    assert await shelf.holds() == {"f": ["a", "b", "c"], "g": ["d"]}


async def test_job_is_held_and_claimed_in_one_turn(shelf: Queue) -> None:
    """A turn that holds a younger job may take the eldest of the same hold, for room that came meanwhile."""
    await shelf.fill("d", "e")
    younger = await give_back(shelf, "f")

    turn = await shelf.engine.turn("s", 1, {}, younger, [Room("f", 1)])

    assert ids(turn) == ["a"]
    assert await shelf.holds() == {"f": ["b", "c", "d", "e"]}


async def test_held_jobs_survive_their_worker(shelf: Queue) -> None:
    """Held jobs belong to nobody: a worker that dies or leaves takes none along and is not blamed."""
    await shelf.end_lease("s")
    assert (await shelf.engine.rescue("t")).moved == {}
    assert await shelf.holds() == {"f": ["a", "b", "c"]}

    turn = await shelf.engine.turn("t", 9, {}, (), [Room("f", 3)])

    assert (ids(turn), turn.memories) == (["a", "b", "c"], [])


async def test_thousands_are_held(queue: Queue) -> None:
    """As many jobs as one turn may carry are put on hold and taken out of it by one turn each."""
    names = [f"j{n:04}" for n in range(TURN_LIMIT)]
    await queue.fill(*names)
    await queue.open("s")

    await queue.engine.turn("s", 0, {}, await give_back(queue, "f"), ())
    assert await queue.holds() == {"f": names}

    assert await take(queue, 10_000, Room("f", 10_000), session="s") == names


# -- what nobody knows


async def voucher(queue: Queue, hold: str = "f") -> str:
    return str((await queue.client.hget(queue.keys.holds, hold)).decode())


async def test_parker_vouches_while_it_lives(shelf: Queue) -> None:
    """While the worker that put the jobs there lives, others that do not know the function leave them be."""
    await take(shelf, 9)

    assert await voucher(shelf) == "s"


async def test_who_knows_steps_in(shelf: Queue) -> None:
    """A worker that knows the hold vouches for it in place of a dead one, also without room."""
    await shelf.end_lease("s")
    await shelf.engine.rescue("t")

    await take(shelf, 9, Room("f", 0))

    assert await voucher(shelf) == "t"
    await shelf.client.hset(shelf.keys.holds, "f", LONG_AGO)
    await take(shelf, 9, Room("f", 0))
    assert await voucher(shelf) == "t"


async def test_hold_that_nobody_knows_is_given_up_after_a_while(shelf: Queue) -> None:
    """A hold for which nobody vouches is left for a while, then its jobs are ready again in their order."""
    await shelf.engine.leave("s")

    assert await take(shelf, 9) == []
    assert (await voucher(shelf)).startswith("?")
    assert await take(shelf, 9) == []

    await shelf.client.hset(shelf.keys.holds, "f", LONG_AGO)
    assert await take(shelf, 2) == ["a", "b"]
    assert await shelf.home("c") == "ready"


async def test_given_up_jobs_are_told_to_all(shelf: Queue) -> None:
    """A full worker that gives a hold up leaves the token for somebody with a slot."""
    await shelf.client.hset(shelf.keys.holds, "f", LONG_AGO)

    assert await take(shelf, 0) == []

    assert await shelf.take_token()
    assert (await shelf.engine.size()).ready == 3


async def test_thousands_are_given_up_turn_by_turn(queue: Queue) -> None:
    """A hold of more than one turn may carry is given up in several."""
    await queue.open("s")
    for start in (0, TURN_LIMIT):
        await queue.fill(*[f"j{n:04}" for n in range(start, start + TURN_LIMIT)])
        await queue.engine.turn("s", 0, {}, await give_back(queue, "f"), [Room("f", 0)])
    await queue.client.hset(queue.keys.holds, "f", LONG_AGO)

    for left in (TURN_LIMIT, 0):
        await queue.engine.turn("s", 0, {}, ())
        assert (await queue.engine.size()).held == left


# -- waiting for the token of a hold


async def test_waker_hears_of_a_hold(shelf: Queue) -> None:
    """A worker with room for a hold is woken by its token; one for the whole queue still counts, too."""
    waker = Waker(shelf.client, shelf.keys)

    token = await waker.wait(["f", "g"])
    assert token is not None
    assert (token.hold, token.is_ring) == ("f", False)

    await shelf.fill("d")
    token = await waker.wait(["f"])
    assert token is not None
    assert (token.hold, token.is_ring) == ("", False)
    await waker.close()


async def test_waker_without_room_leaves_the_token(queue: Queue, eventually: Any) -> None:
    """A worker without room for a hold does not take its token; it can call itself to wait for it, too."""
    await queue.open("s")
    waker = Waker(queue.client, queue.keys)
    waiting = asyncio.create_task(waker.wait([]))
    await queue.client.rpush(queue.keys.hold_token("f"), "1")

    await waker.ring()
    token = await waiting
    assert token is not None
    assert token.is_ring

    token = await waker.wait(["f"])
    assert token is not None
    assert token.hold == "f"
    await waker.close()


async def test_call_that_nobody_hears_is_forgotten(queue: Queue) -> None:
    """What a worker called to itself before it was gone leaves no key behind for ever."""
    waker = Waker(queue.client, queue.keys)

    await waker.ring()

    [key] = await queue.client.keys("*bell*")
    assert 0 < await queue.client.pttl(key) <= 10_000
    await waker.close()


async def test_end_and_room_travel_together(shelf: Queue) -> None:
    """The turn that tells a job's end takes the next one out of the hold."""
    assert await take(shelf, 1, Room("f", 1)) == ["a"]

    turn = await shelf.engine.turn("t", 1, ended("a"), [], [Room("f", 1)])

    assert (ids(turn), turn.held) == (["b"], 1)


async def test_ready_return_leaves_a_hold_alone(shelf: Queue) -> None:
    """A job given back as ready is claimed by anybody, before the held ones if it is older."""
    assert await take(shelf, 1, Room("f", 1)) == ["a"]

    turn = await shelf.engine.turn("t", 1, {}, [ready("a", 1_600_000_000_000)], [Room("f", 1)])

    assert ids(turn) == ["a"]
