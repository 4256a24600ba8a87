"""The pools through which the API reaches the queues; opened and closed by `app.core.setup`."""

from __future__ import annotations

from arqlite import ArqRedis

base_pool: ArqRedis | None = None
email_pool: ArqRedis | None = None
