"""A worker that also runs what producers still enqueue with arq: `arqlite bridge.WorkerSettings`."""

import os

from arqlite import RedisSettings
from arqlite.embedded import EmbeddedServer
from arqlite.migration import ArqBridge


async def greet(ctx, name: str) -> str:
    return f"hello, {name}"


class WorkerSettings:
    functions = [greet]
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
    services = [ArqBridge()]
