"""The base worker: `arqlite app.core.worker.base_settings.WorkerSettings`."""

from __future__ import annotations

from typing import ClassVar

from app.core.config import redis_url
from app.core.database import ledger
from app.core.tasks import BASE_QUEUE
from app.core.worker.common import CommonSettings
from app.core.worker.lifecycle import shutdown, startup
from app.workers.jobs import sample_task
from arqlite.connections import RedisSettings


class WorkerSettings(CommonSettings):
    """Runs the jobs of the base queue, in Redis database 1."""

    queue_name = BASE_QUEUE
    functions: ClassVar = [sample_task]
    redis_settings = RedisSettings.from_dsn(redis_url())
    redis_settings.database = 1
    on_startup = startup
    on_shutdown = shutdown
    ledger = ledger
