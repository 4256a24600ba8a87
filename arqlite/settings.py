"""A settings class or dict, with its bases, read into what a worker takes; checked once, in words."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from . import constants
from .connections import ArqRedis, RedisSettings
from .cron import CronJob, zone
from .errors import ConfigurationError
from .model import checks, limits
from .model.arguments import lacks_ctx
from .model.functions import Function, by_name, func, is_coroutine_function, without_ctx
from .model.slips import meant
from .runtime.executor import Hooks
from .runtime.limits import Limits
from .service import Service
from .service import check as check_service
from .surroundings import ledger_url
from .typing import AsyncHook, Deserializer, Serializer, WorkerSettingsType
from .utils import to_ms

logger = logging.getLogger("arqlite.worker")

# `keep_results` is nearly `keep_result`; `on_start` need not be meant for `on_startup`.
_NEARLY = 0.9
_LAST_PORT = 65_535
_SHORTEST_S = {
    "lease": 0.1,
    "keep_result": 0,
    "job_completion_wait": 0,
    "health_check_interval": 0.001,
    "unknown_function_ttl": 0,
    "poll_delay": 0,
    "prune_interval": 0.001,
    "blocked_loop_limit": 0.001,
}
_KINDS = {
    "queue_name": (str, "a text"),
    "health_check_key": (str, "a text"),
    "redis_settings": (RedisSettings, "RedisSettings (see RedisSettings.from_dsn)"),
    "redis_pool": (ArqRedis, "an ArqRedis"),
    "ctx": (dict, "a dict"),
    "health_host": (str, "an address such as '127.0.0.1' or '0.0.0.0'"),
    "health_file": (str, "the path of a file"),
}
WORDS_OF_OTHERS = {
    **dict.fromkeys(("queue", "queues"), "queue_name"),
    **dict.fromkeys(("limit", "concurrency"), "max_jobs"),
    **dict.fromkeys(("plugin", "plugins"), "services"),
    **dict.fromkeys(("tasks", "jobs"), "functions"),
    **dict.fromkeys(("max_attempts", "max_retries"), "max_tries, or @task(max_attempts=...)"),
    **dict.fromkeys(("keep_completed", "result_ttl"), "keep_result"),
    "crontab": "cron_jobs",
    "redis": "redis_pool",
    "shutdown_grace_period": "job_completion_wait",
    "task_timeout": "job_timeout",
    "timeout": "job_timeout",
}
"""What others call the options of a worker."""

# A settings class may have attributes of its own: these are nobody's but a worker's.
_MISTAKABLE = WORDS_OF_OTHERS.keys() - {"jobs", "redis", "tasks", "timeout"}
_HOOKS = ("on_startup", "on_shutdown", "on_job_start", "on_job_end", "after_job_end")
_FUNCTIONS = (*_HOOKS, "job_serializer", "job_deserializer")


@dataclass(kw_only=True)
class WorkerOptions:
    """Everything a worker can be told. The defaults are arq's; the last group is arqlite's own.

    A span may be given as a timedelta; it is plain seconds from here on. No `job_timeout` is None.

    Attributes: see `arqlite.worker.Worker`.
    """

    functions: Sequence[Any] = ()
    queue_name: str | None = constants.default_queue_name
    cron_jobs: Sequence[CronJob] | None = None
    redis_settings: RedisSettings | None = None
    redis_pool: ArqRedis | None = None
    burst: bool = False
    on_startup: AsyncHook | None = None
    on_shutdown: AsyncHook | None = None
    on_job_start: AsyncHook | None = None
    on_job_end: AsyncHook | None = None
    after_job_end: AsyncHook | None = None
    handle_signals: bool = True
    job_completion_wait: float = 0
    max_jobs: int = 10
    job_timeout: float | None = 300
    keep_result: float = 3600
    keep_result_forever: bool = False
    poll_delay: float = 0.5
    queue_read_limit: int | None = None
    max_tries: int = 5
    health_check_interval: float = 3600
    health_check_key: str | None = None
    ctx: dict[Any, Any] | None = None
    retry_jobs: bool = True
    allow_abort_jobs: bool = False
    max_burst_jobs: int = -1
    job_serializer: Serializer | None = None
    job_deserializer: Deserializer | None = None
    expires_extra_ms: int = constants.expires_extra_ms
    timezone: tzinfo | str | None = None
    log_results: bool = True
    lease: float = constants.default_lease_s
    max_rescues: int = constants.default_max_rescues
    unknown_function_ttl: float = constants.default_unknown_function_ttl_s
    rescue_after: float | None = None
    prune_interval: float = constants.default_prune_interval_s
    prune_limit: int = constants.default_prune_limit
    keep_discarded: float | None = None
    keep_cancelled: float | None = None
    strict_arguments: bool = False
    cpu_processes: int | None = None
    blocked_loop_warning: float | None = 1.0
    capture_logs: int | str | None = None
    services: Sequence[Service] = field(default_factory=tuple)
    global_limit: Any = None
    rate_limit: Any = None
    paused: bool = False
    node: str | None = None
    ledger: Any = None
    health_port: int | None = None
    health_host: str = "127.0.0.1"
    blocked_loop_limit: float = 30.0
    health_file: str | None = None

    def __post_init__(self) -> None:
        self._check_counts()
        self._take_spans()
        if self.capture_logs is not None:
            self.capture_logs = self.capture_level
        self._take_limits()
        self._take_ledger()
        self._check_objects()
        self.cron_jobs = self._listed_cron_jobs()
        _check_one_call_per_name(self.cron_jobs)
        if not self.functions and not self.cron_jobs:
            raise RuntimeError("at least one function or cron_job must be registered")
        if self.queue_name is None:
            if self.redis_pool is None:
                raise ValueError("If queue_name is absent, redis_pool must be present.")
            self.queue_name = self.redis_pool.default_queue_name
        _check_queues_of_tasks(self.cron_jobs, self.queue)

    @property
    def queue(self) -> str:
        """The queue's name."""
        assert self.queue_name is not None  # noqa: S101 (settled in __post_init__)
        return self.queue_name

    @property
    def zone(self) -> tzinfo | None:
        """Where cron fields are read; None is the system's zone."""
        return zone(self.timezone)

    @property
    def health_key(self) -> str:
        """Where health records go."""
        return self.health_check_key or self.queue + constants.health_check_key_suffix

    @property
    def lease_ms(self) -> int:
        """The lease in ms."""
        return int(self.lease * 1000)

    @property
    def capture_level(self) -> int | None:
        """From which level on the logs of jobs are attached to them; None is not at all."""
        return None if self.capture_logs is None else checks.log_level("capture_logs", self.capture_logs)

    def table(self) -> dict[str, Function]:
        """Everything that can be run, by name; a cron job is a function of its own.

        Raises:
            ConfigurationError: one has no parameter for `ctx`, or two have one name.
        """
        own = [func(function) for function in self.functions]
        table = by_name([*own, *(job.registered() for job in self.cron_jobs or ())])
        for function in table.values():
            if lacks_ctx(function.coroutine):
                raise without_ctx(function)
        return table

    def limits(self) -> Limits:
        """The limits of jobs whose function has none of its own."""
        return Limits(
            timeout_s=self.job_timeout,
            keep_ms=-1 if self.keep_result_forever else int(self.keep_result * 1000),
            max_tries=self.max_tries,
            max_rescues=self.max_rescues,
            unknown_ttl_ms=int(self.unknown_function_ttl * 1000),
            strict_arguments=self.strict_arguments,
            else_keep_ms=int(self.keep_result * 1000),
            keep_discarded_ms=to_ms(self.keep_discarded),
            retry_jobs=self.retry_jobs,
            keep_cancelled_ms=to_ms(self.keep_cancelled),
        )

    def hooks(self) -> Hooks:
        """The hooks around each job."""
        return Hooks(self.on_job_start, self.on_job_end, self.after_job_end)

    def _check_counts(self) -> None:
        for name in ("max_jobs", "max_tries", "max_rescues", "prune_limit"):
            checks.count(name, getattr(self, name), 1)
        checks.count("max_burst_jobs", self.max_burst_jobs)
        checks.count("expires_extra_ms", self.expires_extra_ms)
        if self.queue_read_limit is not None:
            checks.count("queue_read_limit", self.queue_read_limit)
        if self.health_port is not None:
            checks.count("health_port", self.health_port, 0)
            if self.health_port > _LAST_PORT:
                raise ConfigurationError(f"health_port must be at most {_LAST_PORT}, got {self.health_port}")
        if self.cpu_processes is not None:
            checks.count("cpu_processes", self.cpu_processes, 1)

    def _take_spans(self) -> None:
        for name, least in _SHORTEST_S.items():
            setattr(self, name, checks.seconds(name, getattr(self, name), least))
        for name in ("keep_discarded", "keep_cancelled"):
            if getattr(self, name) is not None:
                setattr(self, name, checks.seconds(name, getattr(self, name), 0))
        if self.job_timeout is not None:
            limit = checks.time_limit("job_timeout", self.job_timeout)
            self.job_timeout = None if limit == float("inf") else limit
        if self.rescue_after is not None:
            self.rescue_after = checks.seconds("rescue_after", self.rescue_after, self.lease)
        if self.blocked_loop_warning is not None:
            limit = checks.time_limit("blocked_loop_warning", self.blocked_loop_warning)
            self.blocked_loop_warning = None if limit == float("inf") else limit

    def _take_limits(self) -> None:
        self.global_limit = limits.global_limit(self.global_limit)
        self.rate_limit = limits.rate_limit(self.rate_limit)
        limits.must_agree(self.global_limit, self.rate_limit)
        checks.instance("paused", self.paused, bool, "True or False")
        if self.node is not None:
            limits.node(self.node)

    def _take_ledger(self) -> None:
        if self.ledger is not None:
            # Here, since without a ledger there need not be an SQLAlchemy.
            from .ledger.given import ledger_of

            self.ledger = ledger_of(self.ledger)

    def _check_objects(self) -> None:
        zone(self.timezone)
        checks.queue("queue_name", self.queue_name)
        for name, (kind, wanted) in _KINDS.items():
            if getattr(self, name) is not None:
                checks.instance(name, getattr(self, name), kind, wanted)
        for name in _FUNCTIONS:
            if getattr(self, name) is not None:
                checks.function(name, getattr(self, name))
        for name in _HOOKS:
            hook = getattr(self, name)
            if hook is not None and not is_coroutine_function(hook):
                setattr(self, name, _awaited(name, hook))
        for name in ("functions", "services"):
            checks.instance(name, getattr(self, name), Iterable, "a list")
        for service in self.services:
            checks.instance("services", service, Service, "instances of Service")
            check_service(service)

    def _listed_cron_jobs(self) -> list[CronJob]:
        given = self.cron_jobs or ()
        if not isinstance(given, Iterable) or not all(isinstance(job, CronJob) for job in given):
            raise RuntimeError("cron_jobs, must be instances of CronJob")
        return list(given)


