"""Which job a log record comes from: in every record, for every handler, and never in the way."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from worker_toys import Ctx, enqueue

from arqlite import ArqRedis, Worker, func
from arqlite.logs import (
    JsonFormatter,
    default_log_config,
    install_job_fields,
    job_fields,
    uninstall_job_fields,
)
from arqlite.model.context import running_job
from arqlite.speaking import speakers_named, speaking_as
from arqlite.telemetry import JobEnqueued, attach_default_logger, detach_default_logger, execute

FORMAT = "[%(job_id)s %(job_function)s %(job_queue)s %(job_try)s] %(message)s"
logger = logging.getLogger("some.library")


class Shown(logging.Handler):
    """A handler whose format names the fields."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def shown() -> Iterator[Shown]:
    handler = Shown()
    logger.addHandler(handler)
    install_job_fields()
    yield handler
    uninstall_job_fields()
    logger.removeHandler(handler)


@pytest.fixture
def in_job() -> Iterator[Any]:
    job: Any = SimpleNamespace(job_id="a", function="work", queue_name="q", job_try=2)
    token = running_job.set(job)
    yield job
    running_job.reset(token)


def test_record_of_a_job_carries_it(shown: Shown, in_job: Any) -> None:
    """What is logged in a job names id, function, queue and attempt, for handlers of any logger."""
    logger.warning("in a job")

    assert shown.lines == ["[a work q 2] in a job"]


def test_record_outside_of_a_job(shown: Shown) -> None:
    """Outside of a job each field is a dash, so that a format may always name them."""
    logger.warning("outside")

    assert shown.lines == ["[- - - -] outside"]


def test_own_extra_wins(shown: Shown, in_job: Any) -> None:
    """A record whose `extra` has one of the names is not refused, and keeps what it was given."""
    logger.warning("mine", extra={"job_id": "my own", "other": 1})

    assert shown.lines == ["[my own work q 2] mine"]


def test_fields_are_installed_once(shown: Shown) -> None:
    """A second install changes nothing, and one uninstall undoes both."""
    once = logging.Logger.makeRecord
    install_job_fields()

    assert logging.Logger.makeRecord is once
    uninstall_job_fields()

    record = logger.makeRecord("n", logging.INFO, "f", 1, "m", (), None)
    assert not hasattr(record, "job_id")
    assert logging.Logger.makeRecord is not once


def test_others_may_wrap_it_too(monkeypatch: pytest.MonkeyPatch, shown: Shown, in_job: Any) -> None:
    """Who wraps the making of records after us keeps his wrapper; ours only falls silent between."""
    ours = logging.Logger.makeRecord

    def theirs(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = ours(self, *args, **kwargs)
        record.theirs = True
        return record

    with monkeypatch.context() as patch:
        patch.setattr(logging.Logger, "makeRecord", theirs)
        uninstall_job_fields()
        silent = logger.makeRecord("n", logging.INFO, "f", 1, "m", (), None)
        install_job_fields()
        speaking = logger.makeRecord("n", logging.INFO, "f", 1, "m", (), None)

    assert (hasattr(silent, "theirs"), hasattr(silent, "job_id")) == (True, False)
    assert (hasattr(speaking, "theirs"), speaking.__dict__["job_id"]) == (True, "a")


def test_fields_for_other_loggers(in_job: Any) -> None:
    """Loggers of another kind ask for the fields; outside of a job there are none."""
    assert job_fields() == {"job_id": "a", "job_function": "work", "job_queue": "q", "job_try": 2}
    running_job.set(None)
    assert job_fields() == {}


async def test_fields_in_tasks_and_threads_of_jobs(
    arq_redis: ArqRedis, make_worker: Any, shown: Shown
) -> None:
    """Tasks and threads that a job starts log in its name, and neighbours in their own."""

    async def work(ctx: Ctx) -> None:
        async def part() -> None:
            logger.warning("task")

        await asyncio.gather(part())
        await asyncio.to_thread(logger.warning, "thread")

    jobs = [await enqueue(arq_redis, "work") for _ in range(3)]
    await make_worker([func(work, name="work")]).run_check()

    assert sorted(shown.lines) == sorted(
        f"[{job.job_id} work arq:queue 1] {text}" for job in jobs for text in ("task", "thread")
    )


def test_worker_of_its_own_process_installs_them(real_url: str) -> None:
    """`Worker.run`, whose process is the worker's, gives all records the fields."""
    from arqlite.connections import RedisSettings

    async def work(ctx: Ctx) -> None: ...

    settings = RedisSettings.from_dsn(real_url)
    try:
        Worker([func(work, name="work")], redis_settings=settings, burst=True, handle_signals=False).run()
        record = logger.makeRecord("n", logging.INFO, "f", 1, "m", (), None)
    finally:
        uninstall_job_fields()

    assert record.__dict__["job_id"] == "-"


def test_lines_of_the_command_line_are_those_of_arq() -> None:
    """The fields are there for those who ask; the lines stay as arq has them."""
    config = default_log_config(verbose=False)

    assert config["formatters"]["arqlite.standard"]["format"] == "%(asctime)s: %(message)s"


# -- lines in JSON


def in_json(*args: Any, level: int = logging.WARNING, **fields: Any) -> dict[str, Any]:
    record = logger.makeRecord("some.library", level, "file", 1, *args, (), fields.pop("exc_info", None))
    record.__dict__.update(fields)
    told = JsonFormatter().format(record)
    assert "\n" not in told
    fields = json.loads(told)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields.pop("time"))
    return fields


