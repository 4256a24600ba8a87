"""Log lines that name their job and its trace: for any handler, for structlog, and in JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cpu_jobs
import pytest
import structlog
from observe_toys import Ctx
from opentelemetry.sdk.trace import TracerProvider
from worker_toys import enqueue

from arqlite import ArqRedis, func
from arqlite.connections import RedisSettings
from arqlite.logs import JsonFormatter, install_job_fields, line_fields
from arqlite.observe import JobFilter, OpenTelemetry
from arqlite.observe.structlog import add_job

logger = logging.getLogger("shop.orders")


class Shown(logging.Handler):
    """Keeps the lines that it was given, formatted at once."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def shown_by(formatter: logging.Formatter) -> Iterator[Shown]:
    handler = Shown(formatter)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def filtered() -> Iterator[Shown]:
    for handler in shown_by(logging.Formatter("%(queue)s %(function)s %(attempt)s %(trace_id)s %(message)s")):
        handler.addFilter(JobFilter())
        yield handler


@pytest.fixture
def in_json() -> Iterator[Shown]:
    install_job_fields()
    yield from shown_by(JsonFormatter())


def following() -> OpenTelemetry:
    return OpenTelemetry(tracer_provider=TracerProvider(), metrics=False)


async def talk(ctx: Ctx) -> dict[str, Any]:
    """Say something, and return what was known while it was said."""
    logger.warning("said")
    return line_fields()


TALK = func(talk, name="talk")


async def test_lines_of_a_followed_job_name_job_and_trace(
    arq_redis: ArqRedis, make_worker: Any, in_json: Shown
) -> None:
    """A line of any logger in JSON has the job in the words of events, and the ids of its open span."""
    job = await enqueue(arq_redis, "talk")
    await make_worker([TALK], services=[following()]).async_run()

    known = await job.result(timeout=5)
    [line] = map(json.loads, in_json.lines)
    told = {name: line[name] for name in ("job_id", "queue", "function", "attempt", "trace_id", "span_id")}
    assert told == known
    assert (told["job_id"], told["queue"], told["function"], told["attempt"]) == (
        job.job_id, "arq:queue", "talk", 1,
    )  # fmt: skip
    assert (len(told["trace_id"]), len(told["span_id"])) == (32, 16)


async def test_line_of_a_process_names_job_and_trace(
    arq_redis: ArqRedis, make_worker: Any, in_json: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    """What a function logs in a process of its own has its job and the trace of its run."""
    caplog.set_level(logging.INFO)
    logging.getLogger("cpu_jobs").addHandler(in_json)
    job = await enqueue(arq_redis, "log")
    await make_worker([func(cpu_jobs.log, cpu=True)], services=[following()]).async_run()
    logging.getLogger("cpu_jobs").removeHandler(in_json)

    [line] = map(json.loads, in_json.lines)
    assert (line["job_id"], line["queue"], line["function"]) == (job.job_id, "arq:queue", "log")
    assert len(line["trace_id"]) == 32


async def test_own_words_of_a_line_stay(arq_redis: ArqRedis, make_worker: Any, in_json: Shown) -> None:
    """What a line says itself under one of these names is not overwritten."""

    async def own(ctx: Ctx) -> None:
        logger.warning("mine", extra={"queue": "at the till", "trace_id": "t"})

    await enqueue(arq_redis, "own")
    await make_worker([func(own, name="own")], services=[following()]).async_run()

    [line] = map(json.loads, in_json.lines)
    assert (line["queue"], line["trace_id"], line["function"]) == ("at the till", "t", "own")


async def test_filter_for_any_format(arq_redis: ArqRedis, make_worker: Any, filtered: Shown) -> None:
    """A format may name the job's fields; outside of a job, and of a span, they are dashes."""
    await enqueue(arq_redis, "talk")
    await make_worker([TALK]).async_run()
    logger.warning("outside")

    assert filtered.lines == ["arq:queue talk 1 - said", "- - - - outside"]


async def test_processor_of_structlog(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With the processor, events of structlog name their job; what they say themselves stays."""
    told: list[dict[str, Any]] = []

    def keep(_: Any, __: str, event: Any) -> Any:
        told.append(dict(event))
        raise structlog.DropEvent

    log = structlog.wrap_logger(None, processors=[add_job, keep])

    async def order(ctx: Ctx) -> None:
        log.info("ordered", queue="at the till")

    job = await enqueue(arq_redis, "order")
    await make_worker([func(order, name="order")], services=[following()]).async_run()
    log.info("outside")

    ordered, outside = told
    assert ordered["job_id"] == job.job_id
    assert (ordered["queue"], ordered["function"], ordered["attempt"]) == ("at the till", "order", 1)
    assert len(ordered["trace_id"]) == 32
    assert outside == {"event": "outside"}


APP = """
import logging
from arqlite.connections import RedisSettings

logger = logging.getLogger("shop.orders")

async def order(ctx):
    logger.info("ordered", extra={{"order": 7}})
    logger.debug("not shown")

class Settings:
    functions = [order]
    redis_settings = RedisSettings.from_dsn({url!r})
"""


@pytest.mark.real
async def test_worker_command_has_all_lines_in_json(real_url: str, tmp_path: Path) -> None:
    """`--log-format json` shows the lines of the user's own loggers, too, each with its job."""
    (tmp_path / "shop.py").write_text(APP.format(url=real_url))
    settings = RedisSettings.from_dsn(real_url)
    pool = ArqRedis(unix_socket_path=settings.unix_socket_path, db=settings.database)
    job = await enqueue(pool, "order")
    await pool.aclose(close_connection_pool=True)

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "arqlite", "shop.Settings", "--burst", "--log-format", "json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    [ordered] = [line for line in lines if line["logger"] == "shop.orders"]
    assert (ordered["message"], ordered["order"], ordered["level"]) == ("ordered", 7, "INFO")
    assert (ordered["job_id"], ordered["function"], ordered["attempt"]) == (job.job_id, "order", 1)
    assert "trace_id" not in ordered