def get_kwargs(settings_cls: WorkerSettingsType) -> dict[str, Any]:
    """Take a worker's arguments out of a settings class, an instance of one, or a dict.

    Attributes of base classes count; names that a worker does not know are left out. Where one of them is
    nearly an option, the log says so.

    Raises:
        ConfigurationError: it is none of these, or its queue has an empty name.
    """
    told = _told_by(settings_cls)
    checks.queue("queue_name", told.get("queue_name"))
    return told


def _told_by(settings_cls: WorkerSettingsType) -> dict[str, Any]:
    known = set(inspect.signature(WorkerOptions).parameters)
    if isinstance(settings_cls, dict):
        _tell_of_slips(settings_cls, known)
        return {name: value for name, value in settings_cls.items() if name in known}
    if inspect.isroutine(settings_cls) or inspect.ismodule(settings_cls):
        raise _no_settings(settings_cls)
    bases = (settings_cls if isinstance(settings_cls, type) else type(settings_cls)).__mro__
    # An instance has attributes of its own, unless its class has slots.
    places = [*(vars(base) for base in reversed(bases)), getattr(settings_cls, "__dict__", {})]
    _tell_of_slips({name for place in places for name in place}, known)
    names = [name for place in places for name in place if name in known]
    # A class may leave everything to keyword arguments; an instance of anything is no settings yet.
    if not names and not isinstance(settings_cls, type):
        raise _no_settings(settings_cls)
    return {name: _attribute(settings_cls, name) for name in names}


