"""Limits over all workers of a queue, kept at the claim: how many run, how many start."""

from __future__ import annotations

from typing import Any

import pytest
from engine_toys import HOUR, Queue, ended, held, ids, in_lane, job, ready, record, scheduled

from arqlite import ArqRedis
from arqlite.connections import RedisSettings
from arqlite.engine import Change, Membership, RedisEngine, Room, Turn
from arqlite.errors import ConfigurationError
from arqlite.model.limits import GlobalLimit, RateLimit


async def settle(queue: Queue, **limits: GlobalLimit | RateLimit) -> None:
    """Set limits as an operator does: `overall` and `rate`."""
    names = {"overall": "global.set", "rate": "rate.set"}
    await queue.engine.steer([Change("set", names[name], limit.encode()) for name, limit in limits.items()])


async def turn(
    queue: Queue,
    session: str,
    want: int = 100,
    *,
    ends: Any = (),
    returns: Any = (),
    rooms: Any = None,
    started: Any = (),
) -> Turn:
    return await queue.engine.turn(session, want, ended(*ends) if ends else {}, returns, rooms, (), started)


async def sort_all(queue: Queue, session: str, lanes: dict[str, str], *, generation: int = 1) -> None:
    """Have a session claim what has no lane yet, and tell the lanes, until all is sorted."""
    unsorted = await turn(queue, session, 1)
    while unsorted.settled.unsorted:
        names = ids(unsorted)[-unsorted.settled.unsorted :]
        others = ids(unsorted)[: -unsorted.settled.unsorted]
        given = [in_lane(name, f"{generation}:{lanes[name]}") for name in names]
        unsorted = await turn(queue, session, 1, returns=[*given, *map(ready, others)])
    if unsorted.job_ids:
        await turn(queue, session, 0, returns=[ready(name) for name in ids(unsorted)])


async def age(queue: Queue, lane: str = "", *, by_ms: int) -> None:
    """Let the starts that count be so much longer ago."""
    key = queue.keys.past_grants(lane)
    entries = [entry.decode().split(":") for entry in await queue.client.lrange(key, 0, -1)]
    for place, (moment, total) in enumerate(entries):
        await queue.client.lset(key, place, f"{max(int(moment) - by_ms, 0)}:{total}")


# -- how many run


async def test_no_more_run_than_the_global_limit(queue: Queue) -> None:
    """Over all sessions together no more jobs are claimed than the limit; each end makes room for one."""
    await settle(queue, overall=GlobalLimit(3))
    await queue.fill(*"abcdefg")
    await queue.open("s", "t")

    assert await queue.claim("s", 2) == ["a", "b"]
    assert await queue.claim("t", 5) == ["c"]
    assert await queue.claim("s", 5) == []
    freed = await turn(queue, "s", 5, ends=["a"])

    assert ids(freed) == ["d"]


async def test_room_without_a_slot_wakes_somebody_else(queue: Queue) -> None:
    """A session that makes room and has no slot for it leaves the token, and only then."""
    await settle(queue, overall=GlobalLimit(2))
    await queue.fill(*"abcd")
    await queue.open("s", "t")
    await queue.claim("s", 2)
    await queue.take_token()

    await turn(queue, "t", 5)
    assert not await queue.take_token()
    await turn(queue, "s", 0, ends=["a"])

    assert await queue.take_token()


async def test_dead_session_counts_until_its_rescue(queue: Queue) -> None:
    """What a dead session ran may still run: it makes room when it is rescued."""
    await settle(queue, overall=GlobalLimit(1))
    await queue.fill("a", "b")
    await queue.open("s", "t")
    await queue.claim("s")
    await queue.end_lease("s")

    assert await queue.claim("t") == []
    await queue.engine.rescue("t")

    assert await queue.claim("t") == ["a"]


async def test_raised_limit_wakes_somebody(queue: Queue) -> None:
    """Whoever raises a limit leaves the token, and a version that tells sessions to look."""
    await settle(queue, overall=GlobalLimit(1))
    await queue.fill("a", "b", "c")
    await queue.open("s")
    before = await turn(queue, "s")
    await queue.take_token()

    await settle(queue, overall=GlobalLimit(2))

    assert await queue.take_token()
    assert queue.engine.beat("s", HOUR, ()).version == before.settled.version + 1
    assert await queue.claim("s") == ["b"]


