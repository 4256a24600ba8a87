"""The base worker: `arqlite app.core.worker.base_settings.WorkerSettings`."""

from __future__ import annotations

from typing import ClassVar

from app.core.config import redis_url
from app.core.database import AsyncSessionLocal
from app.core.worker.common import CommonSettings
from app.core.worker.lifecycle import shutdown, startup
from app.models import Job
from app.workers.jobs import sample_task
from arqlite.connections import RedisSettings
from arqlite.ledger import Recorder


class WorkerSettings(CommonSettings):
    """Runs the jobs of the base queue, in Redis database 1."""

    functions: ClassVar = [sample_task]
    redis_settings = RedisSettings.from_dsn(redis_url())
    redis_settings.database = 1
    on_startup = startup
    on_shutdown = shutdown
    services: ClassVar = [Recorder(AsyncSessionLocal, Job)]
