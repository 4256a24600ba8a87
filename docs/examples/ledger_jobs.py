"""Jobs that keep their own row: `python ledger_jobs.py`."""

import asyncio
import os
from typing import Any

from arqlite import RedisSettings, Snooze, create_pool, current_job, task
from arqlite.embedded import EmbeddedServer
from arqlite.ledger import BaseJob, JobRow, JobRunner, Ledger
from arqlite.worker import create_worker

ledger = Ledger("sqlite:///jobs.db")


class Import(BaseJob):
    """Input: `{path}`."""

    async def before_run(self, job: JobRow) -> None:
        print(f"attempt {job.attempt} begins")

    async def run(self) -> Any:
        # The work, with self.db, self.input_payload and self.job_record at hand.
        path = self.input_payload["path"]
        if path == "locked.csv" and (job := current_job()) and not job.snoozes:
            return Snooze(0)
        if path == "broken.csv":
            raise ValueError("line 3 has no amount")
        return {"imported": 3}

    async def after_run(self, result: Any) -> None:
        print(f"{result['imported']} imported")

    async def on_failure(self, error: Exception) -> None:
        job = current_job()
        is_final = job is None or job.runs_again(error) is False
        print(f"{error}; {'given up' if is_final else 'it will be tried again'}")


async def run_one(path: str) -> Any:
    async with ledger.sessions() as db:
        return await JobRunner(db).run_job(Import, "IMPORT", {"path": path}, part=path)


@task(max_attempts=2)
async def run_all(ctx: dict[str, Any], paths: list[str]) -> Any:
    return await asyncio.gather(*map(run_one, paths))


@task(max_attempts=2, backoff=0)
async def run_import(ctx: dict[str, Any], path: str) -> Any:
    async with ledger.sessions() as db:
        return await JobRunner(db).run_job(Import, "IMPORT", {"path": path}, user_id=1)


class WorkerSettings:
    functions = [run_import, run_all]
    queue_name = "imports"
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
    ledger = ledger


async def main() -> None:
    await ledger.upgrade()
    pool = await create_pool(
        WorkerSettings.redis_settings, default_queue_name=WorkerSettings.queue_name, ledger=ledger
    )
    for path in ("march.csv", "locked.csv", "broken.csv", "april.csv and may.csv"):
        print(f"-- {path}")
        parts = path.split(" and ")
        job = await (pool.enqueue(run_all, parts) if parts[1:] else pool.enqueue(run_import, path))
        worker = create_worker(WorkerSettings, burst=True)
        await worker.async_run()
        await worker.close()
        history = await ledger.job(job.job_id)
        assert history is not None
        print(history.row.status, history.row.cause, [attempt.state for attempt in history.attempts])
    await pool.aclose()
    await ledger.aclose()


if __name__ == "__main__":
    asyncio.run(main())
