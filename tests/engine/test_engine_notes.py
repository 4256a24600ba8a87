"""What running jobs note: stored once, behind the fence, in bounds, and gone in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_toys import FOREVER, HOUR, Queue, record

from arqlite.engine import EndWatch, Note, Noted
from arqlite.engine import redis as engine_redis
from arqlite.engine.management import Revival


def note(
    job_id: str = "a",
    *lines: bytes,
    progress: bytes = b"",
    enqueue_ms: int = 7,
    keep_ms: int = HOUR,
    lost: int = 0,
) -> Note:
    return Note(job_id, enqueue_ms, progress, keep_ms, lost, lines)


async def running(queue: Queue, *job_ids: str) -> None:
    """Let session `s` run jobs."""
    await queue.fill(*job_ids)
    await queue.open("s")
    await queue.claim("s")


async def lives(queue: Queue, job_id: str = "a") -> tuple[int, int]:
    """Tell for how many ms a job's notes and lines are kept on; -1 for ever, -2 not at all."""
    note_ms: int = await queue.client.pttl(queue.keys.note(job_id))
    log_ms: int = await queue.client.pttl(queue.keys.log(job_id))
    return note_ms, log_ms


async def test_notes_are_stored_and_read(queue: Queue) -> None:
    """One call stores the notes of several jobs; each is read with as many of its newest lines as wanted."""
    await running(queue, "a", "b")

    notes = [note("a", b"1", b"2", b"3", progress=b"half"), note("b", progress=b"done", enqueue_ms=8, lost=2)]
    assert await queue.engine.note("s", "1", notes) == 2

    assert await queue.engine.noted("a", 2) == Noted(7, b"half", 0, [b"2", b"3"])
    assert await queue.engine.noted("a", 0) == Noted(7, b"half", 0, [])
    assert await queue.engine.noted("b", 9) == Noted(8, b"done", 2, [])
    assert await queue.engine.noted("c", 9) is None


async def test_overtaken_run_notes_nothing(queue: Queue) -> None:
    """A session whose job was rescued stores nothing of it, neither before nor while another runs it."""
    await running(queue, "a")
    await queue.end_lease("s")
    await queue.engine.rescue("t")

    assert await queue.engine.note("s", "1", [note("a", b"late", progress=b"late")]) == 0
    await queue.open("t")
    await queue.claim("t")
    assert await queue.engine.note("s", "2", [note("a", b"late", progress=b"late")]) == 0

    assert await queue.engine.noted("a", 9) is None
    assert await queue.client.keys("*:note:*") == []


async def test_notes_after_the_end_are_refused(queue: Queue) -> None:
    """A job that has ended notes nothing any more."""
    await running(queue, "a")
    await queue.finish("s", "a")

    assert await queue.engine.note("s", "1", [note("a", b"late")]) == 0


async def test_resent_notes_are_stored_once(queue: Queue) -> None:
    """A call that is made again, since its reply was lost, adds no line twice; the next one adds its own."""
    await running(queue, "a")

    for _ in range(2):
        await queue.engine.note("s", "1", [note("a", b"1", lost=3)])
    await queue.engine.note("s", "2", [note("a", b"2")])

    assert await queue.engine.noted("a", 9) == Noted(7, b"", 3, [b"1", b"2"])


async def test_progress_is_replaced_kept_or_taken_away(queue: Queue) -> None:
    """A progress replaces the one before, no progress leaves it, and a dash takes it away."""
    await running(queue, "a")
    seen = []

    for stamp, progress in enumerate([b"one", b"two", b"", b"-"]):
        await queue.engine.note("s", str(stamp), [note("a", progress=progress)])
        noted = await queue.engine.noted("a", 0)
        assert noted is not None
        seen.append(noted.progress)

    assert seen == [b"one", b"two", b"two", b""]


async def test_id_in_use_again_starts_anew(queue: Queue) -> None:
    """The first note of a job drops those of an older job that had its id."""
    await running(queue, "a")

    await queue.engine.note("s", "1", [note("a", b"old", progress=b"old", lost=5)])
    await queue.engine.note("s", "2", [note("a", b"new", enqueue_ms=8)])

    assert await queue.engine.noted("a", 9) == Noted(8, b"", 0, [b"new"])


