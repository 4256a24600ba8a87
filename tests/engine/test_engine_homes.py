"""Where jobs are that have not ended, without a look at the jobs."""

from __future__ import annotations

from arqlite import ArqRedis
from arqlite.engine import NewJob, RedisEngine
from arqlite.model.codec import Codec, queued_record
from arqlite.model.states import INCOMPLETE_STATES, JobState

HOUR = 3_600_000


def job(job_id: str, when: str = "") -> NewJob:
    return NewJob(job_id, when, queued_record(0, Codec().encode_job("f", (), {}, None, 1_700_000_000_000)))


async def filled(pool: ArqRedis) -> RedisEngine:
    """Two jobs that run, three that may start, two that wait for their time, one suspended."""
    engine = RedisEngine(pool, "q")
    await engine.open("s", HOUR)
    await engine.enqueue([job("run-1"), job("run-2")])
    await engine.turn("s", 2, {}, ())
    await engine.close()
    await engine.enqueue([job(f"now-{number}", f"={1_700_000_000_000 + number}") for number in range(3)])
    await engine.enqueue([job("soon", "+3600000"), job("later", "+7200000"), job("waits", "+7200000")])
    await pool.zrem(engine.keys.sched, "waits")
    await pool.zadd(engine.keys.susp, {"waits": 1})
    return engine


async def test_homes_are_told_one_after_the_other(arq_redis: ArqRedis) -> None:
    """Those that run come first, the last of those that may start, the next of those that wait."""
    engine = await filled(arq_redis)

    found = await engine.open_ids(INCOMPLETE_STATES, 0, 100)

    assert found == ["run-1", "run-2", "now-2", "now-1", "now-0", "waits", "soon", "later"]
    assert await engine.open_ids({JobState.SCHEDULED}, 0, 100) == ["soon", "later"]
    assert await engine.open_ids({JobState.AVAILABLE}, 0, 100) == ["now-2", "now-1", "now-0"]
    assert await engine.open_ids({JobState.EXECUTING, JobState.SUSPENDED}, 0, 100) == [
        "run-1",
        "run-2",
        "waits",
    ]


async def test_parts_lie_next_to_each_other(arq_redis: ArqRedis) -> None:
    """Read part by part, across homes, each id is told once."""
    engine = await filled(arq_redis)
    every = await engine.open_ids(INCOMPLETE_STATES, 0, 100)

    for count in (1, 2, 3, 5, 7):
        starts = range(0, len(every) + 1, count)
        parts = [await engine.open_ids(INCOMPLETE_STATES, start, count) for start in starts]
        assert [one for part in parts for one in part] == every


async def test_job_whose_time_has_come_is_among_those_that_may_start(arq_redis: ArqRedis) -> None:
    """A job that is due, and that nobody has moved yet, may start."""
    engine = await filled(arq_redis)
    await arq_redis.zadd(engine.keys.sched, {"soon": 1})

    assert await engine.open_ids({JobState.AVAILABLE}, 0, 100) == ["now-2", "now-1", "now-0", "soon"]


async def test_plain_job_has_no_marks(arq_redis: ArqRedis) -> None:
    """A job that is no step and not unique says so."""
    engine = await filled(arq_redis)

    assert await engine.marks_of("soon") == ("", "")
