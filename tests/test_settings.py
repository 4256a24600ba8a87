"""What a worker can be told, and what it says about what it cannot."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import fakeredis
import pytest
from worker_toys import Ctx

from arqlite import ArqRedis, Worker, cron
from arqlite.connections import RedisSettings
from arqlite.errors import ConfigurationError
from arqlite.settings import get_kwargs
from arqlite.worker import create_worker

NAN, INF = float("nan"), float("inf")


async def noctx() -> None: ...


async def ok(ctx: Ctx) -> None: ...


async def startup(ctx: Ctx) -> None: ...


class BaseSettings:
    """What all workers of an application share."""

    redis_settings = RedisSettings(host="base")
    max_jobs = 3
    on_startup = startup
    not_an_option = "ignored"


class Settings(BaseSettings):
    """One worker's own."""

    functions = (ok,)
    max_jobs = 7


def test_settings_are_inherited() -> None:
    """Attributes of base classes count, the class's own win (in arq they are ignored without a word)."""
    kwargs = get_kwargs(Settings)

    assert kwargs == {
        "functions": (ok,),
        "redis_settings": RedisSettings(host="base"),
        "max_jobs": 7,
        "on_startup": startup,
    }


def test_settings_may_be_an_instance() -> None:
    """An instance has what its class has, and attributes of its own win."""
    settings = Settings()
    settings.max_jobs = 9

    assert get_kwargs(settings) == {**get_kwargs(Settings), "max_jobs": 9}


def test_hooks_of_an_instance_may_be_methods() -> None:
    """A method of an instance gets its `self`, a function that its class only names gets none."""

    class WithMethod:
        functions = (ok,)
        on_startup = startup

        async def on_shutdown(self, ctx: Ctx) -> None: ...

    settings = WithMethod()

    kwargs = get_kwargs(settings)

    assert kwargs["on_startup"] is startup
    assert kwargs["on_shutdown"] == settings.on_shutdown


@pytest.mark.parametrize("given", [ok, None, 5, "app.Settings", object(), pytest])
def test_what_is_no_settings_is_told_so(given: Any) -> None:
    """What has no option of a worker is refused in words that quote it."""
    with pytest.raises(ConfigurationError, match=r"^worker settings must be a class .*, got "):
        get_kwargs(given)


def test_settings_may_be_a_dict() -> None:
    """A dict does as well; names a worker does not know are left out."""
    assert get_kwargs({"functions": [ok], "max_jobs": 2, "colour": "red"}) == {
        "functions": [ok],
        "max_jobs": 2,
    }


def test_hooks_may_be_static_or_class_methods() -> None:
    """A hook written as a static or class method is what it looks like."""

    class WithMethods:
        functions = (ok,)

        @staticmethod
        async def on_startup(ctx: Ctx) -> None: ...

        @classmethod
        async def on_shutdown(cls, ctx: Ctx) -> None: ...

    kwargs = get_kwargs(WithMethods)

    assert kwargs["on_startup"] is WithMethods.on_startup
    assert kwargs["on_shutdown"] == WithMethods.on_shutdown


