"""The one object that sees and steers the queues of a pool."""

from __future__ import annotations

from .control import QueueControl
from .crons import CronControl
from .flows import FlowControl
from .jobs import JobManagement


class Inspector(QueueControl, JobManagement, CronControl, FlowControl):
    """Looks at the queues of one Redis database, and acts on them.

    Args:
        pool: the client, an `ArqRedis`; its serializer reads the jobs.
        by: who looks and acts, as telemetry and the ledger's audit tell it: a user's name, "nightly cleanup".
    """