# -- how many start


async def test_no_more_are_claimed_than_may_start(queue: Queue) -> None:
    """A claim is a start that is under way; whoever is refused hears when to ask again."""
    await settle(queue, rate=RateLimit(3, 60))
    await queue.fill(*"abcde")
    await queue.open("s", "t")

    first = await turn(queue, "s", 5)
    second = await turn(queue, "t", 5)

    assert (ids(first), ids(second)) == (["a", "b", "c"], [])
    assert first.settled.has_rate
    assert first.next_due_ms == second.next_due_ms == 60_001
    assert not second.more


async def test_start_counts_from_when_it_is_told(queue: Queue) -> None:
    """A start begins to age when it is told, not at its claim, and counts for more than the period."""
    await settle(queue, rate=RateLimit(2, 60))
    await queue.fill(*"abcd")
    await queue.open("s")
    await turn(queue, "s", 5)
    assert await queue.grants() == (2, 0)

    await turn(queue, "s", 0, started=["a", "b"])
    assert await queue.grants() == (0, 2)
    await age(queue, by_ms=30_000)
    waits = await turn(queue, "s", 5)
    assert waits.job_ids == []
    assert 29_000 < waits.next_due_ms <= 30_001
    await age(queue, by_ms=30_001)

    assert await queue.claim("s") == ["c", "d"]


async def test_only_what_has_aged_makes_room(queue: Queue) -> None:
    """Starts of different moments age one by one."""
    await settle(queue, rate=RateLimit(3, 60))
    await queue.fill(*"abcdef")
    await queue.open("s")
    await turn(queue, "s", 1)
    await turn(queue, "s", 0, started=["a"])
    await age(queue, by_ms=40_000)
    await turn(queue, "s", 2)
    await turn(queue, "s", 0, started=["b", "c"])

    await age(queue, by_ms=25_000)

    assert await queue.claim("s") == ["d"]


async def test_job_that_never_started_does_not_count(queue: Queue) -> None:
    """A job given back, or ended, before it was told to have started takes its grant along."""
    await settle(queue, rate=RateLimit(3, 60))
    await queue.fill(*"abc")
    await queue.open("s")
    await queue.claim("s")

    await turn(queue, "s", 0, ends=["a"], returns=[scheduled("b", HOUR), ready("c")])

    assert await queue.grants() == (0, 0)
    assert await queue.claim("s") == ["c"]


async def test_job_that_starts_and_ends_at_once_counts(queue: Queue) -> None:
    """A turn that tells a start and the end of the same job counts the start."""
    await settle(queue, rate=RateLimit(1, 60))
    await queue.fill("a", "b")
    await queue.open("s")
    await queue.claim("s")

    after = await turn(queue, "s", 5, ends=["a"], started=["a"])

    assert after.job_ids == []
    assert await queue.grants() == (0, 1)


async def test_start_that_is_told_twice_counts_once(queue: Queue) -> None:
    """A turn that is sent again counts no start twice, nor that of a later job of the same id."""
    await settle(queue, rate=RateLimit(5, 60))
    await queue.fill("a")
    await queue.open("s", "t")
    await queue.claim("s")
    for _ in range(2):
        await turn(queue, "s", 0, ends=["a"], started=["a"])
    await queue.engine.forget("a")
    await queue.fill("a")
    await queue.claim("t")

    await turn(queue, "s", 0, started=["a"])

    assert await queue.grants() == (1, 1)


async def test_starts_of_a_dead_session_age_from_its_rescue(queue: Queue) -> None:
    """Nobody knows whether jobs of a dead session had started: they count as if they just did."""
    await settle(queue, rate=RateLimit(2, 60))
    await queue.fill(*"abc")
    await queue.open("s", "t")
    await queue.claim("s")
    await queue.end_lease("s")

    await queue.engine.rescue("t")

    assert await queue.grants() == (0, 2)
    assert await queue.claim("t") == []


async def test_period_that_is_over_leaves_nothing(queue: Queue) -> None:
    """A queue that is not used for a period keeps nothing of its starts."""
    await settle(queue, rate=RateLimit(2, 0.001))
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")

    await turn(queue, "s", 0, started=["a"])

    assert 0 < await queue.client.pttl(queue.keys.past_grants()) <= 1001


