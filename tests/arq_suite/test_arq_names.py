"""Names, parameters, defaults and constants that applications of arq rely on."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import Any

import arq
import pytest
from arq import ArqRedis, Worker, check_health, create_pool, cron, func, run_worker
from arq.cron import CronJob, Options, next_cron
from arq.jobs import (
    DeserializationError,
    Job,
    JobDef,
    JobResult,
    JobStatus,
    ResultNotFound,
    SerializationError,
)
from arq.worker import Function, async_check_health, create_worker, get_kwargs
from redis.asyncio import Redis

NAMES = {
    "arq": "ArqRedis create_pool cron VERSION Retry Worker check_health func run_worker __version__",
    "arq.connections": "RedisSettings ArqRedis create_pool log_redis_info logger Job JobDef JobResult "
    "Serializer Deserializer default_queue_name",
    "arq.worker": "Worker Function func Retry RetryJob JobExecutionFailed FailedJobs run_worker "
    "create_worker check_health async_check_health get_kwargs logger CronJob ArqRedis RedisSettings "
    "create_pool",
    "arq.jobs": "Job JobStatus JobDef JobResult ResultNotFound SerializationError DeserializationError "
    "Serializer Deserializer serialize_job serialize_result deserialize_job deserialize_job_raw "
    "deserialize_result logger",
    "arq.cron": "cron CronJob next_cron Options",
    "arq.typing": "OptionType WeekdayOptionType WEEKDAYS SecondsTimedelta WorkerCoroutine "
    "StartupShutdown WorkerSettingsType WorkerSettingsBase",
    "arq.constants": "default_queue_name job_key_prefix in_progress_key_prefix result_key_prefix "
    "retry_key_prefix abort_jobs_ss abort_job_max_age health_check_key_suffix keep_cronjob_progress "
    "expires_extra_ms timezone_env_vars",
    "arq.utils": "timestamp_ms to_unix_ms ms_to_datetime to_ms to_seconds poll truncate args_to_string "
    "import_string get_tz as_int DEFAULT_CURTAIL",
    "arq.logs": "default_log_config",
    "arq.cli": "cli create_worker run_worker check_health",
    "arq.version": "VERSION",
}
REQUIRED = inspect.Parameter.empty
TIMES: list[tuple[str, Any]] = [
    ("month", None),
    ("day", None),
    ("weekday", None),
    ("hour", None),
    ("minute", None),
    ("second", 0),
    ("microsecond", 123_456),
]


def parameters(function: Any, number: int) -> list[tuple[str, Any]]:
    """List the first parameters with their defaults, `self` left out; what comes behind them is extra."""
    taken = [(one.name, one.default) for one in inspect.signature(function).parameters.values()]
    return [one for one in taken if one[0] != "self"][:number]


def positional(function: Any) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    taken = inspect.signature(function).parameters.values()
    return [one.name for one in taken if one.kind in kinds and one.name != "self"]


@pytest.mark.parametrize("module", NAMES)
def test_names_can_be_imported(module: str) -> None:
    """Every name that applications import stands in its module."""
    found = importlib.import_module(module)

    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


def test_star_import() -> None:
    """`from arq import *` and `from arq.typing import *` give what arq's documentation names."""
    assert set(NAMES["arq"].split()) - {"__version__"} <= set(arq.__all__)
    wanted = set(NAMES["arq.typing"].split()) - {"WorkerSettingsBase"}
    assert wanted <= set(importlib.import_module("arq.typing").__all__)


def test_version() -> None:
    """The version is a text of numbers and dots."""
    assert isinstance(arq.VERSION, str)
    assert arq.__version__ == arq.VERSION == importlib.import_module("arq.version").VERSION
    assert arq.VERSION.split(".")[0].isdecimal()


