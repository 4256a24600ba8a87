"""Progress and logs of jobs, from the job through Redis to whoever reads them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from worker_toys import Ctx, Gate, at_work, counts, enqueue, lines, traces

from arqlite import ArqRedis, Retry, func, report_progress
from arqlite.engine import RedisEngine
from arqlite.jobs import Job, Progress
from arqlite.runtime import notekeeper
from arqlite.runtime.reporting import JobLogger

Steps = list[tuple[float, float | None, str]]


def told(progress: Progress | None) -> tuple[float, float | None, str] | None:
    return progress and (progress.current, progress.total, progress.message)


async def texts(job: Job) -> list[str]:
    return [line.message for line in await job.logs()]


async def count_to_three(ctx: Ctx) -> None:
    for number in range(1, 4):
        await ctx["progress"](number, 3, f"step {number}")
        ctx["log"].info("read %d rows", number)


# -- progress


async def test_last_progress_is_there_with_the_result(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Whoever has the result has the last progress, too, for as long as the result is kept."""
    job = await enqueue(arq_redis, "count_to_three")

    await make_worker([count_to_three]).run_check()

    progress = await job.progress()
    assert told(progress) == (3, 3, "step 3")
    assert progress is not None
    assert progress.fraction == 1.0
    assert progress.at.tzinfo is not None
    life: int = await arq_redis.pttl(RedisEngine(arq_redis, "arq:queue").keys.note(job.job_id))
    assert 3_600_000 < life <= 3_660_000


