"""Looking at jobs and moving them by hand: where, revive, drop, amend, tally, depth."""

from __future__ import annotations

import pytest
from engine_toys import FOREVER, HOUR, LEASE, Queue, ended, held, ids, in_lane, job, ready, record, scheduled

from arqlite.engine import Change, EndWatch, Room
from arqlite.engine.management import Revival, Stop
from arqlite.model.limits import GlobalLimit

AWAITS_A_TRY = "1:0:0:0:0:0:1"


def revival(job_id: str, expected: bytes, new: bytes, remembered: str = "", **options: int | str) -> Revival:
    memory = str(options.pop("memory", ""))
    due = options.pop("due_ms", None)
    return Revival(job_id, expected, remembered, new, memory, None if due is None else int(due))


async def record_of(queue: Queue, job_id: str) -> bytes:
    return (await queue.engine.peek(job_id)).record


async def everywhere(queue: Queue) -> None:
    """Put a job into each home: its id is the name of its state or home."""
    await queue.open("s", "t")
    await queue.fill("executing", "held", "retryable", "completed", "discarded", "cancelled")
    await queue.claim("s")
    returned = [scheduled("retryable", HOUR, AWAITS_A_TRY), held("held", "f")]
    ends = {HOUR: ended("completed")[HOUR]}
    ends[FOREVER] = ended("discarded", keep_ms=FOREVER, letter=b"F")[FOREVER]
    ends[HOUR + 1] = ended("cancelled", keep_ms=HOUR + 1, letter=b"C")[HOUR + 1]
    await queue.engine.turn("s", 0, ends, returned)
    await queue.fill("available")
    await queue.fill("scheduled", when=f"+{HOUR}")
    new = record()
    await queue.client.hset(queue.keys.jobs, "suspended", new)
    await queue.client.zadd(queue.keys.susp, {"suspended": 1})


EVERYWHERE = {
    "available": "a",
    "held": "a",
    "scheduled": "s",
    "retryable": "r",
    "suspended": "u",
    "executing": "e",
    "completed": "S",
    "discarded": "F",
    "cancelled": "C",
    "nowhere": "",
}


async def clear_suspended(queue: Queue) -> None:
    """Take the suspended job away, which the invariants of a queue do not know."""
    await queue.client.delete(queue.keys.susp)
    await queue.client.hdel(queue.keys.jobs, "suspended")


async def test_where_knows_every_home(queue: Queue) -> None:
    """Each job is found in its state, with its record, its memory and its session, in one answer."""
    await everywhere(queue)

    found = await queue.engine.standings(list(EVERYWHERE), with_records=True)

    by_id = dict(zip(EVERYWHERE, found, strict=True))
    assert {job_id: one.state for job_id, one in by_id.items()} == EVERYWHERE
    assert by_id["executing"].session == "s"
    assert by_id["retryable"].memory == AWAITS_A_TRY
    assert by_id["scheduled"].due_ms > by_id["available"].due_ms > 0
    assert by_id["completed"].record[14:] == b"Scompleted"
    assert by_id["nowhere"] == ("", -1, "", "", b"")
    await clear_suspended(queue)


async def test_where_without_records(queue: Queue) -> None:
    """Without records a job that ended is nowhere: its home is its record."""
    await everywhere(queue)

    found = await queue.engine.standings(list(EVERYWHERE))

    finished = {"completed", "discarded", "cancelled"}
    assert [one.state for one in found] == [
        "" if job_id in finished else letter for job_id, letter in EVERYWHERE.items()
    ]
    assert {one.record for one in found} == {b""}
    assert await queue.engine.standings([]) == []
    await clear_suspended(queue)


async def test_where_of_a_job_whose_time_has_come(queue: Queue) -> None:
    """A scheduled job that is due is available, whether or not a turn has moved it."""
    await queue.fill("a", when=f"+{HOUR}")
    await queue.client.zadd(queue.keys.sched, {"a": 5}, xx=True)

    assert [one.state for one in await queue.engine.standings(["a"])] == ["a"]


async def test_where_of_a_job_put_in_front(queue: Queue) -> None:
    """A job that a rescue put in front of others has no moment of its own in its home."""
    await queue.fill("a")
    await queue.open("s", "t")
    await queue.claim("s")
    await queue.end_lease("s")
    await queue.engine.rescue("t")

    assert [one.due_ms for one in await queue.engine.standings(["a"])] == [-1]


async def test_peek_of_a_suspended_job(queue: Queue) -> None:
    """A job that waits for others is told as suspended."""
    await everywhere(queue)

    assert await queue.home("suspended") == "suspended"
    await clear_suspended(queue)


