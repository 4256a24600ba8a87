"""A queue run empty in the test's own time, on fakeredis and on a real server."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cpu_jobs
import pytest
from testing_toys import Broken, act, brief, oban, plain

from arqlite import ArqRedis, Inspector, JobState, JobStatus, Snooze, func, task
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError
from arqlite.telemetry import JobStarted, JobStopped, WorkerStarted, attach, detach
from arqlite.testing import Clock, DrainCounts, all_enqueued, drain_queue


async def test_counts_and_results(arq_redis: ArqRedis) -> None:
    """Jobs end as in a worker: what completed has a result, what raised is discarded, `Retry` failed."""
    job = await arq_redis.enqueue(act, "ok", 1)
    failed = await arq_redis.enqueue(act, "raise", 2)
    again = await arq_redis.enqueue(act, "retry", 3)
    doubled = await arq_redis.enqueue(plain, 4)

    counts = await drain_queue(arq_redis, [act, plain])

    assert counts == DrainCounts(cancelled=0, discarded=1, failure=1, snoozed=0, success=2)
    assert await job.result() == ["ok", 1]
    assert await doubled.result() == 8
    assert await again.status() == JobStatus.deferred
    with pytest.raises(Exception, match="Broken: 2"):
        await failed.result()


async def test_every_outcome_of_a_task_is_counted(arq_redis: ArqRedis) -> None:
    """Of tasks every outcome has its count; one that fails at its last attempt is discarded."""
    for action in ("ok", "raise", "ok", "snooze", "cancel", "discard"):
        await arq_redis.enqueue(oban, action)
    last = await arq_redis.options(max_attempts=1).enqueue(oban, "raise", 7)

    counts = await drain_queue(arq_redis, [oban])

    assert counts == DrainCounts(cancelled=1, discarded=2, failure=1, snoozed=1, success=2)
    assert [(error.attempt, error.message) for error in await last.errors()] == [(1, "7")]
    assert await all_enqueued(arq_redis, oban, state="scheduled", delay=60) != []


async def test_failed_tasks_are_not_run_again_in_the_same_drain(arq_redis: ArqRedis) -> None:
    """A failed job waits for its back-off; with recursion and the scheduled ones it runs to its end."""
    job = await arq_redis.options(max_attempts=3).enqueue(oban, "raise")

    once = await drain_queue(arq_redis, [oban], with_recursion=True)
    rest = await drain_queue(arq_redis, [oban], with_recursion=True, with_scheduled=True)

    assert (once, rest) == (DrainCounts(failure=1), DrainCounts(failure=1, discarded=1))
    assert [error.attempt for error in await job.errors()] == [1, 2, 3]


async def test_job_knows_its_errors_in_a_drain(arq_redis: ArqRedis) -> None:
    """A job that is tried again finds what it failed with before."""
    seen: list[Any] = []

    async def fall_back(job: Any, error: BaseException) -> None:
        seen.append([one.message for one in job.errors] + [str(error)])

    job = await arq_redis.enqueue(replace(oban, max_attempts=2), "raise", 3)
    await drain_queue(arq_redis, [replace(oban, max_attempts=2, on_discard=fall_back)], with_scheduled=True)
    await drain_queue(arq_redis, [replace(oban, max_attempts=2, on_discard=fall_back)], with_scheduled=True)

    assert seen == [["3", "3"]]
    assert await job.status() == JobStatus.complete


async def test_expired_job_is_discarded_aloud(arqlite_redis: ArqRedis, arqlite_clock: Clock) -> None:
    """A job that is not run any more counts as discarded, and its task hears of it."""
    heard: list[str] = []
    deaf = replace(oban, on_discard=lambda job, error: heard.append(str(error)))
    await arqlite_redis.options(expires=60).enqueue(deaf)
    arqlite_clock.advance(61)

    counts = await drain_queue(arqlite_redis, [deaf])

    assert (counts, heard) == (DrainCounts(discarded=1), ["job expired"])


async def test_scheduled_jobs_are_left_by_default(arq_redis: ArqRedis) -> None:
    """Scheduled jobs are skipped, and all run with `with_scheduled=True`, in the order they are due."""
    done: list[int] = []
    await arq_redis.options(delay=7200).enqueue(act, "ok", 2)
    await arq_redis.options(delay=3600).enqueue(act, "ok", 1)

    assert await drain_queue(arq_redis, [act]) == DrainCounts()
    counts = await drain_queue(arq_redis, [act], with_scheduled=True, ctx={"done": done})

    assert counts == DrainCounts(success=2)
    assert done == [1, 2]


async def test_scheduled_until_a_moment(arq_redis: ArqRedis) -> None:
    """With a datetime, what is due then or before runs."""
    now = datetime.now(UTC).replace(microsecond=0)
    for seconds in (3600, 7200):
        await arq_redis.options(at=now + timedelta(seconds=seconds)).enqueue(act)

    ran = [
        (await drain_queue(arq_redis, [act], with_scheduled=now + timedelta(seconds=seconds))).success
        for seconds in (1, 3599, 3600, 9000)
    ]

    assert ran == [0, 0, 1, 1]


async def test_without_safety_the_exception_is_raised(arq_redis: ArqRedis) -> None:
    """`with_safety=False` raises what the job raised when its end is stored; what waits behind it stays."""
    failed = await arq_redis.enqueue(act, "raise", 1)
    behind = await arq_redis.enqueue(act, "ok", 2)

    with pytest.raises(Broken):
        await drain_queue(arq_redis, [act], with_safety=False)

    assert await failed.status() == JobStatus.complete
    assert await behind.status() == JobStatus.queued
    assert await drain_queue(arq_redis, [act]) == DrainCounts(success=1)


async def test_without_safety_a_timeout_is_raised(arq_redis: ArqRedis) -> None:
    """A job that takes too long raises TimeoutError."""
    await arq_redis.enqueue(brief, "hang")

    with pytest.raises(TimeoutError):
        await drain_queue(arq_redis, [brief], with_safety=False)


async def test_without_safety_a_job_may_ask_for_a_retry(arq_redis: ArqRedis) -> None:
    """`Retry` is no crash: it counts as a failure."""
    await arq_redis.enqueue(act, "retry")

    assert await drain_queue(arq_redis, [act], with_safety=False) == DrainCounts(failure=1)


async def test_recursion_runs_what_jobs_enqueue(arq_redis: ArqRedis) -> None:
    """Jobs that were enqueued meanwhile run in the next pass, of which there is one only with recursion."""
    await arq_redis.enqueue(act, "recur", 2)

    assert await drain_queue(arq_redis, [act]) == DrainCounts(success=1)
    assert await drain_queue(arq_redis, [act], with_recursion=True) == DrainCounts(success=2)


async def test_what_is_enqueued_ahead_of_others_waits_for_the_next_pass(arq_redis: ArqRedis) -> None:
    """A job of a higher priority that comes in the middle of a pass stays as it is for the next one."""
    done: list[int] = []

    async def urge(ctx: dict[str, Any]) -> None:
        await arq_redis.options(priority=0).enqueue(act, "ok", 1)

    await arq_redis.options(priority=5).enqueue(urge)
    await arq_redis.options(priority=6).enqueue(act, "ok", 2)

    counts = await drain_queue(arq_redis, [act, urge], ctx={"done": done})

    assert (counts.success, done) == (2, [2])
    assert [job.args for job in await all_enqueued(arq_redis)] == [("ok", 1)]
    assert await drain_queue(arq_redis, [act]) == DrainCounts(success=1)


async def test_limit(arq_redis: ArqRedis) -> None:
    """`with_limit=1` runs one of two jobs, the first."""
    done: list[int] = []
    await arq_redis.enqueue(act, "ok", 1)
    await arq_redis.enqueue(act, "ok", 2)

    counts = await drain_queue(arq_redis, [act], with_limit=1, ctx={"done": done})

    assert (counts.success, done) == (1, [1])


async def test_failed_jobs_are_not_run_again(arq_redis: ArqRedis) -> None:
    """A job that asked for another try runs once in a drain."""
    done: list[int] = []
    await arq_redis.enqueue(act, "retry", 1)

    await drain_queue(arq_redis, [act], with_recursion=True, ctx={"done": done})

    assert done == [1]


async def test_retryable_jobs_run_with_the_scheduled_ones(arq_redis: ArqRedis) -> None:
    """`with_scheduled=True` runs a job again that waits for its next try, whenever that is due."""
    job = await arq_redis.enqueue(act, "retry", 1)

    counts = [await drain_queue(arq_redis, [act], with_scheduled=True) for _ in range(2)]

    assert [count.failure for count in counts] == [1, 1]
    assert getattr(await job.info(), "job_try", None) == 2


async def test_other_queues_are_left_alone(arq_redis: ArqRedis) -> None:
    """A drain touches no queue but its own."""
    await arq_redis.options(queue="one").enqueue(act)
    await arq_redis.options(queue="two").enqueue(act)

    assert await drain_queue(arq_redis, [act], queue="one") == DrainCounts(success=1)
    assert [job.queue for job in await all_enqueued(arq_redis)] == ["two"]


@task(queue="payments")
async def pay(ctx: dict[str, Any]) -> None: ...


@task(queue="payments")
async def refund(ctx: dict[str, Any]) -> None: ...


@pytest.mark.parametrize("functions", [pay, [pay], (pay, refund)])
async def test_functions_bring_their_queue(arq_redis: ArqRedis, functions: Any) -> None:
    """Without a queue it is that of the tasks, where they agree; one function need not be in a list."""
    await arq_redis.enqueue(pay)

    assert await drain_queue(arq_redis, functions) == DrainCounts(success=1)


@pytest.mark.parametrize("functions", [[pay, act], {"functions": [pay]}])
async def test_jobs_that_wait_elsewhere_are_told(
    arq_redis: ArqRedis, caplog: pytest.LogCaptureFixture, functions: Any
) -> None:
    """Where tasks belong to another queue than the one that was run, the log tells what waits there."""
    await arq_redis.enqueue(pay)
    await arq_redis.options(delay=60).enqueue(pay)

    assert await drain_queue(arq_redis, functions) == DrainCounts()
    assert await drain_queue(arq_redis, functions, with_scheduled=True) == DrainCounts()
    assert await drain_queue(arq_redis, functions, queue="arq:queue") == DrainCounts()

    told = "drain_queue ran the jobs of queue arq:queue; {} wait in queue payments, where pay belongs: {}"
    assert caplog.messages == [told.format(count, "say queue='payments'") for count in (1, 2)]


async def test_settings_bring_their_queue_hooks_and_startup(arq_redis: ArqRedis) -> None:
    """Of worker settings the queue, the limits and all hooks count, in the order of a worker."""
    told: list[str] = []

    async def say(ctx: dict[str, Any]) -> None:
        told.append(ctx["name"])

    async def up(ctx: dict[str, Any]) -> None:
        ctx["name"] = "up"
        await say(ctx)

    async def after(ctx: dict[str, Any]) -> None:
        told.append((await job.status()).value)

    class Settings:
        functions = (act,)
        queue_name = "own"
        on_startup = up
        on_shutdown = say
        on_job_start = say
        on_job_end = say
        after_job_end = after

    job = await arq_redis.options(queue="own").enqueue(act)

    assert await drain_queue(arq_redis, Settings) == DrainCounts(success=1)
    assert told == ["up", "up", "up", "complete", "up"]


async def test_given_ctx_stands_for_the_startup(arq_redis: ArqRedis) -> None:
    """With a ctx of the test's own `on_startup` and `on_shutdown` are not called."""

    async def never(ctx: dict[str, Any]) -> None:
        raise AssertionError

    await arq_redis.enqueue(act, "ctx")
    settings = {"functions": [act], "on_startup": never, "on_shutdown": never}

    assert await drain_queue(arq_redis, settings, ctx={}) == DrainCounts(success=1)


