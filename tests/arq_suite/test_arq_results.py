"""How long results are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from arq import ArqRedis, func
from arq.jobs import JobStatus, ResultNotFound
from arq_toys import add, again, boom, enqueue, until


@pytest.mark.parametrize("span", [0.3, timedelta(seconds=0.3)])
@pytest.mark.parametrize("of_function", [True, False])
async def test_result_expires(arq_redis: ArqRedis, make_worker: Any, span: Any, of_function: bool) -> None:
    """A result is kept for `keep_result`, and then the id is free."""
    job = await enqueue(arq_redis, "add", _job_id="id")
    function = func(add, keep_result=span) if of_function else add
    await make_worker(function, **({} if of_function else {"keep_result": span})).run_check()

    assert await job.status() == JobStatus.complete
    await until(lambda: _is_gone(job))
    assert await arq_redis.all_job_results() == []
    assert await arq_redis.enqueue_job("add", _job_id="id") is not None


async def _is_gone(job: Any) -> bool:
    return await job.status() == JobStatus.not_found


@pytest.mark.parametrize(
    ("options", "limits", "kept"),
    [
        ({"keep_result": 0}, {}, False),
        ({"keep_result": 0}, {"keep_result": 60}, True),
        ({}, {"keep_result": 0}, False),
        ({"keep_result": 0, "keep_result_forever": True}, {}, True),
        ({"keep_result_forever": True}, {"keep_result_forever": False, "keep_result": 0}, False),
        ({"keep_result": 0}, {"keep_result_forever": True}, True),
        ({"keep_result_forever": True}, {"keep_result": 0}, True),
    ],
)
async def test_whether_a_result_is_kept(
    arq_redis: ArqRedis, make_worker: Any, options: Any, limits: Any, kept: bool
) -> None:
    """The function's word counts before the worker's; for ever wins over a span."""
    job = await enqueue(arq_redis, "add", 1, 1)

    await make_worker(func(add, **limits), **options).run_check()

    if kept:
        assert await job.result() == 2
    else:
        with pytest.raises(ResultNotFound):
            await job.result()


async def test_failures_are_kept_alike(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A failure is kept no longer and no shorter."""
    job = await enqueue(arq_redis, "boom")

    await make_worker(func(boom, keep_result=0)).async_run()

    with pytest.raises(ResultNotFound):
        await job.result()


async def test_retry_keeps_nothing(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that runs again has no result yet."""
    job = await enqueue(arq_redis, "again", 1, 30)

    await make_worker(again, max_burst_jobs=1).async_run()

    assert await job.result_info() is None
    assert await job.status() == JobStatus.deferred