async def test_cancel_of_a_suspended_job(queue: Queue) -> None:
    """A job that waits for others is cancelled like one that waits for its time."""
    await everywhere(queue)

    assert await queue.engine.cancel("suspended", b"C", HOUR) == "cancelled"

    assert await queue.home("suspended") == "finished"
    assert await queue.client.zcard(queue.keys.susp) == 0


async def test_cancel_many_in_some_states(queue: Queue) -> None:
    """Only jobs in the states asked for are cancelled, whatever they have become since they were read."""
    await everywhere(queue)
    stops = [Stop(job_id, b"C1") for job_id in EVERYWHERE]

    answers = await queue.engine.cancel_many(stops, HOUR, "sre")

    assert dict(zip(EVERYWHERE, answers, strict=True)) == {
        "available": "elsewhere",
        "held": "elsewhere",
        "scheduled": "cancelled",
        "retryable": "cancelled",
        "suspended": "elsewhere",
        "executing": "asked",
        "completed": "elsewhere",
        "discarded": "elsewhere",
        "cancelled": "elsewhere",
        "nowhere": "unknown",
    }
    await clear_suspended(queue)


async def test_revive_of_a_finished_job(queue: Queue) -> None:
    """A job that ended is ready with the record and the memory it is given, and a worker is woken."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a")
    await queue.take_token()
    await queue.client.rpush(queue.keys.errors("a"), "x")
    await queue.client.pexpire(queue.keys.errors("a"), HOUR)
    new = record(2)

    answers = await queue.engine.revive_many(
        [revival("a", await record_of(queue, "a"), new, memory="1:0:0:0:0:2:0")]
    )

    assert answers == ["done"]
    peek = await queue.engine.peek("a")
    assert (peek.home, peek.record, peek.memory) == ("ready", new, "1:0:0:0:0:2:0")
    assert await queue.take_token()
    assert await queue.client.pttl(queue.keys.errors("a")) == -1, "its errors live as long as it does"
    await queue.engine.prune()
    assert await queue.claim("s") == ["a"]


async def test_revive_does_not_revive_twice(queue: Queue) -> None:
    """The same call again is answered as before, and moves nothing, even if the job runs by now."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a")
    calls = [revival("a", await record_of(queue, "a"), record())]
    assert await queue.engine.revive_many(calls) == ["done"]
    await queue.claim("s")

    assert await queue.engine.revive_many(calls) == ["done"]

    assert await queue.home("a") == "running"


@pytest.mark.parametrize("job_id", ["scheduled", "retryable", "suspended"])
async def test_revive_of_a_waiting_job(queue: Queue, job_id: str) -> None:
    """A job that waits for its time, for another try or for others may start now."""
    await everywhere(queue)
    [before] = await queue.engine.standings([job_id], with_records=True)

    answers = await queue.engine.revive_many(
        [revival(job_id, before.record, before.record, before.memory, memory="1:0:0:0:0:2:0")]
    )

    assert answers == ["done"]
    assert await queue.home(job_id) == "ready"
    assert await queue.memory(job_id) == b"1:0:0:0:0:2:0"
    if job_id != "suspended":
        await clear_suspended(queue)


@pytest.mark.parametrize(
    ("job_id", "answer"), [("available", "refused"), ("held", "refused"), ("executing", "refused")]
)
async def test_revive_leaves_others_alone(queue: Queue, job_id: str, answer: str) -> None:
    """A job that may start, or that runs, stays as and where it is."""
    await everywhere(queue)
    [before] = await queue.engine.standings([job_id], with_records=True)

    assert await queue.engine.revive_many([revival(job_id, before.record, record())]) == [answer]

    assert await queue.engine.standings([job_id], with_records=True) == [before]
    await clear_suspended(queue)


async def test_revive_of_a_job_that_changed(queue: Queue) -> None:
    """A job whose record or memory is another one than was read is left alone."""
    await everywhere(queue)
    [waits] = await queue.engine.standings(["retryable"], with_records=True)

    answers = await queue.engine.revive_many(
        [
            revival("retryable", record(), record(), AWAITS_A_TRY),
            revival("retryable", waits.record, record(), "0:0:0:0:0:0:1"),
            revival("completed", b"R0000000000000Sother", record()),
            revival("nowhere", record(), record()),
        ]
    )

    assert answers == ["changed", "changed", "changed", "unknown"]
    assert await queue.home("retryable") == "scheduled"
    await clear_suspended(queue)