async def test_job_of_an_unknown_function_is_left(
    arq_redis: ArqRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that none of the functions is for stays, and the log says so."""
    job = await arq_redis.enqueue("other")

    assert await drain_queue(arq_redis, [act], with_recursion=True) == DrainCounts()
    assert await job.status() in (JobStatus.queued, JobStatus.deferred)
    assert "function 'other' not found" in caplog.text


async def test_nothing_remains_of_the_session(arq_redis: ArqRedis) -> None:
    """A drain leaves no session behind, whatever its jobs did."""
    await arq_redis.enqueue(act, "raise")

    with pytest.raises(Broken):
        await drain_queue(arq_redis, [act], with_safety=False)

    engine = RedisEngine(arq_redis, "arq:queue")
    assert await arq_redis.zcard(engine.keys.live) == 0
    assert (await engine.size()).jobs == 0


@pytest.mark.parametrize("name", ["act", "stranger"])
async def test_job_held_aside_can_be_cancelled(arq_redis: ArqRedis, name: str) -> None:
    """A job that a pass claimed and holds for the next one, or cannot run, is cancelled when it goes back."""
    inspector = Inspector(arq_redis)

    async def ahead(ctx: dict[str, Any]) -> None:
        await arq_redis.options(job_id="late").enqueue(name)

    async def cancels(ctx: dict[str, Any]) -> None:
        await inspector.cancel_job("late")

    await arq_redis.options(priority=1).enqueue(ahead)
    await arq_redis.options(priority=5).enqueue(cancels)
    stops: list[JobStopped] = []
    attach("test", JobStopped, stops.append)
    try:
        counts = await drain_queue(arq_redis, [act, ahead, cancels], with_recursion=True)
    finally:
        detach("test")

    assert counts == DrainCounts(success=2)
    view = await inspector.job("late")
    assert view is not None
    assert view.state is JobState.CANCELLED
    assert [stop.state for stop in stops].count("cancelled") == 1


async def test_job_that_snoozes_though_it_was_cancelled_is_cancelled(arq_redis: ArqRedis) -> None:
    """A job that is cancelled while it runs, and would run again, is cancelled when it goes back."""
    inspector = Inspector(arq_redis)

    async def stubborn(ctx: dict[str, Any]) -> Any:
        await inspector.cancel_job(ctx["job_id"])
        return Snooze(60)

    job = await arq_redis.enqueue(stubborn)
    await drain_queue(arq_redis, [stubborn])

    view = await inspector.job(job.job_id)
    assert view is not None
    assert view.state is JobState.CANCELLED


async def test_startup_that_raises_leaves_nothing_behind(arq_redis: ArqRedis) -> None:
    """What `on_startup` raises comes out, nothing is shut down that never was up, and the session ends."""

    async def broken(ctx: dict[str, Any]) -> None:
        raise Broken

    async def never(ctx: dict[str, Any]) -> None:
        raise AssertionError

    settings = {"functions": [act], "on_startup": broken, "on_shutdown": never}
    with pytest.raises(Broken):
        await drain_queue(arq_redis, settings)

    info = await Inspector(arq_redis).check_queue("arq:queue")
    assert info is None or info.sessions == []


async def test_cancelled_drain_gives_its_job_back(arq_redis: ArqRedis) -> None:
    """Whoever stops waiting for a drain leaves the queue as it was: the job costs no try."""
    job = await arq_redis.enqueue(act, "hang")
    begun = asyncio.Event()
    attach("begun", [JobStarted], lambda _: begun.set())
    draining = asyncio.create_task(drain_queue(arq_redis, [act]))
    await begun.wait()
    detach("begun")

    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining

    assert await job.status() == JobStatus.queued
    assert getattr(await job.info(), "job_try", 0) is None


async def test_no_worker_starts(arq_redis: ArqRedis) -> None:
    """A drain tells of its jobs as a worker does, and starts neither a worker nor a service."""
    seen: list[Any] = []
    attach("seen", [JobStarted, JobStopped, WorkerStarted], seen.append)
    await arq_redis.enqueue(act)

    await drain_queue(arq_redis, [act])

    detach("seen")
    assert [type(event) for event in seen] == [JobStarted, JobStopped]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_progress_and_lines_are_kept(arq_redis: ArqRedis) -> None:
    """What a job tells of itself is there after a drain."""

    async def tell(ctx: dict[str, Any]) -> None:
        ctx["progress"](1, 2)
        ctx["log"]("half")

    job = await arq_redis.enqueue(tell)
    await drain_queue(arq_redis, [tell])

    assert [line.message for line in await job.logs()] == ["half"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"with_limit": 0}, "with_limit must be a whole number of at least 1"),
        ({"with_scheduled": "now"}, "with_scheduled must be a datetime"),
        ({"queue": 3}, "queue must be a text"),
        ({"queue": ""}, "queue must be the name of one, got ''"),
        ({"with_safety": "no"}, "with_safety must be True or False, got 'no'"),
        ({"with_recursion": 1}, "with_recursion must be True or False, got 1"),
    ],
)
async def test_option_that_cannot_work_is_refused(
    arq_redis: ArqRedis, options: dict[str, Any], words: str
) -> None:
    """An option that cannot work is refused in words."""
    with pytest.raises(ConfigurationError, match=words):
        await drain_queue(arq_redis, [act], **options)


async def test_functions_run_in_processes_and_threads(arq_redis: ArqRedis) -> None:
    """Plain functions run where a worker would run them, in threads and in processes."""
    heavy = await arq_redis.enqueue(func(cpu_jobs.pid, cpu=True))
    light = await arq_redis.enqueue(plain, 2)

    counts = await drain_queue(arq_redis, [func(cpu_jobs.pid, cpu=True), plain])

    assert counts == DrainCounts(success=2)
    assert await heavy.result() != os.getpid()
    assert await light.result() == 4