def test_constants() -> None:
    """The constants that applications and operators rely on."""
    from arq import constants

    assert {name: getattr(constants, name) for name in NAMES["arq.constants"].split()} == {
        "default_queue_name": "arq:queue",
        "job_key_prefix": "arq:job:",
        "in_progress_key_prefix": "arq:in-progress:",
        "result_key_prefix": "arq:result:",
        "retry_key_prefix": "arq:retry:",
        "abort_jobs_ss": "arq:abort",
        "abort_job_max_age": 60,
        "health_check_key_suffix": ":health-check",
        "keep_cronjob_progress": 60,
        "expires_extra_ms": 86_400_000,
        "timezone_env_vars": ("ARQ_TIMEZONE", "arq_timezone", "TIMEZONE", "timezone"),
    }


def test_create_pool() -> None:
    """The settings come first; all else by name."""
    assert parameters(create_pool, 6) == [
        ("settings_", None),
        ("retry", 0),
        ("job_serializer", None),
        ("job_deserializer", None),
        ("default_queue_name", "arq:queue"),
        ("expires_extra_ms", 86_400_000),
    ]
    assert positional(create_pool) == ["settings_"]


def test_arq_redis() -> None:
    """`ArqRedis` is a Redis client, made from a pool or from a client's own arguments."""
    assert issubclass(ArqRedis, Redis)
    assert parameters(ArqRedis, 5) == [
        ("pool_or_conn", None),
        ("job_serializer", None),
        ("job_deserializer", None),
        ("default_queue_name", "arq:queue"),
        ("expires_extra_ms", 86_400_000),
    ]


def test_enqueue_job() -> None:
    """The options begin with an underscore and leave all other names to the function."""
    taken = inspect.signature(ArqRedis.enqueue_job).parameters

    assert positional(ArqRedis.enqueue_job) == ["function"]
    assert taken["args"].kind is inspect.Parameter.VAR_POSITIONAL
    assert taken["kwargs"].kind is inspect.Parameter.VAR_KEYWORD
    assert ArqRedis.enqueue_job.__kwdefaults__ == dict.fromkeys(
        ["_job_id", "_queue_name", "_defer_until", "_defer_by", "_expires", "_job_try"]
    )


def test_queued_jobs() -> None:
    """The queue is given by name."""
    assert parameters(ArqRedis.queued_jobs, 1) == [("queue_name", None)]
    assert positional(ArqRedis.queued_jobs) == []
    assert positional(ArqRedis.all_job_results) == []


def test_job() -> None:
    """A handle takes id and client; waiting takes a timeout."""
    assert [name for name, _ in parameters(Job, 4)] == ["job_id", "redis", "_queue_name", "_deserializer"]
    assert parameters(Job.result, 3) == [("timeout", None), ("poll_delay", 0.5), ("pole_delay", None)]
    assert positional(Job.result) == ["timeout"]
    assert parameters(Job.abort, 2) == [("timeout", None), ("poll_delay", 0.5)]
    assert positional(Job.abort) == []
    assert "job_id" in Job.__slots__


def test_records() -> None:
    """`JobDef` and `JobResult` are dataclasses with these fields, in this order."""
    defined = ["function", "args", "kwargs", "job_try", "enqueue_time", "score", "job_id"]
    ended = ["success", "result", "start_time", "finish_time", "queue_name"]

    assert [field.name for field in dataclasses.fields(JobDef)] == defined
    assert [field.name for field in dataclasses.fields(JobResult)] == defined + ended
    assert issubclass(JobResult, JobDef)


def test_status() -> None:
    """A status is a text."""
    names = ["deferred", "queued", "in_progress", "complete", "not_found"]

    assert [(status.name, status.value) for status in JobStatus] == [(name, name) for name in names]
    assert JobStatus.in_progress == "in_progress"
    assert str(JobStatus.queued) == "JobStatus.queued"


