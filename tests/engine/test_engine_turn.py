"""The turn: ends, returns and claims of one session in one step, behind a fence."""

from __future__ import annotations

from typing import Any

import pytest
from engine_toys import FOREVER, HOUR, Queue, ended, ids, job, ready, scheduled

from arqlite.engine import Ended
from arqlite.engine.redis import TURN_LIMIT
from arqlite.errors import SessionLost


@pytest.fixture
async def held(queue: Queue) -> Queue:
    """A queue whose session `s` owns the jobs a, b and c."""
    await queue.fill("a", "b", "c")
    await queue.open("s")
    assert await queue.claim("s") == ["a", "b", "c"]
    while await queue.take_token():
        pass
    return queue


async def test_claim_takes_what_is_asked(queue: Queue) -> None:
    """A turn claims at most what was asked, says that there is more, and leaves a token for it."""
    await queue.fill("a", "b", "c")
    await queue.open("s")
    await queue.take_token()

    turn = await queue.engine.turn("s", 2, {}, ())

    assert (ids(turn), turn.held, turn.more) == (["a", "b"], 2, 1)
    assert await queue.take_token()
    assert await queue.home("a") == "running"


async def test_claim_of_the_last_leaves_no_token(queue: Queue) -> None:
    """When nothing is left, nobody is woken."""
    await queue.fill("a", "b")
    await queue.open("s")
    await queue.take_token()

    turn = await queue.engine.turn("s", 2, {}, ())

    assert (turn.held, turn.more) == (2, 0)
    assert not await queue.take_token()


async def test_claim_brings_records_in_order(queue: Queue) -> None:
    """Each claimed id comes with its own record; jobs without trouble cost no look into their past."""
    jobs = [job(f"j{n}") for n in range(5)]
    await queue.engine.enqueue(jobs)
    await queue.open("s")

    turn = await queue.engine.turn("s", 9, {}, ())

    assert turn.records == [one.record for one in jobs]
    assert turn.memories == []


async def test_one_turn_claims_no_more_than_lua_can_unpack(queue: Queue) -> None:
    """A turn that asks for everything gets a thousand at most, and is told that there is more."""
    await queue.fill(*[f"j{n}" for n in range(TURN_LIMIT + 5)])
    await queue.open("s")

    turn = await queue.engine.turn("s", 10_000, {}, ())

    assert (len(turn.job_ids), turn.held, turn.more) == (TURN_LIMIT, TURN_LIMIT, 1)


async def test_one_turn_ends_a_thousand(queue: Queue) -> None:
    """A full turn of ends fits into one call, at lifetimes of several kinds."""
    names = [f"j{n}" for n in range(TURN_LIMIT)]
    await queue.fill(*names)
    await queue.open("s")
    await queue.claim("s", TURN_LIMIT)

    turn = await queue.engine.turn("s", 0, ended(*names[:-10]) | ended(*names[-10:], keep_ms=0), ())

    assert (turn.lost, turn.held) == ([], 0)
    assert await queue.client.hlen(queue.keys.jobs) == TURN_LIMIT - 10


@pytest.mark.parametrize(
    ("keep_ms", "home", "expires"),
    [(0, "absent", None), (HOUR, "finished", None), (FOREVER, "finished", b"9" * 13)],
)
async def test_end_is_kept_as_long_as_asked(
    held: Queue, keep_ms: int, home: str, expires: bytes | None
) -> None:
    """A result is kept not at all, for its time, or for ever."""
    await held.finish("s", "a", keep_ms=keep_ms)

    peek = await held.engine.peek("a")
    assert peek.home == home
    if home == "finished":
        assert (peek.record[:1], peek.record[14:]) == (b"R", b"Sa")
    if expires:
        assert peek.record[1:14] == expires


async def test_ends_and_claims_travel_together(held: Queue) -> None:
    """One turn ends, gives back and claims; what it gives back is not in its own way."""
    await held.fill("d")

    turn = await held.engine.turn("s", 1, ended("a"), [scheduled("b", HOUR)])

    assert (ids(turn), turn.held, turn.lost) == (["d"], 2, [])
    assert [await held.home(name) for name in "abcd"] == ["finished", "scheduled", "running", "running"]


async def test_same_turn_twice(held: Queue) -> None:
    """A turn that is sent again after its reply was lost changes nothing more."""
    ends, returns = ended("a"), [scheduled("b", HOUR, "1:0")]
    await held.engine.turn("s", 0, ends, returns)
    before = await held.client.hgetall(held.keys.jobs)

    turn = await held.engine.turn("s", 0, ends, returns)

    assert (turn.lost, turn.held) == ([b"a", b"b"], 1)
    assert await held.client.hgetall(held.keys.jobs) == before
    assert await held.client.llen(f"{held.keys.base}done:{HOUR}") == 1


async def test_fence_refuses_another_sessions_jobs(held: Queue) -> None:
    """Nobody ends or gives back a job that is not his; his own in the same turn are done."""
    await held.open("other")
    await held.fill("own")
    assert await held.claim("other") == ["own"]

    turn = await held.engine.turn("other", 0, ended("a", "own", "nonsense"), [ready("b")])

    assert turn.lost == [b"a", b"nonsense", b"b"]
    assert [await held.home(name) for name in ("a", "b", "own")] == ["running", "running", "finished"]
    assert await held.home("nonsense") == "absent"


