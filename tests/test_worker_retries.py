"""Another run: asked for by the job, refused by the worker, ended by the clock."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any

import pytest
from worker_toys import Ctx, Gate, counts, end_of, enqueue, lines, traces

from arqlite import ArqRedis, Retry, func
from arqlite.errors import JobExecutionFailed, RetryJob
from arqlite.jobs import JobStatus


def again(error: BaseException, times: int = 1) -> Any:
    """A function that raises so many times before it returns; its `tries` are noted."""

    async def flaky(ctx: Ctx) -> int:
        flaky.tries.append(ctx["job_try"])  # type: ignore[attr-defined]
        if len(flaky.tries) <= times:  # type: ignore[attr-defined]
            raise error
        return int(ctx["job_try"])

    flaky.tries = []  # type: ignore[attr-defined]
    return flaky


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Retry(), "retrying job in 0.00s"),
        (Retry(0.01), "retrying job in 0.01s"),
        (Retry(timedelta(milliseconds=20)), "retrying job in 0.02s"),
        (RetryJob(), "cancelled, will be run again"),
        (asyncio.CancelledError(), "cancelled, will be run again"),
    ],
)
async def test_job_runs_again(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, error: BaseException, said: str
) -> None:
    """A job that asks for it is run again and told its try; it is one job that completed."""
    caplog.set_level(logging.INFO)
    function = again(error, times=2)
    job = await enqueue(arq_redis, "flaky", _job_id="f")
    worker = make_worker([func(function, name="flaky")])

    assert await worker.run_check() == 1

    assert function.tries == [1, 2, 3]
    assert counts(worker) == (1, 0, 2)
    assert (await end_of(job)).job_try == await job.result() == 3
    assert all(line.endswith(f"↻ f:flaky {said}") for line in lines(caplog) if "↻" in line)
    assert any("↻" in line for line in lines(caplog))
    assert any(line.endswith("→ f:flaky() try=2") for line in lines(caplog))
    assert await traces(arq_redis) - {"wake"} == {"jobs", "ttls", "done:3600000"}


async def test_retry_waits(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A retry with a delay is deferred so long; other jobs run meanwhile."""
    starts: list[float] = []
    other = asyncio.Event()

    async def later(ctx: Ctx) -> None:
        starts.append(time.time())
        if ctx["job_try"] == 1:
            raise Retry(defer=0.2)
        assert other.is_set()

    async def note(ctx: Ctx) -> None:
        other.set()

    await enqueue(arq_redis, "later")
    await enqueue(arq_redis, "note")
    worker = make_worker([func(later, name="later"), func(note, name="note")], max_jobs=1)

    assert await worker.run_check() == 2
    assert starts[1] - starts[0] >= 0.195


@pytest.mark.parametrize(("of_worker", "of_function"), [(3, None), (9, 3), (1, 3)])
async def test_tries_have_an_end(
    arq_redis: ArqRedis,
    make_worker: Any,
    caplog: pytest.LogCaptureFixture,
    of_worker: int,
    of_function: int | None,
) -> None:
    """A job that never stops asking fails after `max_tries` runs, of the function before the worker's."""
    function = again(Retry(), times=99)
    job = await enqueue(arq_redis, "flaky", _job_id="f")
    worker = make_worker([func(function, name="flaky", max_tries=of_function)], max_tries=of_worker)

    await worker.async_run()

    assert function.tries == [1, 2, 3]
    assert counts(worker) == (0, 1, 3)
    with pytest.raises(JobExecutionFailed, match="max 3 retries exceeded"):
        await job.result()
    [line] = [line for line in lines(caplog) if "exceeded" in line]
    assert line.endswith("! f:flaky max retries 3 exceeded")
    assert (await end_of(job)).function == "flaky"


