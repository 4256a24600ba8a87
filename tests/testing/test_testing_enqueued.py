"""Assertions about what was enqueued."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from testing_toys import act, take

from arqlite import ArqRedis, Retry
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError
from arqlite.model.states import JobState
from arqlite.testing import ANY, all_enqueued, assert_enqueued, drain_queue, refute_enqueued


async def test_lists_what_waits_newest_first(arq_redis: ArqRedis) -> None:
    """Available and scheduled jobs of all queues are listed, the newest first."""
    await arq_redis.enqueue(act, "ok", 1)
    await arq_redis.options(delay=60).enqueue(act, "ok", 2)
    await arq_redis.options(queue="other", priority=3, tags=["A"], meta={"m": 1}).enqueue(act, "ok", 3)

    jobs = await all_enqueued(arq_redis)

    assert [(job.args[1], job.state) for job in jobs] == [
        (3, JobState.AVAILABLE),
        (2, JobState.SCHEDULED),
        (1, JobState.AVAILABLE),
    ]
    assert (jobs[0].queue, jobs[0].priority, jobs[0].tags, jobs[0].meta) == ("other", 3, ("a",), {"m": 1})


async def test_other_functions_are_shown_without_names(arq_redis: ArqRedis) -> None:
    """A failed assertion gives the arguments of another function no names of the one that was expected."""
    await arq_redis.enqueue(act, "ok", 7)

    with pytest.raises(AssertionError, match=r"function='act', args={} and \['ok', 7\]"):
        await assert_enqueued(arq_redis, take, args={"user": {}})


@pytest.mark.parametrize("part", ["args", "kwargs"])
async def test_argument_that_the_function_has_not_is_refused(arq_redis: ArqRedis, part: str) -> None:
    """A slip in the name of an argument is told, rather than proving that there is no such job."""
    filters: Any = {part: {"usr": {}}}
    for look in (refute_enqueued, all_enqueued, assert_enqueued):
        with pytest.raises(ConfigurationError, match="take has no argument 'usr'; did you mean 'user'"):
            await look(arq_redis, take, **filters)

    await refute_enqueued(arq_redis, act, args={"user": {}})
    await refute_enqueued(arq_redis, "take", **filters)


async def test_suspended_jobs_are_listed(arq_redis: ArqRedis) -> None:
    """A job that waits for others is enqueued as well."""
    job = await arq_redis.enqueue(act)
    keys = RedisEngine(arq_redis, "arq:queue").keys
    await arq_redis.zrem(keys.ready, job.job_id)
    await arq_redis.zadd(keys.base + "susp", {job.job_id: 0})

    [found] = await all_enqueued(arq_redis, state="suspended")

    assert (found.id, found.state) == (job.job_id, JobState.SUSPENDED)


async def test_running_and_ended_jobs_are_not_enqueued(arq_redis: ArqRedis) -> None:
    """Executing, completed and discarded jobs are not listed."""
    await arq_redis.enqueue(act, "ok")
    await arq_redis.enqueue(act, "raise")
    await drain_queue(arq_redis, [act])
    await arq_redis.enqueue(act, "ok")
    engine = RedisEngine(arq_redis, "arq:queue")
    await engine.open("s", 60_000)
    await engine.turn("s", 1, {}, [])

    assert await all_enqueued(arq_redis) == []
    await engine.leave("s")
    await engine.close()


async def test_by_function_queue_args_and_meta(arq_redis: ArqRedis) -> None:
    """A job is found by its function or name, its queue, and parts of its arguments and meta."""
    await arq_redis.options(queue="mail", meta={"a": 1, "b": {"c": 2, "d": 3}}, tags=["x", "y"]).enqueue(
        take, {"id": 7, "name": "Ada"}, date(2030, 1, 2), note="hi"
    )

    job = await assert_enqueued(arq_redis, take)

    assert job.function == "take"
    await assert_enqueued(arq_redis, "take", queue="mail")
    await assert_enqueued(arq_redis, take, args={})
    await assert_enqueued(arq_redis, take, args={"user": {"id": 7}, "note": "hi"})
    await assert_enqueued(arq_redis, take, args={"when": date(2030, 1, 2)})
    await assert_enqueued(arq_redis, take, args=[{"id": 7, "name": "Ada"}, "2030-01-02"])
    await assert_enqueued(arq_redis, "take", kwargs={"note": ANY})
    await assert_enqueued(arq_redis, meta={"b": {"d": 3}}, tags=["X"], priority=0, state="available")
    await refute_enqueued(arq_redis, take, queue="other")
    await refute_enqueued(arq_redis, act)
    await refute_enqueued(arq_redis, take, args={"user": {"id": 8}})
    await refute_enqueued(arq_redis, take, args=[{"id": 7}])
    await refute_enqueued(arq_redis, take, args={"user": {"absent": ANY}})
    await refute_enqueued(arq_redis, take, meta={"b": {"e": ANY}})
    await refute_enqueued(arq_redis, take, tags=["z"])
    await refute_enqueued(arq_redis, take, state="scheduled")


async def test_by_the_moment_it_is_due(arq_redis: ArqRedis) -> None:
    """A moment may be off by a second, or by `delta`; moments are compared whatever their zones."""
    at = datetime(2040, 1, 1, 12, tzinfo=UTC)
    await arq_redis.options(at=at).enqueue(act)

    await assert_enqueued(arq_redis, act, at=at + timedelta(seconds=0.9))
    await assert_enqueued(arq_redis, act, at=at.astimezone(timezone(timedelta(hours=5))))
    await assert_enqueued(arq_redis, act, at=at + timedelta(seconds=9), delta=10)
    await refute_enqueued(arq_redis, act, at=at + timedelta(seconds=9))


async def test_by_the_delay_from_now(arq_redis: ArqRedis) -> None:
    """A delay counts from now, in seconds or as a timedelta."""
    await arq_redis.options(delay=3600).enqueue(act)

    await assert_enqueued(arq_redis, act, delay=3600)
    await assert_enqueued(arq_redis, act, delay=timedelta(hours=1))
    await assert_enqueued(arq_redis, act, delay=3590, delta=timedelta(seconds=15))
    await refute_enqueued(arq_redis, act, delay=60)


async def test_assert_waits_until_it_is_enqueued(arq_redis: ArqRedis) -> None:
    """With a timeout, a job that comes in time is found."""

    async def later() -> None:
        await refute_enqueued(arq_redis, act)
        await arq_redis.enqueue(act)

    coming = asyncio.create_task(later())

    await assert_enqueued(arq_redis, act, timeout=10)
    await coming


async def test_assert_returns_at_once_when_it_is_there(arq_redis: ArqRedis) -> None:
    """A timeout is not waited for when the job is there."""
    await arq_redis.enqueue(act)

    async with asyncio.timeout(5):
        await assert_enqueued(arq_redis, act, timeout=60)


async def test_refute_waits_the_whole_time(arq_redis: ArqRedis) -> None:
    """With a timeout, a job that comes in the meantime fails the refutation; none passes it."""
    await refute_enqueued(arq_redis, act, timeout=0.02)

    async def later() -> None:
        await all_enqueued(arq_redis)
        await arq_redis.enqueue(act, "late")

    coming = asyncio.create_task(later())
    with pytest.raises(AssertionError, match="such a job is enqueued"):
        await refute_enqueued(arq_redis, act, timeout=10)
    await coming


async def test_failure_shows_the_filter_and_what_was_found(arq_redis: ArqRedis) -> None:
    """The message has what was expected and the same fields of each job that waits."""
    await arq_redis.options(priority=2).enqueue(act, "ok", 5)
    await arq_redis.enqueue("act", "raise")

    with pytest.raises(AssertionError) as caught:
        await assert_enqueued(arq_redis, act, args={"ref": 6}, priority=1)

    assert str(caught.value).splitlines() == [
        "no such job is enqueued",
        "expected:",
        "    function: 'act'",
        "    args: {'ref': 6}",
        "    priority: 1",
        "found 2, newest first:",
        "    function='act', args={'action': 'raise'}, priority=0",
        "    function='act', args={'action': 'ok', 'ref': 5}, priority=2",
    ]


async def test_failure_says_that_nothing_waits(arq_redis: ArqRedis) -> None:
    """The message of an empty queue says so."""
    with pytest.raises(AssertionError, match="found: no job that waits"):
        await assert_enqueued(arq_redis, act)


async def test_failure_says_why_a_name_has_no_arguments_by_name(arq_redis: ArqRedis) -> None:
    """Arguments by place of a function that is only named have no names, and the message says so."""
    await arq_redis.enqueue("act", "ok")

    with pytest.raises(AssertionError, match="get names only from the function itself"):
        await assert_enqueued(arq_redis, "act", args={"action": "ok"})


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"colour": "red"}, "no filter 'colour'"),
        ({"state": "completed"}, "state must be one of those that wait"),
        ({"delay": 1, "at": datetime(2040, 1, 1, tzinfo=UTC)}, "either delay or at"),
        ({"args": "ok"}, "args must be a dict by parameter names or a list"),
        ({"meta": [1]}, "meta must be a dict"),
        ({"delta": -1}, "delta must be at least 0"),
        ({"timeout": "soon"}, "timeout must be a number of seconds"),
    ],
)
async def test_filter_that_cannot_work_is_refused(
    arq_redis: ArqRedis, filters: dict[str, Any], words: str
) -> None:
    """A filter that cannot work is refused in words, instead of matching nothing."""
    with pytest.raises(ConfigurationError, match=words):
        await assert_enqueued(arq_redis, act, **filters)


async def test_what_is_no_function_is_refused(arq_redis: ArqRedis) -> None:
    """A class is no task."""
    with pytest.raises(ConfigurationError, match="must be a function"):
        await assert_enqueued(arq_redis, Retry)
