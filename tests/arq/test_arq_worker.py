"""A worker: what it is made of, what a job is told, how a run begins and ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from arq import ArqRedis, Worker, create_pool, cron, func, run_worker
from arq.connections import RedisSettings
from arq.cron import CronJob
from arq.jobs import JobResult
from arq.typing import WorkerSettingsBase
from arq.worker import FailedJobs, Function, JobExecutionFailed, create_worker, get_kwargs
from arq_toys import Ctx, Diary, Gate, add, again, at_work, boom, counts, end_of, enqueue, nothing, until


def test_func_of_a_coroutine_function() -> None:
    """The name is the function's; what is not said is None, that is the worker's."""
    function = func(add)

    assert isinstance(function, Function)
    assert (function.name, function.coroutine) == ("add", add)
    assert (function.timeout_s, function.keep_result_s) == (None, None)
    assert (function.keep_result_forever, function.max_tries) == (None, None)


def test_func_of_a_local_function() -> None:
    """The name is the qualified one."""

    async def local(ctx: Ctx) -> None: ...

    assert func(local).name == "test_func_of_a_local_function.<locals>.local"


def test_func_with_options() -> None:
    """Spans are seconds or timedeltas."""
    function = func(
        add,
        name="plus",
        keep_result=timedelta(minutes=1),
        timeout=5.5,
        keep_result_forever=False,
        max_tries=1,
    )

    assert (function.name, function.keep_result_s, function.timeout_s) == ("plus", 60, 5.5)
    assert (function.keep_result_forever, function.max_tries) == (False, 1)


def test_func_of_a_path() -> None:
    """A function may be named by its path, which is then its name."""
    function = func("arq_toys.add", max_tries=2)

    assert (function.name, function.coroutine, function.max_tries) == ("arq_toys.add", add, 2)
    assert func("arq_toys.add", name="plus").name == "plus"


def test_func_of_a_function() -> None:
    """What is a `Function` already is returned as it is."""
    function = func(add, name="plus")

    assert func(function, name="minus") is function
    assert function.name == "plus"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nodots", '^"nodots" doesn\'t look like a module path$'),
        ("arq_toys.nope", '^Module "arq_toys" does not define a "nope" attribute$'),
    ],
)
def test_func_of_a_wrong_path(path: str, text: str) -> None:
    """A path that leads nowhere is told."""
    with pytest.raises(ImportError, match=text):
        func(path)


@pytest.mark.parametrize("thing", [123, {"a": 1}])
def test_func_of_something_else(thing: Any) -> None:
    """What cannot be called is no function."""
    with pytest.raises(RuntimeError, match=r"is not a"):
        func(thing)


def test_function_is_replaceable() -> None:
    """What is called may be replaced: integrations do that."""
    function = func(add)

    function.coroutine = nothing

    assert function.coroutine is nothing


async def test_worker_shows_what_it_is_told(redis_settings: RedisSettings) -> None:
    """The attributes that applications read."""
    zone = timezone(timedelta(hours=3))
    state = {"mine": 1}
    worker = Worker(
        [add, func(boom, name="other")],
        queue_name="mine",
        redis_settings=redis_settings,
        burst=True,
        ctx=state,
        max_burst_jobs=3,
        timezone=zone,
        handle_signals=False,
    )

    assert list(worker.functions) == ["add", "other"]
    assert worker.functions["other"].coroutine is boom
    assert (worker.queue_name, worker.burst, worker.max_burst_jobs) == ("mine", True, 3)
    assert worker.redis_settings == redis_settings
    assert worker.ctx is state
    assert worker.timezone is zone
    assert worker.on_stop is None
    assert counts(worker) == (0, 0, 0)
    assert (dict(worker.tasks), dict(worker.job_tasks)) == ({}, {})
    assert repr(worker) == "<Worker j_complete=0 j_failed=0 j_retried=0 j_ongoing=0>"
    await worker.close()


async def test_defaults_of_a_worker(arq_redis: ArqRedis) -> None:
    """What it has when it is told nothing."""
    worker = Worker([add], redis_pool=arq_redis, handle_signals=False)

    assert worker.queue_name == "arq:queue"
    assert worker.redis_settings is None
    assert worker.pool is arq_redis
    assert (worker.burst, worker.max_burst_jobs) == (False, -1)
    assert worker.timezone is not None
    assert datetime.now(worker.timezone).utcoffset() == datetime.now().astimezone().utcoffset()
    await worker.close()


@pytest.mark.parametrize(("max_jobs", "given", "limit"), [(10, None, 100), (30, None, 150), (10, 7, 7)])
async def test_queue_read_limit(arq_redis: ArqRedis, max_jobs: int, given: int | None, limit: int) -> None:
    """Five times the slots, 100 at least, or what one says."""
    worker = Worker([add], redis_pool=arq_redis, max_jobs=max_jobs, queue_read_limit=given)

    assert worker.queue_read_limit == limit


async def test_worker_needs_something_to_do(arq_redis: ArqRedis) -> None:
    """Functions or cron jobs; one of them is enough."""
    with pytest.raises(RuntimeError, match=r"^at least one function or cron_job must be registered$"):
        Worker(redis_pool=arq_redis)
    assert list(Worker(cron_jobs=[cron(add)], redis_pool=arq_redis).functions) == ["cron:add"]


async def test_cron_jobs_must_be_such(arq_redis: ArqRedis) -> None:
    """A function is no cron job."""
    with pytest.raises(RuntimeError, match=r"^cron_jobs, must be instances of CronJob$"):
        Worker(cron_jobs=[add], redis_pool=arq_redis)


async def test_no_queue_is_that_of_the_pool(arq_redis: ArqRedis) -> None:
    """`queue_name=None` is the pool's default queue; without a pool there is none."""
    arq_redis.default_queue_name = "pools"

    assert Worker([add], queue_name=None, redis_pool=arq_redis).queue_name == "pools"
    with pytest.raises(ValueError, match=r"^If queue_name is absent, redis_pool must be present\.$"):
        Worker([add], queue_name=None)