async def test_rate_keeps_tokens_of_holds_from_being_handed_round(queue: Queue) -> None:
    """While a limit is reached nobody is told of held jobs, which nobody could claim."""
    await settle(queue, rate=RateLimit(1, 60))
    await queue.fill("a", "b")
    await queue.open("s")
    await queue.claim("s")
    await turn(queue, "s", 0, started=["a"])
    await queue.client.zadd(queue.keys.hold("f"), {"x": 1})
    await queue.client.hset(queue.keys.holds, "f", "s")
    await queue.client.hset(queue.keys.jobs, "x", b"Q\0x")
    await queue.take_token("f")

    refused = await turn(queue, "s", 5, rooms=[Room("f", 5)])

    assert refused.job_ids == []
    assert not await queue.take_token("f")


async def test_limits_of_operators_go_before_those_of_settings(queue: Queue) -> None:
    """What settings declare holds until an operator says otherwise, and again when that is taken back."""
    await queue.fill(*"abcdefgh")
    await queue.open("s")
    await queue.engine.join("s", Membership("here", declares=True, global_limit="1"))
    assert await queue.claim("s") == ["a"]

    await queue.engine.steer([Change("set", "global.set", "3")])
    assert await queue.claim("s") == ["b", "c"]
    await queue.engine.join("s", Membership("here", declares=True, global_limit="2"))
    assert await queue.claim("s") == []
    await queue.engine.steer([Change("set", "global.set", "-")])
    assert await queue.claim("s", 2) == ["d", "e"]
    await queue.engine.steer([Change("del", "global.set")])
    assert await queue.claim("s") == []


async def test_declared_limits_are_those_of_the_last_to_join(queue: Queue) -> None:
    """A worker hears what was declared before it; one that declares nothing takes it away."""
    await queue.open("s")
    first = await queue.engine.join("s", Membership("n", declares=True, global_limit="1", rate_limit="5 10"))
    second = await queue.engine.join("s", Membership("n", declares=True))
    third = await queue.engine.join("s", Membership("n", declares=True))

    assert (first.global_limit, first.rate_limit, first.settled.has_rate) == ("", "", 1)
    assert (second.global_limit, second.rate_limit, second.settled.has_rate) == ("1", "5 10", 0)
    assert third.settled.version == second.settled.version


async def test_limits_with_other_fields_are_refused(queue: Queue) -> None:
    """Two limits that are partitioned differently cannot be kept together; nothing is changed."""
    await settle(queue, overall=GlobalLimit(1, "args.a"))
    await queue.open("s")

    with pytest.raises(ConfigurationError, match=r"\['args.a'\] and \['args.b'\]"):
        await settle(queue, rate=RateLimit(1, 1, "args.b"))
    rate = RateLimit(1, 1, "args.b").encode()
    with pytest.raises(ConfigurationError, match="same fields"):
        await queue.engine.join("s", Membership("n", declares=True, rate_limit=rate))

    survey = await queue.engine.survey()
    assert survey is not None
    assert "rate.set" not in survey.settled
    assert survey.settled["ver"] == "1"


# -- lanes