async def test_progress_of_a_running_job(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """What a job has told can be read while it runs, and nothing before it told anything."""
    gate = Gate()

    async def work(ctx: Ctx) -> None:
        ctx["progress"](1, 2)
        await gate(ctx)

    job = await enqueue(arq_redis, "work")
    assert await job.progress() is None
    async with at_work(make_worker([func(work, name="work")])):
        await gate.started.wait()

        async def reads() -> bool:
            return told(await job.progress()) == (1, 2, "")

        await eventually(reads)
        gate.open.set()
        await job.result(timeout=5)


async def test_progress_from_a_thread(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A plain function in a thread that has the job's context tells how far it is."""

    def crunch() -> None:
        for number in range(1000):
            report_progress(number + 1, 1000, "crunching")
        JobLogger()("crunched in a thread")

    async def work(ctx: Ctx) -> None:
        await asyncio.to_thread(crunch)

    job = await enqueue(arq_redis, "work")

    await make_worker([func(work, name="work")]).run_check()

    assert told(await job.progress()) == (1000, 1000, "crunching")
    assert await texts(job) == ["crunched in a thread"]


async def test_progress_of_many_jobs_at_once(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Jobs that run side by side, and tasks that they start, each tell of their own."""

    async def work(ctx: Ctx, number: int) -> None:
        async def part() -> None:
            await asyncio.sleep(0)
            report_progress(number, None, ctx["job_id"])

        await asyncio.gather(part())

    jobs = await arq_redis.enqueue_many([("work", (number,)) for number in range(50)])

    await make_worker([func(work, name="work")]).run_check()

    for number, job in enumerate(jobs):
        assert job is not None
        assert told(await job.progress()) == (number, None, job.job_id)


async def test_coalesced_reports_cost_few_calls(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job may tell of every row: Redis hears of the first and the last, and now and then in between."""
    calls: list[int] = []
    plain = RedisEngine.note

    async def counted(self: RedisEngine, session: str, stamp: str, notes: Any) -> int:
        calls.append(len(notes))
        return await plain(self, session, stamp, notes)

    monkeypatch.setattr(RedisEngine, "note", counted)

    async def work(ctx: Ctx) -> None:
        for number in range(5000):
            ctx["progress"](number + 1, 5000)
            if number % 1000 == 0:
                await asyncio.sleep(0)

    job = await enqueue(arq_redis, "work")
    await make_worker([func(work, name="work")]).run_check()

    assert told(await job.progress()) == (5000, 5000, "")
    assert 1 <= len(calls) <= 20


async def test_silent_job_costs_no_call(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that tells nothing leads to no call and leaves no key."""

    async def refused(*_: Any) -> int:
        raise AssertionError("nobody noted anything")

    monkeypatch.setattr(RedisEngine, "note", refused)

    async def quiet(ctx: Ctx) -> str:
        return "done"

    job = await enqueue(arq_redis, "quiet")
    await make_worker([func(quiet, name="quiet")]).run_check()

    assert (await job.progress(), await job.logs()) == (None, [])
    assert await traces(arq_redis) & {"note:" + job.job_id, "log:" + job.job_id} == set()


async def test_retry_starts_its_progress_anew(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A run that told nothing shows nothing of the one before; the log goes on, with the attempt."""
    seen: list[Any] = []

    async def work(ctx: Ctx) -> None:
        ctx["log"]("at it")
        if ctx["job_try"] == 1:
            ctx["progress"](1, 2)
            raise Retry()
        seen.append(await Job(ctx["job_id"], ctx["redis"]).progress())

    job = await enqueue(arq_redis, "work")
    await make_worker([func(work, name="work")]).run_check()

    assert seen == [None]
    assert await job.progress() is None
    assert [(line.message, line.attempt) for line in await job.logs()] == [("at it", 1), ("at it", 2)]


async def test_dead_workers_progress_is_over_with_the_next_run(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """What a run told whose worker died is shown until the job runs again, and not after."""
    engine = RedisEngine(arq_redis, "arq:queue")
    job = await enqueue(arq_redis, "work")
    gate = Gate()

    async def work(ctx: Ctx) -> None:
        ctx["progress"](1, 2)
        await gate(ctx)

    async with at_work(make_worker([func(work, name="work")], lease=600)):
        await gate.started.wait()
        await eventually(job.progress)
        session: Any = (await arq_redis.zrange(engine.keys.live, 0, -1))[0]
        await arq_redis.zadd(engine.keys.live, {session: 1})
        await engine.rescue("")
        waiting = await job.progress()
        await engine.open("other", 60_000)
        await engine.turn("other", 1, {}, ())
        running = await job.progress()
        await engine.leave("other")
        gate.open.set()

    assert told(waiting) == (1, 2, "")
    assert running is None
    await engine.close()


async def test_progress_of_an_older_job_is_not_shown(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job whose id was in use before has neither the progress nor the lines of the older one."""
    await enqueue(arq_redis, "count_to_three", _job_id="one")
    await make_worker([count_to_three]).run_check()
    keys = RedisEngine(arq_redis, "arq:queue").keys
    await arq_redis.hdel(keys.jobs, "one")  # as if its result had expired
    assert await arq_redis.exists(keys.note("one"), keys.log("one")) == 2
    job = await enqueue(arq_redis, "count_to_three", _job_id="one")

    before = await job.progress(), await job.logs()
    await make_worker([count_to_three]).run_check()

    assert before == (None, [])
    assert told(await job.progress()) == (3, 3, "step 3")
    assert await texts(job) == ["read 1 rows", "read 2 rows", "read 3 rows"]


async def test_result_that_is_not_kept_keeps_no_notes(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Where no result is kept nothing can be read, the lines are gone at once and the rest soon."""
    job = await enqueue(arq_redis, "count_to_three")

    await make_worker([func(count_to_three, keep_result=0)]).run_check()

    assert (await job.progress(), await job.logs()) == (None, [])
    keys = RedisEngine(arq_redis, "arq:queue").keys
    assert await arq_redis.exists(keys.log(job.job_id)) == 0
    life: int = await arq_redis.pttl(keys.note(job.job_id))
    assert life <= 10_000


async def test_result_that_is_kept_for_ever_keeps_its_notes(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What a job noted expires no sooner than its result."""
    job = await enqueue(arq_redis, "count_to_three")

    await make_worker([func(count_to_three, keep_result_forever=True)]).run_check()

    keys = RedisEngine(arq_redis, "arq:queue").keys
    assert [await arq_redis.pttl(key) for key in (keys.note(job.job_id), keys.log(job.job_id))] == [-1, -1]


async def test_deleted_job_has_no_notes(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`Job.delete` takes progress and lines along."""
    job = await enqueue(arq_redis, "count_to_three")
    await make_worker([count_to_three]).run_check()

    assert await job.delete()

    assert (await job.progress(), await job.logs()) == (None, [])
    assert not {trace for trace in await traces(arq_redis) if trace.startswith(("note:", "log:"))}


async def test_failed_job_shows_how_far_it_came(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that fails, or whose hook tells something at its end, keeps what it told."""

    async def fail(ctx: Ctx) -> None:
        ctx["progress"](2, 5)
        raise ValueError("no more")

    async def on_job_end(ctx: Ctx) -> None:
        ctx["log"]("told by a hook")

    job = await enqueue(arq_redis, "fail")
    worker = make_worker([func(fail, name="fail")], on_job_end=on_job_end)
    await worker.async_run()

    assert counts(worker) == (0, 1, 0)
    assert told(await job.progress()) == (2, 5, "")
    assert await texts(job) == ["told by a hook"]


async def test_what_is_told_too_late_is_not_kept(arq_redis: ArqRedis, make_worker: Any) -> None:
    """After the end of a job is stored nothing is attached to it, and nothing breaks."""
    leftover: list[asyncio.Task[None]] = []
    released = asyncio.Event()

    async def linger(ctx: Ctx) -> None:
        await released.wait()
        ctx["log"]("by a task that the job left behind")
        ctx["progress"](1)

    async def work(ctx: Ctx) -> None:
        leftover.append(asyncio.create_task(linger(ctx)))

    async def after_job_end(ctx: Ctx) -> None:
        ctx["log"]("after the end")

    job = await enqueue(arq_redis, "work")
    await make_worker([func(work, name="work")], after_job_end=after_job_end).run_check()
    released.set()
    await asyncio.gather(*leftover)

    assert (await job.progress(), await job.logs()) == (None, [])


async def test_bad_progress_is_told_once(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no number fails no job: the log says once which function told it."""

    async def work(ctx: Ctx) -> str:
        ctx["progress"]("half")
        return "done"

    jobs = [await enqueue(arq_redis, "work") for _ in range(3)]
    await make_worker([func(work, name="work")]).run_check()

    assert [await job.result() for job in jobs] == ["done"] * 3
    warnings = [line for line in lines(caplog) if "progress" in line]
    assert len(warnings) == 1
    assert warnings[0].endswith("its progress cannot be kept: current must be a number, got a str")


def test_outside_of_a_job_nothing_happens() -> None:
    """A job function that is called without a worker may tell what it likes."""
    report_progress(1, 2, "nobody listens")
    JobLogger()("nobody listens")


async def test_own_keys_of_ctx_stay(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Whoever has a `progress` or a `log` of their own in `ctx` keeps it."""
    seen: list[tuple[Any, Any]] = []

    async def work(ctx: Ctx) -> None:
        seen.append((ctx["progress"], ctx["log"]))
        report_progress(1, 1)

    job = await enqueue(arq_redis, "work")
    await make_worker([func(work, name="work")], ctx={"progress": "mine", "log": 7}).run_check()

    assert seen == [("mine", 7)]
    assert told(await job.progress()) == (1, 1, "")


# -- following


async def test_follower_hears_each_step(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who follows a job hears the state of now, each change as it comes, and the end."""
    steps: asyncio.Queue[float] = asyncio.Queue()

    async def work(ctx: Ctx) -> None:
        while (step := await steps.get()) < 4:
            ctx["progress"](step, 3)

    job = await enqueue(arq_redis, "work")
    heard: Steps = []
    async with at_work(make_worker([func(work, name="work")])), asyncio.timeout(20):
        await steps.put(1)
        # Polled so rarely, changes can only be heard of by message.
        async for progress in job.follow_progress(poll_delay=10):
            heard.append((progress.current, progress.total, progress.message))
            await steps.put(progress.current + 1)

    assert heard == [(1, 3, ""), (2, 3, ""), (3, 3, "")]


async def test_follower_without_messages(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A plain Redis client brings no messages: the follower looks now and then, and hears the same."""
    steps: asyncio.Queue[float] = asyncio.Queue()

    async def work(ctx: Ctx) -> None:
        while (step := await steps.get()) < 3:
            ctx["progress"](step, 2)

    job = await enqueue(arq_redis, "work")
    plain = Redis(connection_pool=arq_redis.connection_pool)
    heard = []
    async with at_work(make_worker([func(work, name="work")])), asyncio.timeout(20):
        await steps.put(1)
        async for progress in Job(job.job_id, plain).follow_progress(poll_delay=0.01):
            heard.append(progress.current)
            await steps.put(progress.current + 1)

    assert heard == [1, 2]


async def test_follower_of_a_finished_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who comes late hears how far the job came, once; of an unknown job there is nothing to hear."""
    job = await enqueue(arq_redis, "count_to_three")
    await make_worker([count_to_three]).run_check()

    heard = [told(progress) async for progress in job.follow_progress()]
    nothing = [progress async for progress in Job("unknown", arq_redis).follow_progress()]

    assert heard == [(3, 3, "step 3")]
    assert nothing == []


async def test_follower_of_a_job_without_a_result(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Also of a job that is gone with its end a follower hears the last word."""
    job = await enqueue(arq_redis, "count_to_three")
    first_look = asyncio.Event()
    heard: list[Any] = []

    class Watched(Job):
        async def info(self) -> Any:
            info = await super().info()
            first_look.set()
            return info

    async def follow() -> None:
        followed = Watched(job.job_id, arq_redis).follow_progress()
        heard.extend([told(progress) async for progress in followed])

    following = asyncio.create_task(follow())
    await first_look.wait()

    await make_worker([func(count_to_three, keep_result=0)]).run_check()

    await asyncio.wait_for(following, 5)
    assert heard[-1:] == [(3, 3, "step 3")]


async def test_follower_may_leave(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Who stops following leaves nothing behind, here and in Redis."""
    gate = Gate()

    async def work(ctx: Ctx) -> None:
        ctx["progress"](1)
        await gate(ctx)

    job = await enqueue(arq_redis, "work")
    async with at_work(make_worker([func(work, name="work")])):
        following: Any = job.follow_progress()
        assert inspect.isasyncgen(following)
        await anext(following)

        await following.aclose()

        [watch] = arq_redis._watches.values()
        assert (watch._followers, watch._waiting) == ({}, {})
        gate.open.set()
    assert await arq_redis.exists(RedisEngine(arq_redis, "arq:queue").keys.wait) == 0


# -- logs


async def test_lines_of_a_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What a job tells its log is attached to it, with level, logger and traceback, whatever logging does."""

    async def work(ctx: Ctx) -> None:
        log = ctx["log"]
        log("plain %s", "text")
        log.warning("%(a)s of a mapping", {"a": "one"})
        log.debug("not worth keeping")
        try:
            raise ValueError("inner")
        except ValueError:
            log.exception("it broke")
        log.error("%d", "no number")

    job = await enqueue(arq_redis, "work")
    logging.getLogger("arqlite.job").disabled = True
    try:
        await make_worker([func(work, name="work")]).run_check()
    finally:
        logging.getLogger("arqlite.job").disabled = False

    found = await job.logs()
    assert [(line.level_name, line.logger, line.attempt) for line in found] == [
        ("INFO", "arqlite.job", 1),
        ("WARNING", "arqlite.job", 1),
        ("ERROR", "arqlite.job", 1),
        ("ERROR", "arqlite.job", 1),
    ]
    assert [line.message for line in found[:2]] == ["plain text", "one of a mapping"]
    assert found[2].message.startswith("it broke\nTraceback")
    assert found[2].message.endswith("ValueError: inner")
    assert found[3].message.startswith("<this line cannot be shown: TypeError")


async def test_lines_go_to_logging_too(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a job is a logger like any other, and a line names the code that wrote it."""
    caplog.set_level(logging.INFO, "arqlite.job")

    async def work(ctx: Ctx) -> None:
        ctx["log"].info("by method")
        ctx["log"]("by call")

    await enqueue(arq_redis, "work")
    await make_worker([func(work, name="work")]).run_check()

    records = [record for record in caplog.records if record.name == "arqlite.job"]
    assert [record.getMessage() for record in records] == ["by method", "by call"]
    assert {(record.filename, record.funcName) for record in records} == {("test_job_notes.py", "work")}


async def test_flood_of_lines(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Of a flood the newest lines are kept, and how many are not."""

    async def flood(ctx: Ctx) -> None:
        for number in range(10_000):
            ctx["log"]("line %d", number)
            if number % 2000 == 0:
                await asyncio.sleep(0)

    job = await enqueue(arq_redis, "flood")
    await make_worker([func(flood, name="flood")]).run_check()

    found = await texts(job)
    assert len(found) == 1001
    assert found[0].startswith("9000 more lines are not kept")
    assert found[1:] == [f"line {number}" for number in range(9000, 10_000)]


async def test_captured_lines(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With `capture_logs` lines of any logger are attached, each once, from a level on, of the job alone."""
    outside = asyncio.Event()
    root = logging.getLogger()
    level_before, handlers_before = root.level, list(root.handlers)

    async def work(ctx: Ctx) -> None:
        library = logging.getLogger("some.library")
        library.info("at %d", 1)
        library.debug("not captured")
        await asyncio.to_thread(library.warning, "in a thread")
        ctx["log"]("told once")
        logging.getLogger("arqlite.job").warning("by name")
        outside.set()
        await asyncio.sleep(0)

    async def neighbour() -> None:
        await outside.wait()
        logging.getLogger("some.library").error("of nobody")

    beside = asyncio.create_task(neighbour())
    job = await enqueue(arq_redis, "work")
    root.setLevel(logging.INFO)
    try:
        await make_worker([func(work, name="work")], capture_logs="info").run_check()
    finally:
        root.setLevel(level_before)
    await beside

    assert [(line.logger, line.message) for line in await job.logs()] == [
        ("some.library", "at 1"),
        ("some.library", "in a thread"),
        ("arqlite.job", "told once"),
        ("arqlite.job", "by name"),
    ]
    assert root.handlers == handlers_before


# -- trouble with Redis


@pytest.mark.parametrize("error", [RedisConnectionError("away"), ResponseError("OOM")])
async def test_trouble_with_redis_hurts_no_job(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Where notes cannot be stored, the job runs on and ends as it would have."""

    async def broken(*_: Any) -> int:
        raise error

    monkeypatch.setattr(RedisEngine, "note", broken)
    jobs = [await enqueue(arq_redis, "count_to_three") for _ in range(3)]
    worker = make_worker([count_to_three], max_jobs=1)

    async with asyncio.timeout(10):
        await worker.run_check()

    assert counts(worker) == (3, 0, 0)
    assert [await job.progress() for job in jobs] == [None] * 3


async def test_silent_redis_holds_an_end_up_for_a_moment_only(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is never answered delays the end of its job by the keeper's patience, no longer."""
    monkeypatch.setattr(notekeeper, "_PATIENCE_S", 0.01)

    async def silent(*_: Any) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(RedisEngine, "note", silent)
    job = await enqueue(arq_redis, "count_to_three")

    async with asyncio.timeout(10):
        await make_worker([count_to_three]).run_check()

    assert await job.result() is None


async def test_notes_survive_an_outage(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """What a running job tells during an outage is stored when Redis is back, each line once."""
    away = True
    plain = RedisEngine.note

    async def flaky(self: RedisEngine, session: str, stamp: str, notes: Any) -> int:
        stored = await plain(self, session, stamp, notes)
        if away:  # the reply is lost, and the same call comes again
            raise RedisConnectionError("away")
        return stored

    monkeypatch.setattr(RedisEngine, "note", flaky)
    gate = Gate()

    async def work(ctx: Ctx) -> None:
        ctx["log"]("first")
        await gate(ctx)
        ctx["log"]("last")
        ctx["progress"](2, 2)

    job = await enqueue(arq_redis, "work")
    async with at_work(make_worker([func(work, name="work")])):
        await gate.started.wait()
        await eventually(lambda: texts(job))
        away = False
        gate.open.set()
        await job.result(timeout=5)

        async def reads() -> bool:
            return await texts(job) == ["first", "last"]

        await eventually(reads)


async def test_shutdown_stores_what_was_told(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that a shutdown gives back keeps its lines, also its very last, and has no progress any more."""
    gate = Gate()

    async def work(ctx: Ctx) -> None:
        ctx["progress"](1, 2)
        try:
            await gate(ctx)
        finally:
            ctx["log"]("told to stop")

    job = await enqueue(arq_redis, "work")
    async with at_work(make_worker([func(work, name="work")])):
        await gate.started.wait()

    assert await job.progress() is None
    assert await texts(job) == ["told to stop"]


async def test_aborted_job_keeps_what_it_told(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that is aborted while it runs shows how far it came."""
    gate = Gate()

    async def work(ctx: Ctx) -> None:
        ctx["progress"](1, 2)
        await gate(ctx)

    job = await enqueue(arq_redis, "work")
    async with at_work(make_worker([func(work, name="work")], allow_abort_jobs=True)):
        await gate.started.wait()

        assert await job.abort(timeout=5)

        assert told(await job.progress()) == (1, 2, "")