def with_default_ledger(told: dict[str, Any]) -> dict[str, Any]:
    """Add the ledger of `ARQLITE_LEDGER_URL`, or of this project's `arqlite dev`, where nobody names one.

    Who gives a pool, or says `ledger = None`, has wired it as it is meant.

    Args:
        told: the arguments of a worker, as `get_kwargs` has them.
    """
    if "ledger" in told or told.get("redis_pool") is not None or (url := ledger_url()) is None:
        return told
    return {**told, "ledger": url}


def _tell_of_slips(names: Iterable[str], known: Collection[str]) -> None:
    """What a worker does not know it leaves out, as arq does: a slip would go unseen."""
    given = set(names)
    words = {name: WORDS_OF_OTHERS[name] for name in _MISTAKABLE if WORDS_OF_OTHERS[name] not in given}
    for name in sorted(given - set(known)):
        hint = "" if name.startswith("_") else meant(name, known, words, _NEARLY, str)
        if hint:
            logger.warning("a worker has no option %s; %s", name, hint)


def _attribute(settings: object, name: str) -> Any:
    """Read an attribute; a function that stands in the class and knows no `self` stays what it is."""
    value = getattr(settings, name)
    if inspect.ismethod(value) and value.__self__ is settings:
        try:
            inspect.signature(value).bind(None)  # hooks and serializers take one argument
        except TypeError:
            return value.__func__
    return value


def _no_settings(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"worker settings must be a class with functions or cron_jobs, an instance of one, or a dict, "
        f"got {given!r}"
    )


def _awaited(name: str, hook: Callable[..., Any]) -> AsyncHook:
    """Tell in words that a hook gives nothing to await, which only calling it can show."""

    async def call(ctx: dict[Any, Any]) -> Any:
        given = hook(ctx)
        if not inspect.isawaitable(given):
            raise ConfigurationError(f"{name} must be an async function, and {hook!r} gave {given!r}")
        return await given

    return call


def _check_one_call_per_name(jobs: Iterable[CronJob]) -> None:
    """Cron jobs of one name are one to Redis: what runs must not depend on who fires first."""
    calls: dict[str, CronJob] = {}
    for job in jobs:
        other = calls.setdefault(job.name, job)
        if (job.args, job.kwargs) != (other.args, other.kwargs):
            raise ConfigurationError(
                f"two cron jobs are named {job.name} and have other arguments; give each a name of its own"
            )


def _check_queues_of_tasks(jobs: Iterable[CronJob], queue: str) -> None:
    for job in jobs:
        if job.task is not None and job.task.queue not in (None, queue):
            raise ConfigurationError(
                f"cron job {job.name} enqueues in {queue!r}, and its task belongs to {job.task.queue!r}: "
                f"give it to a worker of that queue"
            )