async def test_dead_session_is_refused(held: Queue) -> None:
    """A session whose lease ended and was seen to can do nothing any more, now and for ever."""
    await held.end_lease("s")
    await held.engine.rescue("nobody")

    for want, ends, returns in [(5, {}, []), (0, ended("a"), []), (0, {}, [ready("b")])]:
        with pytest.raises(SessionLost, match="the lease of s ended"):
            await held.engine.turn("s", want, ends, returns)

    assert (await held.engine.size()).ready == 3


async def test_late_end_does_not_touch_the_newer_run(held: Queue) -> None:
    """The end of a zombie's run is refused, and the result of the newer run stands."""
    await held.end_lease("s")
    await held.engine.rescue("t")
    await held.open("t")
    await held.claim("t")
    await held.engine.turn("t", 0, {HOUR: Ended(["a"], [b"Snew"])}, ())

    with pytest.raises(SessionLost):
        await held.engine.turn("s", 0, {HOUR: Ended(["a"], [b"Sold"])}, ())

    assert (await held.engine.peek("a")).record[14:] == b"Snew"


async def test_late_but_unseen_session_goes_on(held: Queue) -> None:
    """A deadline that passed unseen costs nothing: the session beats again and keeps its jobs."""
    await held.end_lease("s")

    assert held.engine.beat("s", HOUR, ()).alive
    assert await held.finish("s", "a") == []


async def test_session_that_was_never_opened(queue: Queue) -> None:
    """An unknown session can claim nothing."""
    await queue.fill("a")

    with pytest.raises(SessionLost):
        await queue.engine.turn("stranger", 1, {}, ())


async def test_returned_job_has_its_old_place(held: Queue) -> None:
    """A job given back at its moment is again before the younger ones, and others are told of it."""
    await held.fill("younger")
    await held.take_token()

    await held.engine.turn("s", 0, {}, [ready("b", 1_600_000_000_000)])

    assert await held.take_token()
    assert await held.claim("s") == ["b", "younger"]


async def test_returned_job_waits_its_delay(held: Queue, eventually: Any) -> None:
    """A job scheduled again is claimed after its delay, with what was to be remembered."""
    await held.engine.turn("s", 0, {}, [scheduled("b", 300, "2:1:7:0")])
    assert await held.home("b") == "scheduled"

    async def claimed() -> Any:
        turn = await held.engine.turn("s", 5, {}, ())
        return turn if turn.job_ids else None

    turn = await eventually(claimed)
    assert (turn.job_ids, turn.memories) == ([b"b"], [b"2:1:7:0"])


async def test_empty_memory_leaves_the_old_one(held: Queue) -> None:
    """A job given back without a word keeps what was remembered; its end forgets it."""
    await held.engine.turn("s", 0, {}, [ready("b", 0, "3:0")])
    assert await held.claim("s") == ["b"]
    await held.engine.turn("s", 0, {}, [ready("b")])
    assert await held.memory("b") == b"3:0"

    assert await held.claim("s") == ["b"]
    await held.finish("s", "b")
    assert await held.memory("b") is None


async def test_due_jobs_are_staged_without_a_claim(queue: Queue, eventually: Any) -> None:
    """A turn of a full worker stages what is due and leaves a token for somebody with room."""
    await queue.open("s")
    await queue.fill("a", when="+1")
    await queue.take_token()

    async def staged() -> bool:
        await queue.engine.turn("s", 0, {}, ())
        return (await queue.engine.size()).ready == 1

    await eventually(staged)
    assert await queue.take_token()


async def test_next_due_is_told(queue: Queue) -> None:
    """A turn tells how long until the next scheduled job, -1 without one."""
    await queue.open("s")
    assert (await queue.engine.turn("s", 1, {}, ())).next_due_ms == -1

    await queue.fill("later", when="+90000")
    await queue.fill("sooner", when="+60000")

    assert 50_000 < (await queue.engine.turn("s", 1, {}, ())).next_due_ms <= 60_000


async def test_job_deleted_by_hand_is_claimed_without_a_record(queue: Queue) -> None:
    """A job whose record somebody deleted is claimed as nothing, and can be put away."""
    await queue.fill("a", "b")
    await queue.client.hdel(queue.keys.jobs, "a")
    await queue.open("s")

    turn = await queue.engine.turn("s", 5, {}, ())
    assert (ids(turn), turn.records[0]) == (["a", "b"], None)

    assert await queue.finish("s", "a", keep_ms=0) == []


async def test_awaited_end_is_announced(held: Queue, eventually: Any) -> None:
    """The end of a job that somebody awaits is published once with its outcome; others are not."""
    heard: list[bytes] = []
    pubsub = held.client.pubsub()
    await pubsub.subscribe(held.keys.finished_channel)
    await held.engine.mind_many(["a", "b"])
    await held.engine.unmind_many(["b"])

    await held.finish("s", "a", "b", keep_ms=0)

    async def listen() -> bool:
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.01)
        if message:
            heard.append(message["data"])
        return bool(heard)

    await eventually(listen)
    assert heard == [b"Sa"]
    assert await held.client.exists(held.keys.wait) == 0
    await pubsub.aclose()


async def test_owned_tells_the_servers_view(held: Queue) -> None:
    """A worker can ask which jobs the server thinks it owns."""
    assert await held.engine.owned("s") == {"a", "b", "c"}
    assert await held.engine.owned("nobody") == set()
