"""`enqueue_job` and its options, and the listings of a pool."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from arq import ArqRedis, func
from arq.jobs import Job, JobDef, JobResult, JobStatus, SerializationError
from arq.utils import timestamp_ms
from arq.worker import JobExecutionFailed
from arq_toys import Diary, Gate, add, again, at_work, boom, echo, end_of, enqueue, nothing


async def test_job_is_handed_back(arq_redis: ArqRedis) -> None:
    """A new job is a `Job` whose id is new; an empty id means a new one, too."""
    one, two = await enqueue(arq_redis, "add"), await enqueue(arq_redis, "add", _job_id="")

    assert isinstance(one, Job)
    assert isinstance(one.job_id, str)
    assert one.job_id
    assert two.job_id not in ("", one.job_id)


async def test_function_is_not_checked(arq_redis: ArqRedis) -> None:
    """A producer need not know the function."""
    job = await enqueue(arq_redis, "nobody_knows_it")

    assert await job.status() == JobStatus.queued


async def test_arguments_arrive(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Arguments arrive by position and by name."""
    job = await enqueue(arq_redis, "echo", 1, "two", [3.5, None], a=True, queue_name="q")

    await make_worker(echo).run_check()

    assert await job.result() == [[1, "two", [3.5, None]], {"a": True, "queue_name": "q"}]


async def test_id_of_a_waiting_job_is_refused(arq_redis: ArqRedis) -> None:
    """An id is used once, whatever the function."""
    await enqueue(arq_redis, "add", _job_id="same")

    assert await arq_redis.enqueue_job("add", _job_id="same") is None
    assert await arq_redis.enqueue_job("other", 1, _job_id="same", _defer_by=5) is None


async def test_id_of_a_running_job_is_refused(arq_redis: ArqRedis, make_worker: Any) -> None:
    """An id stays in use while its job runs."""
    gate = Gate()
    await enqueue(arq_redis, "gate", _job_id="same")

    async with at_work(make_worker(func(gate.enter, name="gate"))):
        await gate.started.wait()

        assert await arq_redis.enqueue_job("gate", _job_id="same") is None
        gate.open.set()


async def test_id_of_a_kept_result_is_refused(arq_redis: ArqRedis, make_worker: Any) -> None:
    """An id stays in use while its result is kept, and is free without one."""
    await enqueue(arq_redis, "add", _job_id="kept")
    await enqueue(arq_redis, "nothing", _job_id="not kept")
    await make_worker(add, func(nothing, keep_result=0)).run_check()

    assert await arq_redis.enqueue_job("add", _job_id="kept") is None
    assert await arq_redis.enqueue_job("nothing", _job_id="not kept") is not None


async def test_one_of_many_callers_is_told_yes(arq_redis: ArqRedis) -> None:
    """Of callers that enqueue one id at once, one gets the job."""
    jobs = await asyncio.gather(*(arq_redis.enqueue_job("add", n, _job_id="race") for n in range(20)))

    assert sum(job is not None for job in jobs) == 1
    assert len(await arq_redis.queued_jobs()) == 1