async def test_job_is_sorted_before_it_is_claimed(queue: Queue) -> None:
    """Where limits are partitioned a job is first claimed to be sorted; in its lane it may still start."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    await queue.fill("a")
    await queue.open("s")

    given = await turn(queue, "s", 1)
    assert (ids(given), given.settled.unsorted, given.settled.fields) == (["a"], 1, b'["args.t"]')
    assert await queue.home("a") == "ready"
    back = await turn(queue, "s", 0, returns=[in_lane("a", "1:x")])

    assert await queue.lanes() == {"1:x": ["a"]}
    assert await queue.home("a") == "ready"
    assert (await queue.engine.size()).ready == 1
    assert back.job_ids == []
    assert await queue.take_token()
    claimed = await turn(queue, "s", 1)
    assert (ids(claimed), claimed.settled.unsorted) == (["a"], 0)


async def test_each_lane_has_the_limit(queue: Queue) -> None:
    """Of each lane only so many run, the first over all lanes first; an end makes room in its lane alone."""
    await settle(queue, overall=GlobalLimit(2, "args.t"))
    lanes = {name: name[0] for name in ("x1", "x2", "x3", "y1", "x4", "z1")}
    await queue.engine.enqueue([job(name, f"={place + 1600000000000}") for place, name in enumerate(lanes)])
    await queue.open("s", "t")
    await sort_all(queue, "s", lanes)

    assert await queue.claim("s", 3) == ["x1", "x2", "y1"]
    assert await queue.claim("t", 5) == ["z1"]
    assert await queue.claim("t", 5) == []
    after = await turn(queue, "s", 5, ends=["x1"])

    assert ids(after) == ["x3"]


async def test_lanes_are_claimed_by_priority(queue: Queue) -> None:
    """The order over all lanes is that of the queue: priority, then age."""
    await settle(queue, overall=GlobalLimit(9, "args.t"))
    lanes = {"low": "x", "high": "x", "other": "y"}
    await queue.engine.enqueue(
        [job("low", "=1600000000000", 5), job("high", "=1600000000002", 1), job("other", "=1600000000001", 3)]
    )
    await queue.open("s")
    await sort_all(queue, "s", lanes)

    assert await queue.claim("s") == ["high", "other", "low"]


async def test_each_lane_has_the_rate(queue: Queue) -> None:
    """Starts are counted lane by lane, and a lane that is out of them reopens in its time."""
    await settle(queue, rate=RateLimit(1, 60, "args.t"))
    lanes = {"x1": "x", "x2": "x", "y1": "y"}
    await queue.fill(*lanes)
    await queue.open("s")
    await sort_all(queue, "s", lanes)
    assert await queue.claim("s") == ["x1", "y1"]

    told = await turn(queue, "s", 5, started=["x1", "y1"])
    assert told.job_ids == []
    assert 59_000 < told.next_due_ms <= 60_001
    await age(queue, "1:x", by_ms=60_001)
    await queue.client.zadd(queue.keys.lanewait, {"1:x": 1})

    assert await queue.claim("s") == ["x2"]


async def test_rescued_job_goes_back_to_its_lane_in_front(queue: Queue) -> None:
    """A job of a dead session passes into its lane without being sorted again, before all others there."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    lanes = {"a": "x", "b": "x"}
    await queue.fill(*lanes)
    await queue.open("s", "t")
    await sort_all(queue, "s", lanes)
    assert await queue.claim("s") == ["a"]
    await queue.end_lease("s")

    await queue.engine.rescue("t")
    again = await turn(queue, "t")

    assert (ids(again), again.settled.unsorted) == (["a"], 0)
    assert await queue.lanes() == {"1:x": ["b"]}


async def test_rescue_blames_no_job_that_was_only_to_be_sorted(queue: Queue) -> None:
    """What a dead session was to sort has not run: it has its old place and no crash."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    await queue.fill("a", when="=1600000000000")
    await queue.open("s", "t")
    await turn(queue, "s")
    await queue.end_lease("s")

    await queue.engine.rescue("t")

    assert await queue.memory("a") is None
    assert (await queue.engine.peek("a")).ms == 1_600_000_000_000


async def test_retried_job_is_sorted_no_second_time(queue: Queue) -> None:
    """A job that waits for another try keeps its lane, and makes room in it meanwhile."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    lanes = {"a": "x", "b": "x"}
    await queue.fill(*lanes)
    await queue.open("s")
    await sort_all(queue, "s", lanes)
    await queue.claim("s")

    after = await turn(queue, "s", 5, returns=[scheduled("a", 1)])
    assert ids(after) == ["b"]
    await queue.client.zadd(queue.keys.sched, {"a": 1})
    again = await turn(queue, "s", 5, ends=["b"])

    assert (ids(again), again.settled.unsorted) == (["a"], 0)


async def test_waiting_job_of_a_lane_can_be_cancelled(queue: Queue) -> None:
    """A job is found in its lane; a lane that is empty then leaves nothing behind."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    lanes = {"a": "x", "b": "y"}
    await queue.fill(*lanes)
    await queue.open("s")
    await sort_all(queue, "s", lanes)

    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"
    assert await queue.lanes() == {"1:y": ["b"]}
    assert await queue.claim("s") == ["b"]
    await queue.finish("s", "b")

    for key in (queue.keys.laneof, queue.keys.laned, queue.keys.lanes, queue.keys.lanewait):
        assert not await queue.client.exists(key)


async def test_cancelled_job_of_a_dead_session_makes_room(queue: Queue) -> None:
    """A job whose worker is dead ends where it is cancelled, and its lane has room."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    lanes = {"a": "x", "b": "x"}
    await queue.fill(*lanes)
    await queue.open("s", "t")
    await sort_all(queue, "s", lanes)
    await queue.claim("s")
    await queue.end_lease("s")

    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"

    assert await queue.claim("t") == ["b"]