def test_exceptions() -> None:
    """All errors of jobs can be caught as `RuntimeError`."""
    from arq import worker

    assert issubclass(ResultNotFound, RuntimeError)
    assert issubclass(DeserializationError, SerializationError)
    assert issubclass(SerializationError, RuntimeError)
    for name in ("Retry", "RetryJob", "JobExecutionFailed", "FailedJobs"):
        assert issubclass(getattr(worker, name), RuntimeError)


def test_func() -> None:
    """The coroutine comes first, options by name."""
    assert parameters(func, 6) == [
        ("coroutine", REQUIRED),
        ("name", None),
        ("keep_result", None),
        ("timeout", None),
        ("keep_result_forever", None),
        ("max_tries", None),
    ]
    assert positional(func) == ["coroutine"]
    assert [field.name for field in dataclasses.fields(Function)][:6] == [
        "name", "coroutine", "timeout_s", "keep_result_s", "keep_result_forever", "max_tries",
    ]  # fmt: skip


def test_worker() -> None:
    """The functions come first, options by name."""
    options: list[tuple[str, Any]] = [
        ("functions", ()),
        ("queue_name", "arq:queue"),
        ("cron_jobs", None),
        ("redis_settings", None),
        ("redis_pool", None),
        ("burst", False),
        ("on_startup", None),
        ("on_shutdown", None),
        ("on_job_start", None),
        ("on_job_end", None),
        ("after_job_end", None),
        ("handle_signals", True),
        ("job_completion_wait", 0),
        ("max_jobs", 10),
        ("job_timeout", 300),
        ("keep_result", 3600),
        ("keep_result_forever", False),
        ("poll_delay", 0.5),
        ("queue_read_limit", None),
        ("max_tries", 5),
        ("health_check_interval", 3600),
        ("health_check_key", None),
        ("ctx", None),
        ("retry_jobs", True),
        ("allow_abort_jobs", False),
        ("max_burst_jobs", -1),
        ("job_serializer", None),
        ("job_deserializer", None),
        ("expires_extra_ms", 86_400_000),
        ("timezone", None),
        ("log_results", True),
    ]

    assert parameters(Worker, len(options)) == options
    assert positional(Worker) == ["functions"]


def test_running() -> None:
    """What starts, runs and checks workers."""
    for run in (run_worker, create_worker):
        assert positional(run) == ["settings_cls"]
        assert inspect.signature(run).parameters["kwargs"].kind is inspect.Parameter.VAR_KEYWORD
    assert positional(check_health) == positional(get_kwargs) == ["settings_cls"]
    assert parameters(async_check_health, 3) == [
        ("redis_settings", REQUIRED),
        ("health_check_key", None),
        ("queue_name", None),
    ]
    assert parameters(Worker.run_check, 2) == [("retry_jobs", None), ("max_burst_jobs", None)]
    for name in ("run", "async_run", "main", "close", "handle_sig", "handle_sig_wait_for_completion"):
        assert callable(getattr(Worker, name))


def test_cron() -> None:
    """The coroutine comes first, times and options by name."""
    assert parameters(cron, 16) == [
        ("coroutine", REQUIRED),
        ("name", None),
        *TIMES,
        ("run_at_startup", False),
        ("unique", True),
        ("job_id", None),
        ("timeout", None),
        ("keep_result", 0),
        ("keep_result_forever", False),
        ("max_tries", 1),
    ]
    assert positional(cron) == ["coroutine"]
    assert parameters(next_cron, 8) == [("previous_dt", REQUIRED), *TIMES]
    assert positional(next_cron) == ["previous_dt"]


def test_cron_records() -> None:
    """`CronJob` and `Options` are dataclasses with these fields, in this order."""
    times = [name for name, _ in TIMES]

    assert [field.name for field in dataclasses.fields(Options)] == times
    assert [field.name for field in dataclasses.fields(CronJob)][:17] == [
        "name", "coroutine", *times, "run_at_startup", "unique", "job_id", "timeout_s", "keep_result_s",
        "keep_result_forever", "max_tries", "next_run",
    ]  # fmt: skip