async def test_exhausted_job_keeps_no_result_if_told_so(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`keep_result=0` of a function holds for a job that ran out of tries, too (arq keeps it an hour)."""
    await enqueue(arq_redis, "flaky")
    worker = make_worker([func(again(Retry(), 9), name="flaky", max_tries=1, keep_result=0)])

    await worker.async_run()

    assert worker.jobs_failed == 1
    assert await traces(arq_redis) - {"wake"} == set()


async def test_first_try_may_have_a_number(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`_job_try` is the number of the first run, and counts toward `max_tries`."""
    function = again(Retry(), times=9)
    job = await enqueue(arq_redis, "flaky", _job_try=3)
    worker = make_worker([func(function, name="flaky")], max_tries=4)

    await worker.async_run()

    assert function.tries == [3, 4]
    with pytest.raises(JobExecutionFailed, match="max 4 retries exceeded"):
        await job.result()


@pytest.mark.parametrize("error", [Retry(2), RetryJob(), asyncio.CancelledError()])
async def test_no_retries(arq_redis: ArqRedis, make_worker: Any, error: BaseException) -> None:
    """With `retry_jobs=False` asking for another run fails the job, and the reader gets what it raised."""
    function = again(error)
    job = await enqueue(arq_redis, "flaky")
    worker = make_worker([func(function, name="flaky")], retry_jobs=False)

    await worker.async_run()

    assert (function.tries, counts(worker)) == ([1], (0, 1, 0))
    with pytest.raises(type(error)) as caught:
        await job.result()
    assert str(caught.value) == str(error)


@pytest.mark.parametrize("where", ["worker", "function"])
async def test_timeout_fails_the_job(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """A job over its time is cancelled and fails for good, by the worker's limit or its function's."""
    gate, limit = Gate(), 0.05
    job = await enqueue(arq_redis, "gate", _job_id="g")
    worker = make_worker(
        [func(gate, name="gate", timeout=limit if where == "function" else None)],
        job_timeout=limit if where == "worker" else 300,
    )

    await worker.async_run()

    assert (gate.ended, counts(worker)) == (["cancelled"], (0, 1, 0))
    with pytest.raises(TimeoutError):
        await job.result()
    assert any("! g:gate failed, TimeoutError: " in line for line in lines(caplog))


async def test_each_job_has_its_own_deadline(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Jobs of many limits run side by side; each ends at its own."""
    gates = [Gate() for _ in range(3)]
    jobs = [await enqueue(arq_redis, f"g{n}") for n in range(3)]
    functions = [func(gate, name=f"g{n}", timeout=[30, 0.1, 0.05][n]) for n, gate in enumerate(gates)]
    worker = make_worker(functions)
    running = asyncio.create_task(worker.async_run())

    for job in jobs[1:]:
        with pytest.raises(TimeoutError):
            await job.result(timeout=5)
    gates[0].open.set()
    await running

    assert await jobs[0].result() == "through"
    assert (await end_of(jobs[2])).finish_time <= (await end_of(jobs[1])).finish_time


@pytest.mark.parametrize("limit", [None, float("inf")])
async def test_no_timeout(arq_redis: ArqRedis, make_worker: Any, limit: Any) -> None:
    """A worker without a limit, or with an endless one, runs jobs like any other."""

    async def ok(ctx: Ctx) -> None: ...

    await enqueue(arq_redis, "ok")
    await enqueue(arq_redis, "short")

    assert (
        await make_worker(
            [func(ok, name="ok"), func(ok, name="short", timeout=5)], job_timeout=limit
        ).run_check()
        == 2
    )


async def test_timeout_of_a_job_that_cleans_up(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job over its time may still await while it cleans up."""
    cleaned: list[bool] = []

    async def tidy(ctx: Ctx) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    job = await enqueue(arq_redis, "tidy")
    await make_worker([func(tidy, name="tidy", timeout=0.02)]).async_run()

    assert cleaned == [True]
    with pytest.raises(TimeoutError):
        await job.result()


async def test_timeout_raised_by_the_job_itself(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A `TimeoutError` from within is a failure like any other, with its own words."""

    async def slow(ctx: Ctx) -> None:
        raise TimeoutError("the bank did not answer")

    job = await enqueue(arq_redis, "slow")
    await make_worker([func(slow, name="slow")]).async_run()

    with pytest.raises(TimeoutError, match="the bank did not answer"):
        await job.result()


async def test_poison_job_is_given_up(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that took down `max_rescues` workers is not started again."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    await arq_redis.hset("aq:{arq:queue}:tries", job.job_id, "0:2")
    worker = make_worker([func(gate, name="gate")], max_rescues=2)

    await worker.async_run()

    assert (gate.calls, counts(worker)) == ([], (0, 1, 0))
    with pytest.raises(JobExecutionFailed, match="worker died 2 times"):
        await job.result()


async def test_crashes_are_no_tries(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job whose worker died is started again though it had one try only; the start is counted."""
    function = again(Retry(), times=0)
    job = await enqueue(arq_redis, "flaky")
    await arq_redis.hset("aq:{arq:queue}:tries", job.job_id, "0:1")

    assert await make_worker([func(function, name="flaky", max_tries=1)]).run_check() == 1

    assert function.tries == [2]
    assert await job.status() is JobStatus.complete