async def test_ctx_of_a_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job is told its id, its try, when it was enqueued and due, and what the worker keeps."""
    diary = Diary()
    shared: list[int] = []
    job = await enqueue(arq_redis, "write", _job_id="id")
    [queued] = await arq_redis.queued_jobs()
    worker = make_worker(func(diary.write, name="write"), ctx={"shared": shared})

    await worker.run_check()

    [ctx] = diary.pages
    assert set(ctx) == {"shared", "redis", "job_id", "job_try", "enqueue_time", "score"}
    assert (ctx["job_id"], ctx["job_try"], ctx["score"]) == ("id", 1, queued.score)
    assert ctx["enqueue_time"] == queued.enqueue_time
    assert ctx["enqueue_time"].utcoffset() == timedelta(0)
    assert ctx["shared"] is shared
    assert ctx["redis"] is worker.pool is worker.ctx["redis"]
    assert await job.result() == 1


async def test_ctx_is_a_copy(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What a job puts into its ctx no other job sees."""

    async def spoil(ctx: Ctx) -> Any:
        found = ctx.get("mine")
        ctx["mine"] = True
        return found

    jobs = [await enqueue(arq_redis, "spoil") for _ in range(2)]
    worker = make_worker(func(spoil, name="spoil"))
    await worker.run_check()

    assert [await job.result() for job in jobs] == [None, None]
    assert "mine" not in worker.ctx


async def test_jobs_enqueue_jobs(
    arq_redis: ArqRedis, redis_settings: RedisSettings, make_worker: Any
) -> None:
    """`ctx['redis']` enqueues to the worker's queue when the worker made the pool."""

    async def parent(ctx: Ctx) -> None:
        await ctx["redis"].enqueue_job("add", 1, 2, _job_id="child")

    await enqueue(arq_redis, "parent", _queue_name="mine")
    worker = make_worker(func(parent, name="parent"), add, queue_name="mine", redis_settings=redis_settings)

    assert await worker.run_check() == 2
    assert [result.queue_name for result in await arq_redis.all_job_results()] == ["mine", "mine"]


