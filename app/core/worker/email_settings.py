"""The e-mail worker: `arqlite app.core.worker.email_settings.WorkerSettings`."""

from __future__ import annotations

from typing import ClassVar

from app.core.config import redis_url
from app.core.database import ledger
from app.core.tasks import EMAIL_QUEUE
from app.core.worker.common import CommonSettings
from app.core.worker.lifecycle import shutdown, startup
from app.core.worker.redaction import hide_secrets
from app.workers.jobs import run_email_extraction, run_email_fetch, send_email, send_otp_email
from arqlite import func
from arqlite.connections import RedisSettings

hide_secrets()


class WorkerSettings(CommonSettings):
    """Runs the jobs of the e-mail queue, in Redis database 2."""

    queue_name = EMAIL_QUEUE
    functions: ClassVar = [
        send_email,
        # A record of the run would hold its arguments, and with them the password.
        func(send_otp_email, keep_result=0),
        run_email_fetch,
        run_email_extraction,
    ]
    redis_settings = RedisSettings.from_dsn(redis_url())
    redis_settings.database = 2
    on_startup = startup
    on_shutdown = shutdown
    # A mailbox of tens of thousands of messages takes its time; one that hangs shall not take for ever.
    job_timeout = 1800
    ledger = ledger
