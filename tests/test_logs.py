"""Which job a log record comes from: in every record, for every handler, and never in the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from worker_toys import Ctx, enqueue

from arqlite import ArqRedis, Worker, func
from arqlite.logs import default_log_config, install_job_fields, job_fields, uninstall_job_fields
from arqlite.model.context import running_job

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
