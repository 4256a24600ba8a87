"""Train models on one GPU: `python training.py`."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from arqlite import RedisSettings, Snooze, Unique, create_pool, report_progress, task
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.02  # 300 in an application


class Gpus:
    """Stands in for `nvidia-smi`: somebody else's program has the GPU the first times it is asked for."""

    def __init__(self) -> None:
        self.taken_for = 3
        self.training = 0
        self.most = 0

    def find_free(self) -> str | None:
        self.taken_for -= 1
        return None if self.taken_for >= 0 else "GPU 0"

    @contextmanager
    def use(self) -> Iterator[None]:
        self.training += 1
        self.most = max(self.most, self.training)
        yield
        self.training -= 1


@task(
    queue="training",
    max_attempts=3,
    timeout=3600,
    backoff=[60, 120, 240],
    unique=Unique(period=3600, keys=["model", "data"]),
    tags=["ml", "training"],
)
async def train(ctx: dict[str, Any], model: str, data: str, *, epochs: int = 3) -> str:
    gpus: Gpus = ctx["gpus"]
    gpu = gpus.find_free()
    if gpu is None:
        raise Snooze(PAUSE_S)  # costs no attempt
    with gpus.use():
        for epoch in range(1, epochs + 1):
            await asyncio.sleep(0.005)  # the epoch
            report_progress(epoch, epochs, "training")
    job = ctx["job"]
    return f"{model} on {gpu}, attempt {job.attempt} of {job.max_attempts}, {job.snoozes} snoozes"


class WorkerSettings:
    functions = [train]
    queue_name = "training"
    max_jobs = 1  # of each worker
    global_limit = 1  # of all workers together
    redis_settings = REDIS
    log_results = False


async def main() -> None:
    pool = await create_pool(REDIS)
    small = await pool.enqueue(train, "small", "corpus")
    again = await pool.enqueue(train, "small", "corpus", epochs=9)
    large = await pool.enqueue(train, "large", "corpus")

    gpus = Gpus()
    workers = [create_worker(WorkerSettings, burst=True, ctx={"gpus": gpus}) for _ in range(2)]
    await asyncio.gather(*(worker.async_run() for worker in workers))

    print("again is the same job:", again.conflict and again.job_id == small.job_id)
    trained = [await small.result(), await large.result()]
    print("\n".join(trained))
    print("snoozes:", sum(int(line.split()[-2]) for line in trained))
    print("at once at most:", gpus.most)
    progress = await small.progress()
    assert progress is not None
    print("progress:", progress.current, "of", progress.total)
    for worker in workers:
        await worker.close()
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
