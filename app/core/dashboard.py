"""The dashboard of both queues, at /ops/jobs: for whoever sits at this machine."""

from __future__ import annotations

from app.core import queue
from arqlite import ArqRedis
from arqlite.dashboard import create_dashboard


def _pools() -> list[ArqRedis]:
    """Those that are open when somebody looks; they are opened after this module is imported."""
    return [pool for pool in (queue.base_pool, queue.email_pool) if pool is not None]


dashboard = create_dashboard(_pools, title="arqlite demo")