async def test_revive_for_later(queue: Queue) -> None:
    """A job that ended may be due later, and wakes a worker that must wait less long for it."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a")
    await queue.take_token()
    later = 4_000_000_000_000

    answers = await queue.engine.revive_many(
        [revival("a", await record_of(queue, "a"), record(), due_ms=later)]
    )

    assert answers == ["done"]
    assert (await queue.engine.peek("a")).ms == later
    assert await queue.take_token()


@pytest.mark.parametrize("job_id", sorted(EVERYWHERE.keys() - {"executing", "nowhere"}))
async def test_drop_from_every_home(queue: Queue, job_id: str) -> None:
    """A job that nobody runs is deleted, wherever it is, with all that was kept of it."""
    await everywhere(queue)
    for key in (queue.keys.note(job_id), queue.keys.log(job_id), queue.keys.errors(job_id)):
        await queue.client.set(key, "x")

    assert await queue.engine.drop_many([job_id]) == ["done"]
    assert await queue.engine.drop_many([job_id]) == ["unknown"]

    assert await queue.home(job_id) == "absent"
    assert await queue.memory(job_id) is None
    left = [queue.keys.note(job_id), queue.keys.log(job_id), queue.keys.errors(job_id)]
    assert await queue.client.exists(*left) == 0
    await clear_suspended(queue)


async def test_drop_spares_what_runs(queue: Queue) -> None:
    """A job that runs is not deleted; one of a worker whose lease is over is."""
    await queue.fill("a", "b")
    await queue.open("s", "t")
    await queue.claim("s", 1)
    await queue.claim("t", 1)
    await queue.end_lease("t")

    assert await queue.engine.drop_many(["a", "b"]) == ["refused", "done"]

    assert await queue.home("a") == "running"
    assert (await queue.engine.rescue("s")).moved == {}


async def test_drop_in_some_states(queue: Queue) -> None:
    """A job that has left the states that were asked for is not deleted."""
    await queue.fill("a")

    assert await queue.engine.drop_many(["a"], "SFC") == ["changed"]
    assert await queue.engine.drop_many(["a"], "a") == ["done"]


async def test_drop_tells_those_who_wait(queue: Queue) -> None:
    """Who awaits a job that is deleted does not wait for ever."""
    watch = EndWatch(queue.engine)
    await queue.fill("a")
    announced = await watch.announce("a")

    await queue.engine.drop_many(["a"])

    assert await announced == b"C"
    await watch.forget("a", announced)
    await watch.close()


async def test_amend(queue: Queue) -> None:
    """What is kept of a job that ended is changed where it is as it was read; once is as good as twice."""
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a")
    before = await record_of(queue, "a")

    assert await queue.engine.amend("a", before, before + b"!", b"Q") == "done"
    assert await queue.engine.amend("a", before, before + b"!", b"Q") == "done"
    assert await queue.engine.amend("a", before, before + b"?", b"Q") == "changed"
    assert await queue.engine.amend("b", before, before, b"Q") == "unknown"

    assert (await record_of(queue, "a")).endswith(b"!")


async def test_tally_counts_ends(queue: Queue) -> None:
    """Jobs that ended are counted by how, however many pages there are; the others are not."""
    await queue.open("s")
    many = [f"j{n}" for n in range(1500)]
    for start in range(0, 1500, 500):
        await queue.fill(*many[start : start + 500])
    await queue.claim("s", 1000)
    for _ in range(2):
        runs = sorted((await queue.runs())["s"])[:400]
        await queue.engine.turn("s", 0, ended(*runs, letter=b"F"), ())
    await queue.engine.turn("s", 0, ended(*sorted((await queue.runs())["s"])), ())

    assert await queue.engine.tally() == (200, 800, 0)


async def test_depth_counts_homes(queue: Queue) -> None:
    """The sizes of the homes tell how many jobs are where, and the eldest of all tells its age."""
    await everywhere(queue)

    depth = await queue.engine.depth()

    assert (depth.available, depth.waiting, depth.suspended, depth.executing) == (2, 2, 1, 1)
    assert (depth.known, depth.troubled) == (9, 1)
    assert depth.now_ms - depth.eldest_ms >= 0
    assert await queue.engine.count_retryable(depth.now_ms) == 1
    await clear_suspended(queue)


async def test_depth_tells_the_eldest_of_all(queue: Queue) -> None:
    """The eldest job counts, whatever its priority, also if it is held or due and not yet moved."""
    empty = await queue.engine.depth()
    await queue.engine.enqueue([job("a", "=1700000000000", 0), job("b", "=1600000000000", 9)])
    first = await queue.engine.depth()
    await queue.fill("c", when=f"+{HOUR}")
    await queue.client.zadd(queue.keys.sched, {"c": 2048}, xx=True)
    second = await queue.engine.depth()

    assert (empty.available, empty.eldest_ms) == (0, -1)
    assert (first.available, first.eldest_ms) == (2, 1_600_000_000_000)
    assert (second.available, second.eldest_ms) == (3, 1_577_836_800_001)


async def test_depth_of_held_and_rescued_jobs(queue: Queue) -> None:
    """A held job counts with its moment; one that was put in front is told with its record."""
    await queue.fill("a", "b")
    await queue.open("s", "t")
    await queue.claim("s")
    await queue.engine.turn("s", 0, {}, [held("a", "f", 1_650_000_000_000)])
    await queue.end_lease("s")
    await queue.engine.rescue("t")

    depth = await queue.engine.depth()

    assert (depth.available, depth.eldest_ms) == (2, 1_650_000_000_000)
    assert depth.front == [await record_of(queue, "b")]
    await queue.engine.turn("t", 1, {}, [], [Room("f", 1)])


async def test_pages_have_every_job(queue: Queue) -> None:
    """All jobs come by, page by page, with their records."""
    many = [f"j{n}" for n in range(1200)]
    for start in range(0, 1200, 400):
        await queue.fill(*many[start : start + 400])

    found = {job_id: text async for page in queue.engine.pages(100) for job_id, text in page}

    assert found.keys() == set(many)
    assert all(text[:1] == b"Q" for text in found.values())


async def test_homes_keep_their_invariants_when_jobs_are_moved_by_hand(queue: Queue) -> None:
    """A job that went through all moves is in one home, and ends like any other."""
    await queue.open("s", lease_ms=LEASE)
    await queue.fill("a")
    for _ in range(2):
        await queue.claim("s")
        await queue.engine.turn("s", 0, {}, [scheduled("a", HOUR, AWAITS_A_TRY)])
        [one] = await queue.engine.standings(["a"], with_records=True)
        await queue.engine.revive_many([revival("a", one.record, one.record, one.memory, memory="1:0")])
        await queue.check()
        await queue.claim("s")
        await queue.finish("s", "a")
        await queue.engine.revive_many([revival("a", await record_of(queue, "a"), record())])
        await queue.check()
    await queue.claim("s")
    assert await queue.engine.cancel("a", b"C", HOUR) == "asked"
    await queue.engine.turn("s", 0, {}, [ready("a")])
    assert await queue.engine.cancel("a", b"C", HOUR, "s") == "cancelled"


async def limit_lanes(queue: Queue) -> None:
    """Let one job of each lane run at once."""
    await queue.engine.steer([Change("set", "global.set", GlobalLimit(1, "args.n").encode())])
    await queue.open("s")


async def in_lanes(queue: Queue, *job_ids: str) -> None:
    """Limit a queue lane by lane, and put jobs into the lane `x`."""
    await limit_lanes(queue)
    await queue.fill(*job_ids)
    while (turn := await queue.engine.turn("s", 1, {}, ())).settled.unsorted:
        await queue.engine.turn("s", 0, {}, [in_lane(job_id, "1:x") for job_id in ids(turn)])
    if turn.job_ids:
        await queue.engine.turn("s", 0, {}, [ready(job_id) for job_id in ids(turn)])


async def test_job_in_a_lane_is_available(queue: Queue) -> None:
    """A job that waits in a lane may start like one in `ready`, and is counted and found so."""
    await in_lanes(queue, "a", "b")

    depth = await queue.engine.depth()

    assert [one.state for one in await queue.engine.standings(["a", "b"])] == ["a", "a"]
    assert (depth.available, depth.executing) == (2, 0)
    assert 0 <= depth.now_ms - depth.eldest_ms < HOUR
    assert await queue.home("a") == "ready"


async def test_job_that_is_only_sorted_is_available(queue: Queue) -> None:
    """A job that a worker was given to tell its lane does not run yet, and nobody takes it away."""
    await limit_lanes(queue)
    await queue.fill("a")
    assert (await queue.engine.turn("s", 1, {}, ())).settled.unsorted == 1

    depth = await queue.engine.depth()

    assert (depth.available, depth.executing) == (1, 0)
    assert [one.state for one in await queue.engine.standings(["a"])] == ["a"]
    assert await queue.engine.drop_many(["a"]) == ["refused"]
    assert await queue.engine.cancel("a", b"C", HOUR) == "asked"
    assert await queue.engine.revive_many([revival("a", await record_of(queue, "a"), record())]) == [
        "refused"
    ]


async def test_moves_out_of_a_lane(queue: Queue) -> None:
    """A job is cancelled and deleted out of its lane like out of `ready`, and leaves no lane behind."""
    await in_lanes(queue, "a", "b", "c")

    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"
    assert await queue.engine.drop_many(["b"]) == ["done"]
    assert await queue.claim("s") == ["c"]
    await queue.finish("s", "c")

    assert await queue.lanes() == {}


async def test_dropped_job_of_a_dead_session_gives_its_room_back(queue: Queue) -> None:
    """A job that a dead session had in a lane of one is deleted, and the next of that lane may run."""
    await in_lanes(queue, "a", "b")
    await queue.open("t")
    first = await queue.claim("s")
    await queue.end_lease("s")

    assert await queue.engine.drop_many(first) == ["done"]

    assert len(await queue.claim("t")) == 1
