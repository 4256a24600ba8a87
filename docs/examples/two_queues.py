import os

from arqlite import RedisSettings, run_workers
from arqlite.embedded import EmbeddedServer

# Your own Redis or Valkey, or without one a real Valkey that is started for you.
URL = os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url()


async def resize(ctx, picture: str) -> None: ...


async def send(ctx, address: str) -> None: ...


class Pictures:
    functions = [resize]
    queue_name = "pictures"
    redis_settings = RedisSettings.from_dsn(URL)
    max_jobs = 2  # heavy


class Mail:
    functions = [send]
    queue_name = "mail"
    redis_settings = RedisSettings.from_dsn(URL)
    max_jobs = 50  # light
    job_completion_wait = 20


if __name__ == "__main__":
    run_workers([Pictures, Mail])