def test_keyword_arguments_win() -> None:
    """What is given to `create_worker` wins over the settings."""

    class Bare: ...

    worker = create_worker(Settings, max_jobs=1, burst=True)
    assert list(create_worker(Bare, functions=[ok]).functions) == ["ok"]

    assert (worker.max_jobs, worker.burst, list(worker.functions)) == (1, True, ["ok"])
    assert worker.redis_settings == RedisSettings(host="base")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"functions": ()}, RuntimeError, "at least one function or cron_job must be registered"),
        ({"cron_jobs": [ok]}, RuntimeError, "cron_jobs, must be instances of CronJob"),
        ({"queue_name": None}, ValueError, "If queue_name is absent, redis_pool must be present."),
        ({"max_jobs": 0}, ConfigurationError, "max_jobs must be a whole number of at least 1, got 0"),
        ({"max_jobs": True}, ConfigurationError, "max_jobs must be a whole number of at least 1, got True"),
        ({"max_jobs": "ten"}, ConfigurationError, "max_jobs must be a whole number of at least 1, got 'ten'"),
        ({"max_tries": 0}, ConfigurationError, "max_tries must be a whole number of at least 1, got 0"),
        ({"lease": 0}, ConfigurationError, "lease must be at least 0.1 seconds, got 0"),
        ({"keep_result": -1}, ConfigurationError, "keep_result must be at least 0 seconds, got -1"),
        ({"job_timeout": 0}, ConfigurationError, "job_timeout must be more than 0 seconds, got 0"),
        ({"job_completion_wait": -1}, ConfigurationError, "job_completion_wait must be at least 0 seconds"),
        ({"health_check_interval": 0}, ConfigurationError, "health_check_interval must be at least"),
        ({"max_jobs": 2.5}, ConfigurationError, "max_jobs must be a whole number of at least 1, got 2.5"),
        ({"max_burst_jobs": "x"}, ConfigurationError, "max_burst_jobs must be a whole number, got 'x'"),
        ({"queue_read_limit": "x"}, ConfigurationError, "queue_read_limit must be a whole number"),
        ({"expires_extra_ms": 1.5}, ConfigurationError, "expires_extra_ms must be a whole number"),
        ({"job_timeout": NAN}, ConfigurationError, "job_timeout must be more than 0 seconds, got nan"),
        ({"job_timeout": "5"}, ConfigurationError, "job_timeout must be a number of seconds or a timedelta"),
        ({"lease": NAN}, ConfigurationError, "lease must be a finite number of seconds, got nan"),
        ({"keep_result": INF}, ConfigurationError, "keep_result must be a finite number of seconds, got inf"),
        ({"poll_delay": "x"}, ConfigurationError, "poll_delay must be a number of seconds or a timedelta"),
        ({"queue_name": 5}, ConfigurationError, "queue_name must be a text, got 5"),
        ({"redis_settings": "redis://x"}, ConfigurationError, "redis_settings must be RedisSettings (see"),
        ({"redis_pool": "redis://x"}, ConfigurationError, "redis_pool must be an ArqRedis, got 'redis"),
        ({"timezone": "Europe/Prag"}, ConfigurationError, "timezone must be a tzinfo or the name of a zone"),
        ({"timezone": 2}, ConfigurationError, "timezone must be a tzinfo or the name of a zone"),
        ({"on_startup": 5}, ConfigurationError, "on_startup must be a function, got 5"),
        ({"job_serializer": 5}, ConfigurationError, "job_serializer must be a function, got 5"),
        ({"capture_logs": "loud"}, ConfigurationError, "capture_logs must be a level of logging (CRITICAL, "),
        ({"capture_logs": True}, ConfigurationError, "capture_logs must be a level of logging ("),
        ({"blocked_loop_warning": 0}, ConfigurationError, "blocked_loop_warning must be more than 0 seconds"),
        ({"ctx": 5}, ConfigurationError, "ctx must be a dict, got 5"),
        ({"services": [5]}, ConfigurationError, "services must be instances of Service, got 5"),
        ({"services": 5}, ConfigurationError, "services must be a list, got 5"),
        ({"functions": 5}, ConfigurationError, "functions must be a list, got 5"),
        ({"cron_jobs": 5}, RuntimeError, "cron_jobs, must be instances of CronJob"),
        ({"functions": [5]}, RuntimeError, "5 is not a coroutine function"),
        ({"queue_name": ""}, ConfigurationError, "queue_name must not be empty (is the variable"),
        ({"functions": [noctx]}, ConfigurationError, "noctx has no parameter for ctx"),
        ({"functions": [ok, "asyncio.nothing"]}, ImportError, 'Module "asyncio" does not define a "nothing"'),
        ({"functions": [dict]}, RuntimeError, "is not a coroutine function"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    """An option that cannot work is refused at once, by its name, with what came."""
    with pytest.raises(error) as caught:
        Worker(**{"functions": [ok], **options})

    assert text in str(caught.value)


def test_queue_without_a_name_is_refused_by_all_who_read_settings() -> None:
    """A worker would serve the queue '', and commands would look into the default one."""

    class Settings:
        functions = (ok,)
        queue_name = ""

    for settings in (Settings, Settings(), {"functions": [ok], "queue_name": ""}):
        with pytest.raises(ConfigurationError, match="queue_name must not be empty"):
            get_kwargs(settings)


def test_durations_may_be_timedeltas() -> None:
    """Every duration is a number of seconds or a timedelta."""
    worker = Worker(
        [ok],
        job_timeout=timedelta(minutes=1),
        keep_result=timedelta(hours=1),
        lease=timedelta(seconds=3),
        health_check_interval=timedelta(seconds=5),
        unknown_function_ttl=timedelta(minutes=2),
        job_completion_wait=timedelta(seconds=7),
    )

    limits = worker.options.limits()
    assert (limits.timeout_s, limits.keep_ms, worker.options.lease_ms) == (60, 3_600_000, 3000)
    assert limits.unknown_ttl_ms == 120_000
    assert worker.options.job_completion_wait == 7
    assert worker.options.health_check_interval == 5


@pytest.mark.parametrize("none", [None, INF])
def test_job_timeout_may_be_no_limit(none: float | None) -> None:
    """None and infinity say that a run may take for ever."""
    assert Worker([ok], job_timeout=none).options.limits().timeout_s is None


@pytest.mark.parametrize(
    ("given", "taken"),
    [(None, None), ("info", 20), (" WARNING ", 30), (logging.ERROR, 40), (5, 5), (0, 0), ("notset", 0)],
)
def test_capture_logs_is_a_level(given: Any, taken: int | None) -> None:
    """The level from which logs are attached may be given as a number or by its name."""
    assert Worker([ok], capture_logs=given).options.capture_logs == taken


@pytest.mark.parametrize(("given", "taken"), [(None, None), (INF, None), (timedelta(seconds=2), 2.0)])
def test_blocked_loop_warning_may_be_off(given: Any, taken: float | None) -> None:
    """None and infinity leave the watchdog out."""
    assert Worker([ok], blocked_loop_warning=given).options.blocked_loop_warning == taken


def test_worker_shows_its_settings() -> None:
    """The attributes that users of arq read are there, before the worker runs."""
    pool = ArqRedis(fakeredis.FakeAsyncRedis().connection_pool, default_queue_name="pools")
    worker = Worker([ok], redis_pool=pool, queue_name=None, max_jobs=30, ctx={"a": 1}, cron_jobs=[cron(ok)])

    assert (worker.queue_name, worker.queue_read_limit, worker.max_jobs) == ("pools", 150, 30)
    assert (worker.burst, worker.max_burst_jobs, worker.ctx) == (False, -1, {"a": 1})
    assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == (0, 0, 0)
    assert (worker.tasks, worker.job_tasks) == ({}, {})
    assert worker.health_check_key == "pools:health-check"
    assert list(worker.functions) == ["ok", "cron:ok"]
    assert worker.pool is pool
    assert worker.on_stop is None
    assert repr(worker) == "<Worker j_complete=0 j_failed=0 j_retried=0 j_ongoing=0>"


def test_ctx_of_the_user_is_not_copied() -> None:
    """A `ctx` that was given is the worker's, also an empty one."""
    ctx: Ctx = {}

    assert Worker([ok], ctx=ctx).ctx is ctx


def test_misspelled_option_is_told_with_the_right_one(caplog: pytest.LogCaptureFixture) -> None:
    """A name that is nearly an option is told, as it would be left out unseen; others are none of ours."""

    class Settings:
        functions: ClassVar[list[Any]] = []
        prune_intervall = 10
        keep_results = 5
        on_start = None
        database_url = "sqlite://"

    assert get_kwargs(Settings) == {"functions": []}
    get_kwargs({"functions": [], "max_job": 3})

    assert caplog.messages == [
        "a worker has no option keep_results; did you mean keep_result?",
        "a worker has no option prune_intervall; did you mean prune_interval?",
        "a worker has no option max_job; did you mean max_jobs?",
    ]


def test_words_of_others_are_told_with_ours(caplog: pytest.LogCaptureFixture) -> None:
    """A word that other libraries have for an option is told: a worker would serve the wrong queue unseen."""

    class Settings:
        functions: ClassVar[list[Any]] = []
        queue = "other"
        limit = 3
        plugins: ClassVar[list[Any]] = []
        max_attempts = 5
        tasks = "my own"

    get_kwargs(Settings)
    get_kwargs({"functions": [], "queue": "other", "queue_name": "other"})

    assert caplog.messages == [
        "a worker has no option limit; did you mean max_jobs?",
        "a worker has no option max_attempts; say max_tries, or @task(max_attempts=...)",
        "a worker has no option plugins; did you mean services?",
        "a worker has no option queue; did you mean queue_name?",
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("queue", "Worker has no option 'queue'; did you mean 'queue_name'"),
        ("limit", "Worker has no option 'limit'; did you mean 'max_jobs'"),
        ("max_job", "Worker has no option 'max_job'; did you mean 'max_jobs'"),
        ("keep_completed", "did you mean 'keep_result'"),
        ("zzz", "Worker has no option 'zzz'; there are functions, queue_name, "),
    ],
)
def test_worker_names_the_option_that_is_meant(given: str, text: str) -> None:
    """An unknown argument of a worker is refused with the right one; it is a TypeError as in arq, too."""
    options: dict[str, Any] = {given: 3}
    with pytest.raises(ConfigurationError, match=text) as caught:
        Worker([ok], **options)

    assert isinstance(caught.value, TypeError)


def test_timezone_may_be_a_name() -> None:
    """A worker takes the name of a zone, as a cron job of its own does."""
    worker = Worker([ok], timezone="Europe/Prague")

    assert worker.timezone == worker.options.zone == ZoneInfo("Europe/Prague")
