"""Jobs that run again, and those that do not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from arq import ArqRedis, Retry, func
from arq.jobs import JobStatus
from arq.worker import FailedJobs, JobExecutionFailed, RetryJob
from arq_toys import Ctx, Diary, add, again, boom, counts, end_of, enqueue, forever


@pytest.mark.parametrize(
    ("defer", "score", "text"),
    [
        (None, None, "<Retry defer 0.00s>"),
        (123, 123_000, "<Retry defer 123.00s>"),
        (0.5, 500, "<Retry defer 0.50s>"),
        (timedelta(minutes=1), 60_000, "<Retry defer 60.00s>"),
        (1.001, 1001, "<Retry defer 1.00s>"),
    ],
)
def test_retry(defer: Any, score: int | None, text: str) -> None:
    """`Retry` takes seconds or a timedelta."""
    retry = Retry(defer)

    assert retry.defer_score == score
    assert str(retry) == repr(retry) == text
    assert Retry(defer=defer).defer_score == score


async def test_job_runs_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that raises `Retry` runs again, with the next number."""
    job = await enqueue(arq_redis, "again", 2)
    worker = make_worker(again)

    await worker.run_check()

    assert await job.result() == 3
    assert (await end_of(job)).job_try == 3
    assert counts(worker) == (1, 0, 2)


async def test_retry_waits(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A deferred retry waits its time, and is deferred meanwhile."""
    diary = Diary()
    job = await enqueue(arq_redis, "again", 1, 0.3)

    async def later(ctx: Ctx, times: int, defer: float) -> Any:
        await diary.write(ctx)
        return await again(ctx, times, defer)

    await make_worker(func(later, name="again"), max_burst_jobs=1).async_run()
    assert await job.status() == JobStatus.deferred
    await make_worker(func(later, name="again")).run_check()

    ended = await end_of(job)
    assert ended.job_try == 2
    assert ended.start_time - ended.enqueue_time >= timedelta(seconds=0.29)
    first, second = (page["score"] for page in diary.pages)
    assert second - first == pytest.approx(300, abs=200)


async def test_retry_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`RetryJob` is `Retry` without a word."""

    async def once_more(ctx: Ctx) -> Any:
        if ctx["job_try"] == 1:
            raise RetryJob
        return "done"

    job = await enqueue(arq_redis, "once_more")
    worker = make_worker(func(once_more, name="once_more"))
    await worker.run_check()

    assert await job.result() == "done"
    assert counts(worker) == (1, 0, 1)


async def test_tries_have_an_end(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Five tries by default; then the job fails."""
    job = await enqueue(arq_redis, "again", 99)
    worker = make_worker(again)

    await worker.async_run()

    ended = await end_of(job)
    assert (ended.success, ended.result) == (False, JobExecutionFailed("max 5 retries exceeded"))
    assert (ended.function, ended.args, ended.job_try) == ("again", (99,), 6)
    assert counts(worker) == (0, 1, 5)
    with pytest.raises(JobExecutionFailed, match=r"^max 5 retries exceeded$"):
        await job.result()


@pytest.mark.parametrize(
    ("options", "limits", "tries"), [({"max_tries": 2}, {}, 2), ({}, {"max_tries": 3}, 3)]
)
async def test_number_of_tries(
    arq_redis: ArqRedis, make_worker: Any, options: Any, limits: Any, tries: int
) -> None:
    """The worker says how many tries there are, the function before it."""
    job = await enqueue(arq_redis, "again", 99)
    worker = make_worker(func(again, **limits), **options)

    await worker.async_run()

    assert worker.jobs_retried == tries
    assert (await end_of(job)).result == JobExecutionFailed(f"max {tries} retries exceeded")


async def test_plain_exception_is_final(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Any other exception ends the job at its first try."""
    job = await enqueue(arq_redis, "boom")
    worker = make_worker(boom)

    await worker.async_run()

    assert counts(worker) == (0, 1, 0)
    assert (await end_of(job)).job_try == 1


async def test_no_retries(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With `retry_jobs=False` a `Retry` is a failure."""
    job = await enqueue(arq_redis, "again", 1, 2.5)
    worker = make_worker(again, retry_jobs=False)

    await worker.async_run()

    assert counts(worker) == (0, 1, 0)
    with pytest.raises(Retry) as raised:
        await job.result()
    assert raised.value.defer_score == 2500
    assert repr((await end_of(job)).result) == "<Retry defer 2.50s>"


async def test_run_check_may_forbid_retries(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`run_check` takes that, too."""
    await enqueue(arq_redis, "again", 1)

    with pytest.raises(FailedJobs, match=r"^1 job failed <Retry defer 0\.00s>$"):
        await make_worker(again).run_check(retry_jobs=False)


@pytest.mark.parametrize(
    ("options", "limits"),
    [({"job_timeout": 0.05}, {}), ({}, {"timeout": 0.05}), ({"job_timeout": timedelta(seconds=0.05)}, {})],
)
async def test_timeout_is_final(arq_redis: ArqRedis, make_worker: Any, options: Any, limits: Any) -> None:
    """A job that takes too long fails, once and for all."""
    job = await enqueue(arq_redis, "forever")
    worker = make_worker(func(forever, **limits), **options)

    await worker.async_run()

    assert counts(worker) == (0, 1, 0)
    assert isinstance((await end_of(job)).result, asyncio.TimeoutError)
    with pytest.raises(asyncio.TimeoutError):
        await job.result()


async def test_function_may_have_more_time(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A function's own timeout counts, not the worker's."""

    async def slow(ctx: Ctx) -> str:
        await asyncio.sleep(0.1)
        return "done"

    job = await enqueue(arq_redis, "slow")
    await make_worker(func(slow, name="slow", timeout=5), job_timeout=0.02).run_check()

    assert await job.result() == "done"


async def test_job_sees_its_timeout(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that is out of time may clean up."""
    seen: list[str] = []

    async def careful(ctx: Ctx) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    await enqueue(arq_redis, "careful")
    await make_worker(func(careful, name="careful"), job_timeout=0.05).async_run()

    assert seen == ["cleaned up"]


async def test_exhausted_job_waits_its_last_delay(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The tries are counted when a job is picked up again, so a last delay is waited for."""
    job = await enqueue(arq_redis, "again", 9, 0.2)

    await make_worker(func(again, max_tries=1)).async_run()

    ended = await end_of(job)
    assert ended.result == JobExecutionFailed("max 1 retries exceeded")
    assert ended.finish_time - ended.enqueue_time >= timedelta(seconds=0.19)


async def test_others_go_on(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A failed job stops no other."""
    await enqueue(arq_redis, "boom")
    job = await enqueue(arq_redis, "add", 1, 1)

    await make_worker(boom, add, max_jobs=1).async_run()

    assert await job.result() == 2