async def test_held_job_has_left_its_lane(queue: Queue) -> None:
    """A job that a worker has no room for makes room in its lane, and out of the hold it needs room there."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    lanes = {"a": "x", "b": "x"}
    await queue.fill(*lanes)
    await queue.open("s", "t")
    await sort_all(queue, "s", lanes)
    await queue.claim("s")

    assert ids(await turn(queue, "s", 1, returns=[held("a", "f")])) == ["b"]
    refused = await turn(queue, "t", 5, rooms=[Room("f", 5)])
    assert refused.job_ids == []
    assert await queue.lanes() == {"1:x": ["a"]}
    after = await turn(queue, "s", 1, ends=["b"])

    assert ids(after) == ["a"]


@pytest.mark.parametrize("part", ["args.u", None])
async def test_other_fields_sort_all_jobs_anew(queue: Queue, part: str | None) -> None:
    """When limits are partitioned otherwise, waiting jobs leave their lanes; running ones stay."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    lanes = dict.fromkeys("abcd", "x")
    await queue.fill(*lanes)
    await queue.open("s")
    await sort_all(queue, "s", lanes)
    await queue.claim("s")

    await settle(queue, overall=GlobalLimit(3, part))
    if part:
        await sort_all(queue, "s", {name: name for name in lanes}, generation=2)
        assert await queue.claim("s") == ["b", "c", "d"]
    else:
        assert await queue.claim("s") == ["b", "c"]
    await queue.finish("s", "a", "b", "c")

    assert await queue.client.exists(queue.keys.lane_run("1:x")) == 0


async def test_lane_told_too_late_is_of_no_use(queue: Queue) -> None:
    """A job whose lane was told by fields that are others by now is sorted once more."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    await queue.fill("a")
    await queue.open("s")
    await turn(queue, "s")
    await settle(queue, overall=GlobalLimit(1, "args.u"))

    again = await turn(queue, "s", 5, returns=[in_lane("a", "1:x")])

    assert (ids(again), again.settled.unsorted, again.settled.generation) == (["a"], 1, 2)


async def test_total_limit_beside_a_partitioned_rate(queue: Queue) -> None:
    """A limit of all jobs and one of each lane hold together; sorting takes no room."""
    await settle(queue, overall=GlobalLimit(2), rate=RateLimit(1, 60, "args.t"))
    lanes = {"x1": "x", "x2": "x", "y1": "y", "z1": "z"}
    await queue.fill(*lanes)
    await queue.open("s")
    given = await turn(queue, "s", 1)
    assert given.settled.unsorted == 4
    await turn(queue, "s", 0, returns=[in_lane(name, f"1:{lane}") for name, lane in lanes.items()])

    assert await queue.claim("s", 5) == ["x1", "y1"]


async def test_raised_limit_opens_lanes(queue: Queue) -> None:
    """Lanes that were full are open when the limit is raised."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    lanes = {"a": "x", "b": "x", "c": "x"}
    await queue.fill(*lanes)
    await queue.open("s")
    await sort_all(queue, "s", lanes)
    await queue.claim("s")

    await settle(queue, overall=GlobalLimit(2, "args.t"))

    assert await queue.claim("s") == ["b"]


