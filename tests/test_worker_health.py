"""Whether a worker lives: its health record, the check, and the lines about the worker itself."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from worker_toys import Ctx, Gate, at_work, enqueue, lines

from arqlite import ArqRedis, func
from arqlite.connections import RedisSettings
from arqlite.worker import async_check_health

HEALTH = re.compile(
    rb"[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d "
    rb"j_complete=(\d+) j_failed=(\d+) j_retried=(\d+) j_ongoing=(\d+) queued=(\d+)"
)


async def ok(ctx: Ctx) -> None: ...


async def test_health_record(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker writes arq's line, alive a second longer than the interval, and logs it when it changed."""
    caplog.set_level(logging.INFO)
    gate = Gate()
    await enqueue(arq_redis, "ok")
    await enqueue(arq_redis, "gate")
    await enqueue(arq_redis, "gate", _defer_by=60)
    worker = make_worker([ok, func(gate, name="gate")], health_check_interval=0.05)
    async with at_work(worker):

        async def record() -> Any:
            line: Any = await arq_redis.get("arq:queue:health-check")
            match = HEALTH.fullmatch(line or b"")
            return match and tuple(map(int, match.groups())) == (1, 0, 0, 1, 2)

        await eventually(record)
        assert 0 < await arq_redis.pttl("arq:queue:health-check") <= 1050
        await eventually(record)
        gate.open.set()

    said = [line for line in lines(caplog) if line.startswith("recording health: ")]
    changes = [line[line.index("j_complete") :] for line in said]
    assert changes == [line for n, line in enumerate(changes) if n == 0 or changes[n - 1] != line]
    assert "j_complete=1 j_failed=0 j_retried=0 j_ongoing=1 queued=2" in changes


async def test_health_record_outlives_another_worker(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """The record of a queue stays while any of its workers lives, and goes with the last."""
    key = "mine:health-check"

    async def is_there() -> bool:
        return bool(await arq_redis.exists(key))

    one, two = (make_worker([ok], queue_name="mine") for _ in range(2))
    async with at_work(one):
        async with at_work(two):
            await eventually(is_there)
        assert await is_there()
    assert not await is_there()


async def test_health_key_of_ones_own(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """The record may go elsewhere."""

    async def is_there() -> bool:
        return bool(await arq_redis.exists("elsewhere"))

    async with at_work(make_worker([ok], health_check_key="elsewhere")):
        await eventually(is_there)
        assert not await arq_redis.exists("arq:queue:health-check")


@pytest.mark.real
async def test_check_health(real_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The check needs a record and a lease: a record alone may be that of a dead worker."""
    settings = RedisSettings.from_dsn(real_url)
    pool = ArqRedis(unix_socket_path=settings.unix_socket_path, db=settings.database)

    assert await async_check_health(settings) == 1
    await pool.set("q:health-check", b"left behind")
    assert await async_check_health(settings, queue_name="q") == 1
    await pool.zadd("aq:{q}:live", {"s": 9_999_999_999_999})
    assert await async_check_health(settings, queue_name="q") == 0
    assert await async_check_health(settings, health_check_key="nowhere", queue_name="q") == 1

    said = lines(caplog)
    assert said[0] == "Health check failed: no health check sentinel value found"
    assert said[1] == "Health check failed: no worker of q holds a lease, the last said: left behind"
    await pool.aclose(close_connection_pool=True)


async def test_lines_of_a_job(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A job's start and end are told in arq's lines: since when, what, with what, and what came of it."""
    caplog.set_level(logging.INFO)

    async def echo(ctx: Ctx, text: str, **kwargs: Any) -> str | None:
        return text or None

    async def fail(ctx: Ctx) -> None:
        error = ValueError("bad luck")
        error.extra = {"user": 7}  # type: ignore[attr-defined]
        raise error

    await enqueue(arq_redis, "echo", "x" * 100, b=1, _job_id="long")
    await enqueue(arq_redis, "echo", "", _job_id="none")
    await enqueue(arq_redis, "fail", _job_id="bad")
    await enqueue(arq_redis, "echo", "late", _job_id="late", _defer_by=-2)
    await make_worker([func(echo, name="echo"), func(fail, name="fail")]).async_run()

    said = [re.sub(r"^ *\d+\.\d\ds ", "", line) for line in lines(caplog) if line[:7].strip()[:1].isdigit()]
    assert f"→ long:echo('{'x' * 78}…)" in said
    assert f"← long:echo ● '{'x' * 78}…" in said
    assert "→ none:echo('')" in said
    assert "← none:echo ● " in said
    assert "! bad:fail failed, ValueError: bad luck" in said
    assert any(re.fullmatch(r"→ late:echo\('late'\) delayed=2\.\d\ds", line) for line in said)
    [record] = [record for record in caplog.records if "bad luck" in record.getMessage()]
    assert (record.levelname, record.extra) == ("ERROR", {"user": 7})  # type: ignore[attr-defined]
    assert record.exc_info


async def test_results_may_be_left_out_of_the_log(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With `log_results=False` no result is shown."""
    caplog.set_level(logging.INFO)

    async def secret(ctx: Ctx) -> str:
        return "password"

    await enqueue(arq_redis, "secret", _job_id="s")
    await make_worker([func(secret, name="secret")], log_results=False).run_check()

    assert not any("password" in line for line in lines(caplog))
    assert any(line.endswith("← s:secret ● ") for line in lines(caplog))


async def test_lines_of_a_worker(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker begins by telling what it can run and where."""
    caplog.set_level(logging.INFO)

    await make_worker([ok, func(ok, name="other")]).async_run()

    assert lines(caplog)[0] == "Starting worker for 2 functions: ok, other"
    assert re.fullmatch(
        r"redis_version=\S+ mem_usage=\S+ clients_connected=\S+ db_keys=\d+", lines(caplog)[1]
    )
