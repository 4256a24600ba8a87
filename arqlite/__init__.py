"""arqlite: arq's API, Oban's guarantees, at Redis speed, with an SQL row for every job."""

from .connections import ArqRedis, RedisSettings, create_pool
from .cron import cron
from .errors import Retry
from .jobs import Job, JobStatus
from .model.context import current_job
from .model.failures import register_exception
from .model.functions import func
from .runtime.reentry import run_in_loop
from .service import Service
from .version import VERSION, __version__
from .worker import Worker, check_health, run_worker

__all__ = (
    "VERSION",
    "ArqRedis",
    "Job",
    "JobStatus",
    "RedisSettings",
    "Retry",
    "Service",
    "Worker",
    "__version__",
    "check_health",
    "create_pool",
    "cron",
    "current_job",
    "func",
    "register_exception",
    "run_in_loop",
    "run_worker",
)