async def test_many_jobs_of_a_full_lane_hide_nobody(queue: Queue) -> None:
    """Behind thousands of jobs of a full lane the first of another lane is found in a few turns."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    await queue.fill(*(f"x{number:04}" for number in range(1000)))
    await queue.fill("y")
    await queue.open("s")

    turns, found = 0, list[str]()
    returns: list[Any] = []
    while "y" not in found and turns < 30:
        answer = await turn(queue, "s", 2, returns=returns)
        names = ids(answer)
        cut = len(names) - answer.settled.unsorted
        found += names[:cut]
        returns = [in_lane(name, f"1:{name[0]}") for name in names[cut:]]
        turns += 1
    if returns:
        await turn(queue, "s", 0, returns=returns)

    assert found == ["x0000", "y"]
    assert turns < 15


# -- pauses and the rest


async def test_paused_queue_gives_nothing(queue: Queue) -> None:
    """While a queue is paused nothing is claimed; what runs may end or go back."""
    await queue.fill("a", "b", "c")
    await queue.open("s")
    await queue.claim("s", 2)
    await queue.engine.steer([Change("set", "paused", 1)])

    paused = await turn(queue, "s", 5, ends=["a"], returns=[ready("b")])
    assert (paused.job_ids, paused.settled.is_paused, paused.lost) == ([], 1, [])
    await queue.take_token()
    await queue.engine.steer([Change("clear", "paused")])

    assert await queue.take_token()
    assert sorted(await queue.claim("s")) == ["b", "c"]


async def test_pause_of_a_node_concerns_no_other(queue: Queue) -> None:
    """A session of a paused node claims nothing and leaves the token to the others."""
    await queue.fill("a")
    await queue.open("s", "t")
    await queue.engine.join("s", Membership("here"))
    await queue.engine.steer([Change("set", "paused@here", 1)])
    await queue.take_token()

    assert await queue.claim("s") == []

    assert await queue.take_token()
    assert await queue.claim("t") == ["a"]


async def test_session_that_starts_paused_waits_for_the_next_resume(queue: Queue) -> None:
    """A session that starts paused is so until its queue or its node is resumed once more."""
    await queue.fill("a", "b")
    await queue.open("s")
    await queue.engine.steer([Change("more", "resumes")])
    await queue.engine.join("s", Membership("here", since=1))

    assert await queue.claim("s") == []
    await queue.engine.steer([Change("more", "resumes@there")])
    assert await queue.claim("s") == []
    await queue.engine.steer([Change("more", "resumes@here")])

    assert await queue.claim("s", 1) == ["a"]


async def test_session_is_listed_until_it_leaves(queue: Queue) -> None:
    """What a session tells of itself is kept until it leaves or is rescued."""
    await queue.open("s", "t")
    for session in ("s", "t"):
        await queue.engine.join(session, Membership("n", '{"pid":1}'))
    survey = await queue.engine.survey()
    assert survey is not None
    assert [(one.session, one.about) for one in survey.sessions] == [("s", '{"pid":1}'), ("t", '{"pid":1}')]

    await queue.engine.leave("s")
    await queue.end_lease("t")
    await queue.engine.rescue("u")
    await queue.engine.join("t", Membership("n"))

    assert await queue.client.hkeys(queue.keys.sessions) == []


async def test_queue_without_anything_settled_pays_one_look(real_url: str) -> None:
    """A turn of a queue for which nothing was settled asks once whether anything was."""
    pool = ArqRedis(unix_socket_path=RedisSettings.from_dsn(real_url).unix_socket_path, db=1)
    queue = Queue(RedisEngine(pool, "q"))
    keys = queue.keys
    await queue.fill("a", "b")
    await queue.open("s")
    await turn(queue, "s", 1)

    async with queue.client.monitor() as monitor:
        await turn(queue, "s", 1, ends=["a"], returns=[])
        await queue.client.ping()
        said = []
        async for line in monitor.listen():
            if line["command"] == "PING":
                break
            said.append(line["command"])

    own = (keys.meta, keys.sessions, keys.sorting, keys.lane(""), keys.open_grants(), keys.past_grants())
    own = (*own, keys.laned, keys.laneof, keys.lanes, keys.lanewait)
    inside = [words for words in said if not words.startswith("EVAL")]
    assert [words for words in inside if any(key in words for key in own)] == [f"EXISTS {keys.meta}"]
    await queue.engine.close()
    await pool.aclose(close_connection_pool=True)


@pytest.mark.parametrize("when", ["keep", ""])
async def test_changed_job_is_sorted_anew(queue: Queue, when: str) -> None:
    """A waiting job whose record is changed may belong to another lane: it is sorted once more."""
    await settle(queue, overall=GlobalLimit(1, "args.t"))
    await queue.fill("a")
    await queue.open("s")
    await sort_all(queue, "s", {"a": "x"})
    old = (await queue.engine.peek("a")).record
    new = record(2)

    assert await queue.engine.rewrite("a", old, new, "as", None if when == "keep" else when) == "done"

    again = await turn(queue, "s", 1)
    assert (ids(again), again.settled.unsorted, again.records) == (["a"], 1, [new])
    assert await queue.lanes() == {}