async def test_oldest_lines_go(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job keeps its newest lines and the number of those that went, here and before."""
    monkeypatch.setattr(engine_redis, "LOG_LIMIT", 3)
    await running(queue, "a")

    await queue.engine.note("s", "1", [note("a", b"1", b"2", lost=4)])
    await queue.engine.note("s", "2", [note("a", b"3", b"4", b"5")])

    assert await queue.engine.noted("a", 9) == Noted(7, b"", 6, [b"3", b"4", b"5"])


async def test_largest_call_is_taken(queue: Queue) -> None:
    """As many lines as one job may keep fit into one call."""
    await running(queue, "a")
    lines = [b"line %d" % number for number in range(engine_redis.LOG_LIMIT)]

    await queue.engine.note("s", "1", [note("a", *lines)])

    assert await queue.engine.noted("a", engine_redis.LOG_LIMIT) == Noted(7, b"", 0, lines)


async def test_notes_live_as_long_as_told(queue: Queue) -> None:
    """Notes are kept for the time that is given last; for none, only the progress stays for a last look."""
    await running(queue, "a")

    await queue.engine.note("s", "1", [note("a", b"1", progress=b"x", keep_ms=HOUR)])
    limited = await lives(queue)
    await queue.engine.note("s", "2", [note("a", keep_ms=FOREVER)])
    endless = await lives(queue)
    await queue.engine.note("s", "3", [note("a", b"2", keep_ms=0)])
    gone = await lives(queue)

    assert all(HOUR - 5000 < life <= HOUR for life in limited)
    assert endless == (-1, -1)
    assert 0 < gone[0] <= 10_000
    assert gone[1] == -2


async def test_longest_life_is_for_ever(queue: Queue) -> None:
    """A time that a result outlives every clock with is for ever for its notes as well."""
    await running(queue, "a")

    assert await queue.engine.note("s", "1", [note("a", b"1", keep_ms=10**17)]) == 1

    assert await lives(queue) == (-1, -1)


async def test_forgotten_job_leaves_no_notes(queue: Queue) -> None:
    """Who deletes a finished job deletes what it noted; a job that runs keeps it."""
    await running(queue, "a", "b")
    await queue.engine.note("s", "1", [note("a", b"1", keep_ms=FOREVER), note("b", b"1")])
    await queue.finish("s", "a")

    assert await queue.engine.forget("a") == 1
    assert await queue.engine.forget("b") == -1

    assert await queue.engine.noted("a", 9) is None
    assert await lives(queue, "a") == (-2, -2)
    assert await queue.engine.noted("b", 9) is not None


async def test_cancelled_job_keeps_its_notes_as_long_as_its_end(queue: Queue) -> None:
    """What a job noted before it was put back and cancelled lives as long as its end does."""
    await running(queue, "a")
    await queue.engine.note("s", "1", [note("a", b"1", keep_ms=FOREVER)])
    await queue.engine.leave("s")
    await queue.engine.rescue("t")

    assert await queue.engine.cancel("a", b"C", HOUR) == "cancelled"

    assert all(0 < life <= HOUR for life in await lives(queue))


async def test_notes_of_a_job_that_runs_again_live_on(queue: Queue) -> None:
    """What an ended job noted is a live job's again when somebody lets it run once more."""
    await running(queue, "a")
    await queue.engine.note("s", "1", [note("a", b"line", progress=b"1")])
    await queue.finish("s", "a")
    found = (await queue.engine.peek("a")).record

    assert await queue.engine.revive_many([Revival("a", found, "", record(), "1:0:0:0:0:2:0")]) == ["done"]

    assert await lives(queue, "a") == (-1, -1)


async def test_followers_hear_of_notes(queue: Queue, eventually: Any) -> None:
    """Everybody who follows a job hears when it notes something, and nobody of another job."""
    watch = EndWatch(queue.engine)
    await running(queue, "a", "b")
    first, second, other = asyncio.Event(), asyncio.Event(), asyncio.Event()
    for job_id, event in (("a", first), ("a", second), ("b", other)):
        await watch.follow_notes(job_id, event)

    async def hear(*events: asyncio.Event) -> bool:
        await queue.engine.note("s", str(asyncio.get_running_loop().time()), [note("a", progress=b"x")])
        return all(event.is_set() for event in events)

    await eventually(lambda: hear(first, second))
    await watch.unfollow_notes("a", first)
    first.clear()
    second.clear()
    await eventually(lambda: hear(second))

    assert (first.is_set(), other.is_set()) == (False, False)
    await watch.unfollow_notes("a", second)
    await watch.unfollow_notes("b", other)
    assert watch._followers == {}
    await watch.close()
