"""The lines that operators grep."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from arq import ArqRedis, cron, func
from arq.jobs import logger as jobs_logger
from arq.worker import RetryJob, logger
from arq_toys import Ctx, Gate, add, again, at_work, boom, echo, enqueue, lines, nothing, until


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def test_start_of_a_worker(make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A worker begins by telling what it can run and where."""
    await make_worker(add, func(add, name="plus"), cron_jobs=[cron(nothing, hour=1)]).async_run()

    said = lines(caplog)
    assert said[0] == "Starting worker for 3 functions: add, plus, cron:nothing"
    assert re.fullmatch(r"redis_version=\S+ mem_usage=\S+ clients_connected=\d+ db_keys=\d+", said[1])


async def test_start_and_end_of_a_job(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What starts with what, and what came of it."""
    await enqueue(arq_redis, "echo", 1, "two", b=3, a=None, _job_id="id")

    await make_worker(echo).run_check()

    said = lines(caplog)
    assert said[2:4] == [
        "T → id:echo(1, 'two', a=None, b=3)",
        "T ← id:echo ● [[1, 'two'], {'b': 3, 'a': None}]",
    ] or said[2:4] == [
        "T → id:echo(1, 'two', a=None, b=3)",
        "T ← id:echo ● [[1, 'two'], {'a': None, 'b': 3}]",
    ]
    timed = [record.getMessage() for record in caplog.records if "id:echo" in record.getMessage()]
    assert all(re.match(r"  0\.\d\ds [→←] ", line) for line in timed)
    levels = {record.levelname for record in caplog.records if record.name == logger.name}
    assert levels == {"INFO"}


async def test_long_lines_are_cut(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Arguments and results are cut at 80 characters."""
    await enqueue(arq_redis, "add", "x" * 60, "y" * 60, _job_id="id")

    await make_worker(add).run_check()

    said = lines(caplog)
    assert f"T → id:add('{'x' * 60}', '{'y' * 14}…)" in said
    assert f"T ← id:add ● '{'x' * 60}{'y' * 18}…" in said


async def test_no_result(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A result of None is not shown."""
    await enqueue(arq_redis, "nothing", _job_id="id")

    await make_worker(nothing).run_check()

    assert "T ← id:nothing ● " in lines(caplog)


async def test_results_may_be_kept_out(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is any with `log_results=False`."""
    await enqueue(arq_redis, "add", 40, 2, _job_id="id")

    await make_worker(add, log_results=False).run_check()

    said = lines(caplog)
    assert "T ← id:add ● " in said
    assert not any("42" in line for line in said if "id:add" in line)


async def test_late_start(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A start that is more than 1.2 s late is told so."""
    await enqueue(arq_redis, "add", _defer_by=-5, _job_id="late")
    await enqueue(arq_redis, "add", _defer_by=-0.3, _job_id="nearly")

    await make_worker(add).run_check()

    said = lines(caplog)
    assert any(re.fullmatch(r"T → late:add\(\) delayed=[5-9]\.\d\ds", line) for line in said)
    assert "T → nearly:add()" in said


async def test_retries(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A retry is told with its delay, and the next try with its number."""
    await enqueue(arq_redis, "again", 2, 0.05, _job_id="id")

    await make_worker(again).run_check()

    assert [line for line in lines(caplog) if "id:again" in line] == [
        "T → id:again(2, 0.05)",
        "T ↻ id:again retrying job in 0.05s",
        "T → id:again(2, 0.05) try=2",
        "T ↻ id:again retrying job in 0.05s",
        "T → id:again(2, 0.05) try=3",
        "T ← id:again ● 3",
    ]


async def test_retry_at_once(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A retry without a delay is one of 0 s; `RetryJob` is told as a cancellation."""

    async def repeat(ctx: Ctx) -> None:
        if ctx["job_try"] == 1:
            raise RetryJob

    await enqueue(arq_redis, "again", 1, _job_id="a")
    await enqueue(arq_redis, "repeat", _job_id="b")
    await make_worker(again, func(repeat, name="repeat")).run_check()

    assert "T ↻ a:again retrying job in 0.00s" in lines(caplog)
    assert "T ↻ b:repeat cancelled, will be run again" in lines(caplog)


async def test_failure(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A failure is an error with its traceback."""
    await enqueue(arq_redis, "boom", "bad luck", _job_id="id")

    await make_worker(boom).async_run()

    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert re.fullmatch(r"  0\.\d\ds ! id:boom failed, ValueError: bad luck", record.getMessage())
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError


@pytest.mark.parametrize("extra", [{"user": 7}, lambda: {"user": 7}], ids=["value", "method"])
async def test_extra_of_a_failure(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, extra: Any
) -> None:
    """What an exception has as `extra` stands on its record."""

    async def fail(ctx: Ctx) -> None:
        error = ValueError("bad")
        error.extra = extra  # type: ignore[attr-defined]
        raise error

    await enqueue(arq_redis, "fail")
    await make_worker(func(fail, name="fail")).async_run()

    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.extra == {"user": 7}  # type: ignore[attr-defined]


async def test_timeout(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A timeout is a failure like others."""
    gate = Gate()
    await enqueue(arq_redis, "gate", _job_id="id")

    await make_worker(func(gate.enter, name="gate", timeout=0.05)).async_run()

    assert "T ! id:gate failed, TimeoutError: " in lines(caplog)


async def test_no_more_tries(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A job without tries left is a warning."""
    await enqueue(arq_redis, "add", _job_try=6, _job_id="id")

    await make_worker(add).async_run()

    assert "T ! id:add max retries 5 exceeded" in _warnings(caplog)


async def test_expired_job(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """So is one that has expired."""
    await enqueue(arq_redis, "add", _expires=0.01, _defer_by=0.05, _job_id="id")

    await make_worker(add).async_run()

    assert _warnings(caplog) == ["job id expired"]


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    said = [record for record in caplog.records if record.levelname == "WARNING"]
    return [re.sub(r"^ *\d+\.\d\ds ", "T ", record.getMessage()) for record in said]


async def test_aborted_job(arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An aborted job is told so."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate", _job_id="id")

    async with at_work(make_worker(func(gate.enter, name="gate"), allow_abort_jobs=True)):
        await gate.started.wait()
        await job.abort(timeout=5, poll_delay=0.02)

    assert "T ⊘ id:gate aborted" in lines(caplog)


async def test_result_that_cannot_be_written(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A result that cannot be written is a warning of `arq.jobs`."""

    async def give(ctx: Ctx) -> Any:
        return lambda: 1

    await enqueue(arq_redis, "give", _job_id="id")
    await make_worker(func(give, name="give")).async_run()

    said = [record for record in caplog.records if record.name == jobs_logger.name]
    assert [record.levelname for record in said] == ["WARNING"]
    assert said[0].getMessage().startswith("error serializing result of id:give")


async def test_cron_job_has_no_id(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A cron job is told by its name alone."""
    job = cron(nothing, hour=1, run_at_startup=True)

    await make_worker(cron_jobs=[job]).run_check()

    assert "T → cron:nothing()" in lines(caplog)
    assert "T ← cron:nothing ● " in lines(caplog)


async def test_health_is_told_when_it_changed(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The record is logged when its counters have changed since the last one."""
    async with at_work(make_worker(add, health_check_interval=0.05)) as worker:
        await until(lambda: arq_redis.get("arq:queue:health-check"))
        assert not [line for line in lines(caplog) if line.startswith("recording health")]
        await enqueue(arq_redis, "add")
        await until(lambda: worker.jobs_complete == 1)
        await until(lambda: [line for line in lines(caplog) if "j_complete=1" in line])

    told = [line for line in lines(caplog) if line.startswith("recording health")]
    assert re.fullmatch(
        r"recording health: [A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d "
        r"j_complete=1 j_failed=0 j_retried=0 j_ongoing=0 queued=0",
        told[-1],
    )
    counted = [line.partition("j_complete")[2] for line in told]
    assert len(set(counted)) == len(counted)