async def test_queue_by_name(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job goes to the queue that is named, or to the pool's default."""
    diary = Diary()
    await enqueue(arq_redis, "write", "named", _queue_name="mine")
    await enqueue(arq_redis, "write", "default")
    arq_redis.default_queue_name = "mine"
    await enqueue(arq_redis, "write", "pool's default")

    assert await make_worker(func(diary.write, name="write"), queue_name="mine").run_check() == 2

    assert sorted(diary.args) == ["named", "pool's default"]
    assert [job.args for job in await arq_redis.queued_jobs(queue_name="arq:queue")] == [("default",)]
    assert await arq_redis.queued_jobs() == []


async def test_both_deferrals_are_refused(arq_redis: ArqRedis) -> None:
    """A job is deferred by a span or to a moment, not both."""
    with pytest.raises(RuntimeError, match=r"^use either 'defer_until' or 'defer_by' or neither, not both$"):
        await arq_redis.enqueue_job("add", _defer_by=1, _defer_until=datetime.now(UTC))


@pytest.mark.parametrize(
    "deferral",
    [
        lambda: {"_defer_by": 0.2},
        lambda: {"_defer_by": timedelta(seconds=0.2)},
        lambda: {"_defer_until": datetime.now() + timedelta(seconds=0.2)},  # noqa: DTZ005 (naive is local)
        lambda: {"_defer_until": datetime.now(UTC) + timedelta(seconds=0.2)},
        lambda: {"_defer_until": datetime.now(timezone(timedelta(hours=9))) + timedelta(seconds=0.2)},
    ],
    ids=["seconds", "timedelta", "naive", "utc", "zone"],
)
async def test_deferred_job_waits(arq_redis: ArqRedis, make_worker: Any, deferral: Any) -> None:
    """A deferred job is due at its moment and not before; a burst waits for it."""
    diary = Diary()
    before = timestamp_ms()
    job = await enqueue(arq_redis, "write", **deferral())
    assert await job.status() == JobStatus.deferred
    due = (await arq_redis.queued_jobs())[0].score

    await make_worker(func(diary.write, name="write")).run_check()

    assert isinstance(due, int)
    assert before + 150 < due < before + 300
    assert diary.pages[0]["score"] == pytest.approx(due, abs=20)
    assert (await end_of(job)).start_time.timestamp() * 1000 >= due - 1


@pytest.mark.parametrize("moment", [datetime(2020, 2, 2, tzinfo=UTC), datetime(2020, 2, 2)])  # noqa: DTZ001
async def test_moment_in_the_past(arq_redis: ArqRedis, make_worker: Any, moment: datetime) -> None:
    """A moment in the past is now."""
    job = await enqueue(arq_redis, "add", 1, 1, _defer_until=moment, _expires=10)

    assert await make_worker(add).run_check() == 1
    assert await job.result() == 2


async def test_negative_delay_runs_first(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A negative delay puts a job in front."""
    diary = Diary()
    for name, delay in (("second", None), ("third", None), ("first", -10)):
        await enqueue(arq_redis, "write", name, _defer_by=delay)

    await make_worker(func(diary.write, name="write"), max_jobs=1).run_check()

    assert diary.args[0] == "first"


@pytest.mark.parametrize("expires", [0.05, timedelta(milliseconds=50)])
async def test_expired_job_is_not_run(arq_redis: ArqRedis, make_worker: Any, expires: Any) -> None:
    """A job that was not started in time fails as expired."""
    job = await enqueue(arq_redis, "add", _expires=expires, _defer_by=0.1)
    worker = make_worker(add)

    await worker.async_run()

    ended = await end_of(job)
    assert (ended.success, ended.result) == (False, JobExecutionFailed("job expired"))
    assert worker.jobs_failed == 1


async def test_job_expires_by_the_pool(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A pool's `expires_extra_ms` counts from when a job is due."""
    arq_redis.expires_extra_ms = 1
    late = await enqueue(arq_redis, "add", _job_id="late")
    await asyncio.sleep(0.02)

    await make_worker(add).async_run()

    assert (await end_of(late)).result == JobExecutionFailed("job expired")


async def test_expiry_of_zero_is_none(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`_expires=0` is the default."""
    await enqueue(arq_redis, "add", _expires=0)

    assert await make_worker(add).run_check() == 1


async def test_retry_past_its_expiry(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Nor is a job retried after it has expired."""
    job = await enqueue(arq_redis, "again", 3, 0.3, _expires=0.2)

    await make_worker(again).async_run()

    assert (await end_of(job)).result == JobExecutionFailed("job expired")


async def test_first_try_has_a_number(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`_job_try` is the number of the first try, and counts toward the tries there are."""
    job = await enqueue(arq_redis, "again", 4, _job_try=3)
    last = await enqueue(arq_redis, "again", 9, _job_try=5)
    beyond = await enqueue(arq_redis, "add", _job_try=6)

    await make_worker(again, add).async_run()

    assert await job.result() == 5
    for ended in (await end_of(last), await end_of(beyond)):
        assert ended.result == JobExecutionFailed("max 5 retries exceeded")


@pytest.mark.parametrize("argument", [lambda: 1, threading.Lock()], ids=["function", "lock"])
async def test_argument_that_cannot_be_written(arq_redis: ArqRedis, argument: Any) -> None:
    """What cannot be written is refused, by the function's name, and nothing is enqueued."""
    with pytest.raises(SerializationError, match=r'^unable to serialize job "add"'):
        await arq_redis.enqueue_job("add", argument)

    assert await arq_redis.queued_jobs() == []


async def test_queued_jobs(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Waiting, deferred and running jobs are listed, in the order they are due."""
    gate = Gate()
    before = timestamp_ms()
    await enqueue(arq_redis, "later", _defer_by=60, _job_id="c")
    await enqueue(arq_redis, "gate", _job_id="a")
    async with at_work(make_worker(func(gate.enter, name="gate"), max_jobs=1)):
        await gate.started.wait()
        await asyncio.sleep(0.002)
        await enqueue(arq_redis, "add", 1, 2, x=[3], _job_id="b", _job_try=4)

        listed = await arq_redis.queued_jobs()
        gate.open.set()

    assert [job.job_id for job in listed] == ["a", "b", "c"]
    job = listed[1]
    assert job == JobDef(
        function="add",
        args=(1, 2),
        kwargs={"x": [3]},
        job_try=4,
        enqueue_time=job.enqueue_time,
        score=job.score,
        job_id="b",
    )
    assert job.enqueue_time.tzinfo is not None
    assert isinstance(job.score, int)
    assert job.enqueue_time.timestamp() * 1000 == pytest.approx(job.score, abs=5)
    assert before <= job.score <= timestamp_ms()
    assert listed[2].score == pytest.approx(before + 60_000, abs=1000)
    assert listed[0].job_try is None


async def test_queued_job_waits_for_its_retry(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that asked to run later is listed with its new moment."""
    await enqueue(arq_redis, "again", 1, 60, _job_id="again")
    await enqueue(arq_redis, "later", _defer_by=30, _job_id="later")
    worker = make_worker(again, max_burst_jobs=1)

    await worker.async_run()

    listed = await arq_redis.queued_jobs()
    assert [job.job_id for job in listed] == ["later", "again"]
    assert listed[1].score == pytest.approx(timestamp_ms() + 60_000, abs=2000)


async def test_all_job_results(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Results of all queues are listed by enqueue time."""
    assert await arq_redis.all_job_results() == []
    for n, queue in enumerate(["one", "two", "one"]):
        await enqueue(arq_redis, "boom" if n == 1 else "add", *([] if n == 1 else [n, n]), _queue_name=queue)
        await asyncio.sleep(0.002)
    for queue in ("two", "one"):
        await make_worker(add, boom, queue_name=queue).async_run()

    results = await arq_redis.all_job_results()

    assert all(isinstance(result, JobResult) for result in results)
    assert [result.queue_name for result in results] == ["one", "two", "one"]
    assert [result.success for result in results] == [True, False, True]
    assert [results[0].result, results[2].result] == [0, 4]
    assert sorted(results, key=lambda result: result.enqueue_time) == results
