"""arqlite: arq's API, Oban's guarantees, at Redis speed, with an SQL row for every job."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .version import VERSION, __version__

if TYPE_CHECKING:
    from .connections import ArqRedis, RedisSettings, create_pool
    from .cron import cron
    from .errors import Cancel, Discard, Retry, Snooze
    from .fleet import run_workers
    from .inspector import Inspector
    from .jobs import Job, JobStatus
    from .model.backoff import exponential, jitter
    from .model.calls import call
    from .model.context import current_job
    from .model.failures import register_exception
    from .model.functions import func
    from .model.limits import GlobalLimit, RateLimit
    from .model.queues import QueueInfo
    from .model.records import JobView
    from .model.states import JobState
    from .model.tasks import Task, task
    from .model.unique import Unique
    from .runtime.reentry import run_in_loop
    from .runtime.reporting import report_progress
    from .service import Service
    from .worker import Worker, check_health, run_worker
    from .workflows import PREVIOUS, Workflow, WorkflowRun, chain, group

__all__ = (
    "PREVIOUS",
    "VERSION",
    "ArqRedis",
    "Cancel",
    "Discard",
    "GlobalLimit",
    "Inspector",
    "Job",
    "JobState",
    "JobStatus",
    "JobView",
    "QueueInfo",
    "RateLimit",
    "RedisSettings",
    "Retry",
    "Service",
    "Snooze",
    "Task",
    "Unique",
    "Worker",
    "Workflow",
    "WorkflowRun",
    "__version__",
    "call",
    "chain",
    "check_health",
    "create_pool",
    "cron",
    "current_job",
    "exponential",
    "func",
    "group",
    "jitter",
    "register_exception",
    "report_progress",
    "run_in_loop",
    "run_worker",
    "run_workers",
    "task",
)

_HOMES = {
    "connections": ("ArqRedis", "RedisSettings", "create_pool"),
    "errors": ("Cancel", "Discard", "Retry", "Snooze"),
    "fleet": ("run_workers",),
    "inspector": ("Inspector",),
    "jobs": ("Job", "JobStatus"),
    "model.backoff": ("exponential", "jitter"),
    "model.calls": ("call",),
    "model.context": ("current_job",),
    "model.failures": ("register_exception",),
    "model.functions": ("func",),
    "model.limits": ("GlobalLimit", "RateLimit"),
    "model.queues": ("QueueInfo",),
    "model.records": ("JobView",),
    "model.states": ("JobState",),
    "model.tasks": ("Task", "task"),
    "model.unique": ("Unique",),
    "runtime.reentry": ("run_in_loop",),
    "runtime.reporting": ("report_progress",),
    "service": ("Service",),
    "worker": ("Worker", "check_health", "run_worker"),
    "workflows": ("PREVIOUS", "Workflow", "WorkflowRun", "chain", "group"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = ("connections", "constants", "errors", "jobs", "telemetry", "typing", "utils", "worker")


class _Face(ModuleType):
    """This package, where `cron` is the function: it has the name of its module, and whoever imports that
    first would put it in the function's place.
    """

    @property
    def cron(self) -> Any:
        """Make a cron job."""
        return import_module(f"{__name__}.cron").cron

    @cron.setter
    def cron(self, module: ModuleType) -> None:
        """Python puts each module that it imports into its package; this one is not what is asked for."""


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: the help and a supervisor of workers need no Redis client."""
    if name in _HOME_OF:
        value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    elif name in _ROOMS:  # `import arqlite; arqlite.worker.Worker` works as with arq
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
