"""Planting: jobs that come from elsewhere with their past, once per token."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from engine_toys import Queue, job, record

from arqlite.engine import Planted
from arqlite.utils import timestamp_ms

MINUTE = 60_000


def waiting(job_id: str, when: str = "", memory: str = "") -> Planted:
    return Planted(job_id, when, memory, record())


def over(job_id: str, keep_ms: int, pruned_ms: int | None = None) -> Planted:
    now_ms = timestamp_ms()
    moment = now_ms + (keep_ms if pruned_ms is None else pruned_ms)
    return Planted(job_id, str(moment), "", b"R%013dSbody" % (now_ms + keep_ms))


async def test_planted_jobs_have_homes(queue: Queue) -> None:
    """A planted job is ready, scheduled or finished, as its record and its time say."""
    later = f"={timestamp_ms() + MINUTE}"

    refused = await queue.engine.plant("t", [waiting("now"), waiting("later", later), over("over", MINUTE)])

    assert refused == set()
    assert [await queue.home(name) for name in ("now", "later", "over")] == ["ready", "scheduled", "finished"]
    assert await queue.take_token()


async def test_planted_job_keeps_its_moment(queue: Queue) -> None:
    """Planted jobs are claimed in the order of their moments, however they arrive."""
    now_ms = timestamp_ms()
    await queue.engine.plant("t", [waiting("young", f"={now_ms - 10}"), waiting("old", f"={now_ms - 900}")])
    await queue.open("s")

    assert await queue.claim("s") == ["old", "young"]


async def test_token_is_used_once(queue: Queue) -> None:
    """A batch of a token that was used is not planted again, also when its jobs are gone."""
    await queue.engine.plant("t", [waiting("a")])
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "a", keep_ms=0)

    assert await queue.engine.plant("t", [waiting("a")]) is None
    assert await queue.home("a") == "absent"


async def test_empty_token_is_none(queue: Queue) -> None:
    """Without a token only the ids tell what was planted before."""
    first = await queue.engine.plant("", [over("a", MINUTE)])
    second = await queue.engine.plant("", [over("a", MINUTE), over("b", MINUTE)])

    assert (first, second) == (set(), {0})
    assert await queue.client.exists(queue.keys.imported) == 0


async def test_token_is_forgotten_in_time(queue: Queue) -> None:
    """A token that nobody will use again is remembered for a while only."""
    await queue.engine.plant("t", [waiting("a")])
    await queue.engine.forget_token("t")
    until = await queue.client.zscore(queue.keys.imported, "t")
    await queue.client.zadd(queue.keys.imported, {"t": 1})

    await queue.engine.plant("u", [waiting("b")])

    assert 0 < until - timestamp_ms() <= 10 * MINUTE
    assert await queue.client.zrange(queue.keys.imported, 0, -1) == [b"u"]


async def test_token_is_forgotten_by_the_clock_that_remembers_it(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose clock is wrong neither forgets a token at once nor keeps it for years."""
    monkeypatch.setattr("arqlite.utils.time", SimpleNamespace(time_ns=lambda: 1))
    await queue.engine.plant("t", [waiting("a")])
    await queue.engine.forget_token("t")
    seconds, _ = await queue.client.time()

    until = await queue.client.zscore(queue.keys.imported, "t")

    assert 0 < until - seconds * 1000 <= 11 * MINUTE


async def test_id_in_use_is_refused(queue: Queue) -> None:
    """An id that waits, runs or has a kept end is refused, and so is the second one of a batch."""
    await queue.fill("ready", "run")
    await queue.open("s")
    await queue.engine.enqueue([job("sched", "+60000")])
    await queue.claim("s", 1)

    refused = await queue.engine.plant(
        "t", [waiting("ready"), waiting("run"), waiting("sched"), waiting("new"), waiting("new")]
    )

    assert refused == {0, 1, 2, 4}


async def test_memory_is_kept(queue: Queue) -> None:
    """A planted job comes with its tries; one without any does not inherit those of an older job."""
    await queue.engine.plant("t", [waiting("a", memory="2:0:0:0"), waiting("b")])

    assert await queue.memory("a") == b"2:0:0:0"
    assert await queue.memory("b") is None


async def test_planted_ends_are_pruned(queue: Queue) -> None:
    """Ends that share a moment are pruned together once it has passed; one without an end never is."""
    forever = Planted("ever", "0", "", b"R9999999999999Sbody")
    now_ms = timestamp_ms()
    await queue.engine.plant("t", [over("a", MINUTE), over("b", MINUTE), forever])
    gone = Planted("gone", str(now_ms - 10), "", b"R%013dSbody" % (now_ms - 20))
    await queue.engine.plant("u", [gone])

    assert await queue.engine.prune() == 1
    assert [await queue.home(name) for name in ("a", "b", "ever", "gone")] == [*["finished"] * 3, "absent"]


async def test_ends_are_told(queue: Queue) -> None:
    """`ends` tells until when an end is kept, that a job has none yet, and that it is unknown."""
    await queue.fill("a")
    await queue.engine.plant("t", [over("b", MINUTE)])

    waits, until, unknown = await queue.engine.ends(["a", "b", "c"])

    assert (waits, unknown) == (0, -1)
    assert abs(until - timestamp_ms() - MINUTE) < 2000
    assert await queue.engine.ends([]) == []