async def test_counters(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Complete, failed and retried jobs are counted, and shown."""
    await enqueue(arq_redis, "add")
    await enqueue(arq_redis, "again", 2)
    await enqueue(arq_redis, "boom")
    worker = make_worker(add, again, boom)
    await worker.async_run()

    assert counts(worker) == (2, 1, 2)
    assert repr(worker) == "<Worker j_complete=2 j_failed=1 j_retried=2 j_ongoing=0>"


async def test_running_jobs_are_shown(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What runs is counted as ongoing and has its task."""
    gate = Gate()
    await enqueue(arq_redis, "gate", _job_id="id")

    async with at_work(make_worker(func(gate.enter, name="gate"))) as worker:
        await gate.started.wait()

        assert repr(worker).endswith("j_ongoing=1>")
        assert list(worker.tasks) == list(worker.job_tasks) == ["id"]
        gate.open.set()
        await until(lambda: worker.jobs_complete == 1)


async def test_no_more_jobs_at_once_than_slots(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`max_jobs` is how many jobs run at once."""
    now, most = 0, 0

    async def work(ctx: Ctx) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1

    for _ in range(12):
        await enqueue(arq_redis, "work")

    assert await make_worker(func(work, name="work"), max_jobs=3).run_check() == 12
    assert most == 3


async def test_first_in_first_out(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Jobs start in the order they were enqueued."""
    diary = Diary()
    for n in range(5):
        await enqueue(arq_redis, "write", n)
        await asyncio.sleep(0.002)

    await make_worker(func(diary.write, name="write"), max_jobs=1).run_check()

    assert diary.args == [0, 1, 2, 3, 4]


async def test_burst_of_nothing_ends(make_worker: Any) -> None:
    """A burst without jobs is over at once."""
    assert await make_worker(add).run_check() == 0


async def test_run_check_tells_of_one_failure(arq_redis: ArqRedis, make_worker: Any) -> None:
    """One failed job is told by its exception."""
    await enqueue(arq_redis, "boom", "bad")

    with pytest.raises(FailedJobs) as raised:
        await make_worker(boom).run_check()

    assert (raised.value.count, len(raised.value.job_results)) == (1, 1)
    assert isinstance(raised.value.job_results[0], JobResult)
    assert str(raised.value) == "1 job failed ValueError('bad')"
    assert repr(raised.value) == "<1 job failed ValueError('bad')>"


async def test_run_check_tells_of_several_failures(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Several failed jobs are told line by line, by enqueue time."""
    for text in ("bad", "worse"):
        await enqueue(arq_redis, "boom", text)
        await asyncio.sleep(0.002)
    await enqueue(arq_redis, "add")

    with pytest.raises(FailedJobs) as raised:
        await make_worker(boom, add).run_check()

    assert str(raised.value) == "2 jobs failed:\nValueError('bad')\nValueError('worse')"


async def test_run_check_shows_all_failures_that_are_kept(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The number is that of this worker; the results are all that Redis holds."""
    await enqueue(arq_redis, "boom", "earlier")
    await make_worker(boom).async_run()
    await enqueue(arq_redis, "boom", "later")

    with pytest.raises(FailedJobs) as raised:
        await make_worker(boom).run_check()

    assert (raised.value.count, len(raised.value.job_results)) == (1, 2)


@pytest.mark.parametrize(("limit", "ran"), [(0, 0), (1, 1), (3, 3), (-1, 4), (9, 4)])
async def test_max_burst_jobs(arq_redis: ArqRedis, make_worker: Any, limit: int, ran: int) -> None:
    """A burst may be told how many jobs to start; negative is all."""
    for _ in range(4):
        await enqueue(arq_redis, "add")

    assert await make_worker(add, max_burst_jobs=limit).run_check() == ran
    assert len(await arq_redis.queued_jobs()) == 4 - ran


async def test_run_check_may_limit_the_burst(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`run_check` takes a limit of its own."""
    for _ in range(3):
        await enqueue(arq_redis, "add")

    assert await make_worker(add).run_check(max_burst_jobs=2) == 2


async def test_worker_runs_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`main` and `async_run` may be called again; the counters go on."""
    worker = make_worker(add)
    for _ in range(2):
        await enqueue(arq_redis, "add")
        await worker.main()
    await enqueue(arq_redis, "add")
    await worker.async_run()

    assert worker.jobs_complete == 3


async def test_workers_share_a_queue(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Each job runs once, on whatever worker."""
    diary = Diary()
    for n in range(20):
        await enqueue(arq_redis, "write", n)
    workers = [make_worker(func(diary.write, name="write"), max_jobs=2) for _ in range(3)]

    await asyncio.gather(*(worker.async_run() for worker in workers))

    assert sorted(diary.args) == list(range(20))
    assert sum(worker.jobs_complete for worker in workers) == 20


async def test_startup_and_shutdown(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`on_startup` comes before the first job, `on_shutdown` when the worker is closed; both get its ctx."""
    seen: list[str] = []

    async def start(ctx: Ctx) -> None:
        seen.append("start")
        ctx["state"] = "warm"
        assert ctx["redis"] is not None

    async def work(ctx: Ctx) -> str:
        seen.append("work")
        state: str = ctx["state"]
        return state

    async def stop(ctx: Ctx) -> None:
        seen.append(f"stop {ctx['state']}")

    job = await enqueue(arq_redis, "work")
    worker = make_worker(func(work, name="work"), on_startup=start, on_shutdown=stop)
    await worker.async_run()
    assert seen == ["start", "work"]
    await worker.close()

    assert seen == ["start", "work", "stop warm"]
    assert await job.result() == "warm"


async def test_startup_that_raises_ends_the_worker(make_worker: Any) -> None:
    """A worker that cannot start up does not start."""

    async def fail(ctx: Ctx) -> None:
        raise ValueError("cold")

    with pytest.raises(ValueError, match=r"^cold$"):
        await make_worker(add, on_startup=fail).async_run()


async def test_worker_that_connects(redis_settings: RedisSettings, make_worker: Any) -> None:
    """A worker without a pool makes one, with its queue and expiry."""
    worker = make_worker(add, redis_settings=redis_settings, queue_name="mine", expires_extra_ms=1_000)

    await worker.run_check()

    assert isinstance(worker.pool, ArqRedis)
    assert (worker.pool.default_queue_name, worker.pool.expires_extra_ms) == ("mine", 1_000)


async def test_closing_twice(redis_settings: RedisSettings) -> None:
    """A worker may be closed twice, and before it has run."""
    worker = Worker([add], redis_settings=redis_settings, burst=True, handle_signals=False)
    await worker.close()

    ran = Worker([add], redis_settings=redis_settings, burst=True, handle_signals=False)
    await ran.async_run()
    await ran.close()
    await ran.close()


class Plain:
    functions = (add,)
    max_jobs = 4
    queue_name = "mine"
    nobody_knows_this = 1


class Annotated(WorkerSettingsBase):
    functions = (add,)


def test_settings_of_a_class() -> None:
    """Attributes that a worker knows are taken, others left alone."""
    assert get_kwargs(Plain) == {"functions": (add,), "max_jobs": 4, "queue_name": "mine"}
    assert get_kwargs(Annotated)["functions"] == (add,)


def test_settings_of_a_dict() -> None:
    """A dict is as good as a class."""
    assert get_kwargs({"functions": [add], "nobody_knows_this": 1}) == {"functions": [add]}


async def test_arguments_win_over_settings(arq_redis: ArqRedis) -> None:
    """What is given by name wins."""
    worker = create_worker(Plain, queue_name="other", redis_pool=arq_redis, burst=True)

    assert isinstance(worker, Worker)
    assert (worker.queue_name, worker.burst, list(worker.functions)) == ("other", True, ["add"])


def test_run_worker(redis_settings: RedisSettings) -> None:
    """`run_worker` makes a worker, runs and closes it, and hands it back."""
    seen: list[str] = []

    async def fill(ctx: Ctx) -> None:
        await ctx["redis"].enqueue_job("add", 1, 2)

    async def stop(ctx: Ctx) -> None:
        seen.append("stopped")

    settings = {"functions": [add], "on_startup": fill, "on_shutdown": stop, "poll_delay": 0.01}
    worker = run_worker(settings, redis_settings=redis_settings, burst=True)

    assert (worker.jobs_complete, seen) == (1, ["stopped"])


def test_errors_of_jobs_compare() -> None:
    """`JobExecutionFailed` compares by its arguments."""
    assert JobExecutionFailed("a") == JobExecutionFailed("a")
    assert JobExecutionFailed("a") != JobExecutionFailed("b")
    assert JobExecutionFailed("a") != RuntimeError("a")


def test_failed_jobs_without_results() -> None:
    """When no result was kept the number is told."""
    assert str(FailedJobs(2, [])) == "2 jobs failed:\n"
    assert FailedJobs(3, []).count == 3


async def test_functions_by_path(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker takes paths, too; jobs then name the function by its path."""
    job = await enqueue(arq_redis, "arq_toys.add", 1, 2)

    await make_worker("arq_toys.add").run_check()

    assert await job.result() == 3


async def test_results_of_two_pools(
    arq_redis: ArqRedis, make_worker: Any, redis_settings: RedisSettings
) -> None:
    """A result may be read from anywhere."""
    await enqueue(arq_redis, "add", 2, 2, _job_id="id")
    await make_worker(add).run_check()

    other = await create_pool(redis_settings)
    [result] = await other.all_job_results()
    await other.aclose(close_connection_pool=True)

    assert (result.job_id, result.result) == ("id", 4)


def test_cron_job_is_replaceable() -> None:
    """What a cron job calls may be replaced, too."""
    job = cron(add)

    job.coroutine = nothing

    assert isinstance(job, CronJob)
    assert job.coroutine is nothing


async def test_times_of_a_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A result tells when its run began and ended."""

    async def work(ctx: Ctx) -> None:
        await asyncio.sleep(0.05)

    before = datetime.now(UTC)
    job = await enqueue(arq_redis, "work")
    await make_worker(func(work, name="work")).run_check()

    ended = await end_of(job)
    assert timedelta(seconds=0.04) < ended.finish_time - ended.start_time < timedelta(seconds=2)
    assert before - timedelta(milliseconds=2) < ended.start_time