def test_record_as_json() -> None:
    """A record is one object: when, how bad, who, what, and whatever its `extra` says."""
    assert in_json("two\nlines", user=7, odd=object) == {
        "level": "WARNING",
        "logger": "some.library",
        "message": "two\nlines",
        "user": 7,
        "odd": "<class 'object'>",
    }


def test_time_of_a_record_is_its_own() -> None:
    """The time is UTC and has the record's milliseconds."""
    record = logging.makeLogRecord({"msg": "m", "created": 1_700_000_000.0425, "msecs": 42.5})

    assert json.loads(JsonFormatter().format(record))["time"] == "2023-11-14T22:13:20.042Z"


def test_job_is_in_the_json(in_job: Any) -> None:
    """A line of a job names it; a line outside of a job has no dashes."""
    install_job_fields()
    try:
        inside = in_json("m")
        running_job.set(None)
        outside = in_json("m")
    finally:
        uninstall_job_fields()

    assert inside["job_id"] == "a"
    assert inside.keys() - outside.keys() == {"job_id", "function", "queue", "attempt"}


def test_traceback_is_in_the_json() -> None:
    """A traceback is a field, and so is a stack that was asked for."""
    try:
        raise ValueError("boom")
    except ValueError as error:
        told = in_json("m", exc_info=(type(error), error, error.__traceback__), stack_info="Stack: here")

    assert told["stacktrace"].endswith("ValueError: boom")
    assert told["stack"] == "Stack: here"


def test_event_is_not_json_in_json(in_job: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An event of the default logger has its fields in the line itself, and its own job only."""
    caplog.set_level(logging.INFO)
    install_job_fields()
    attach_default_logger(logger="some.library")
    try:
        execute(JobEnqueued("q", "other", "send"))
    finally:
        detach_default_logger()
        uninstall_job_fields()

    told = json.loads(JsonFormatter().format(caplog.records[0]))
    del told["time"]
    assert told == {
        "level": "INFO", "logger": "some.library", "source": "arqlite", "event": "job.enqueued",
        "queue": "q", "job_id": "other", "function": "send",
    }  # fmt: skip


def test_event_keeps_its_line_among_several_workers(caplog: pytest.LogCaptureFixture) -> None:
    """Where lines are marked with their worker, those of events are not: they would be JSON no more."""
    caplog.set_level(logging.INFO, "arqlite.events")
    attach_default_logger()
    try:
        with speakers_named(), speaking_as("mail"):
            execute(JobEnqueued("q", "1", "send"))
    finally:
        detach_default_logger()

    assert json.loads(caplog.messages[0])["event"] == "job.enqueued"
