import asyncio
import os

from arqlite import RedisSettings, create_pool
from arqlite.console import Console
from arqlite.embedded import EmbeddedServer

# Your own Redis or Valkey, or without one a real Valkey that is started for you.
URL = os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url()


async def send_reminder(ctx, name: str) -> None: ...


class Reminders:
    functions = [send_reminder]
    queue_name = "reminders"
    redis_settings = RedisSettings.from_dsn(URL)
    job_completion_wait = 300


class Archive:
    functions = [send_reminder]
    queue_name = "archive"
    redis_settings = RedisSettings(port=1)  # nobody is there


async def main() -> None:
    pool = await create_pool(Reminders.redis_settings)
    await pool.enqueue_job("send_reminder", "Ada", _queue_name="reminders")

    async with Console([Reminders, Archive], by="ada") as console:
        for queue in await console.queues():
            print(f"{queue.key}: {'away' if queue.error else f'{queue.available} wait'}")
        for trouble in await console.troubles():
            print(f"{trouble.severity} {trouble.code} in {trouble.queue}")
        await console.pause("reminders")
        print(f"paused: {(await console.queue('reminders')).is_paused}")
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
