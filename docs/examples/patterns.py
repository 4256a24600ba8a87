"""Mine patterns in many files with few jobs: `python patterns.py`."""

import ast
import asyncio
import os
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from arqlite import (
    ArqRedis,
    Discard,
    Inspector,
    Job,
    RedisSettings,
    Unique,
    call,
    create_pool,
    report_progress,
    task,
)
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
BATCH = 100


@task(
    queue="maintenance",
    max_attempts=5,
    timeout=1800,
    priority=1,
    unique=Unique(period=3600, keys=["codebase", "first"], states="incomplete"),
    tags=["pattern-mining"],
)
def mine(ctx: dict[str, Any], codebase: Path, first: int, files: list[str]) -> int:
    if not codebase.is_dir():
        raise Discard(f"there is no codebase at {codebase}")
    found: Counter[str] = Counter()
    for number, name in enumerate(files, start=1):
        found += patterns_of((codebase / name).read_text())
        report_progress(number, len(files), name)
    store(ctx["database"], f"{codebase}:{first}", found)
    return found.total()


def patterns_of(source: str) -> Counter[str]:
    """Stands in for the miner: how often each kind of statement is there."""
    return Counter(type(node).__name__ for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt))


def store(database: Path, batch: str, found: Counter[str]) -> None:
    """Write what a batch has; the second time it finds its own rows and changes nothing."""
    rows = [(batch, pattern, count) for pattern, count in found.items()]
    with closing(sqlite3.connect(database, timeout=10)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS patterns (batch, pattern, count, UNIQUE (batch, pattern))")
        db.executemany(
            "INSERT INTO patterns VALUES (?, ?, ?) "
            "ON CONFLICT (batch, pattern) DO UPDATE SET count = excluded.count",
            rows,
        )


async def mine_all(pool: ArqRedis, codebase: Path, team: str) -> list[Job[int]]:
    """Enqueue a job for each hundred files, not for each file."""
    names = await asyncio.to_thread(files_of, codebase)
    starts = range(0, len(names), BATCH)
    mining = pool.options(meta={"team": team, "codebase": codebase.name})
    return await mining.enqueue_many(
        call(mine, codebase, start, names[start : start + BATCH]) for start in starts
    )


def files_of(codebase: Path) -> list[str]:
    return sorted(str(path.relative_to(codebase)) for path in codebase.rglob("*.py"))


class WorkerSettings:
    functions = [mine]
    queue_name = "maintenance"
    max_jobs = 3
    redis_settings = REDIS
    log_results = False


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        codebase = Path(folder) / "shop"
        codebase.mkdir()
        for number in range(250):
            (codebase / f"module_{number:03}.py").write_text("import os\n\n\ndef f():\n    return os.name\n")
        database = Path(folder) / "patterns.db"

        pool = await create_pool(REDIS, default_queue_name="maintenance")
        jobs = await mine_all(pool, codebase, "search")
        again = await mine_all(pool, codebase, "search")
        gone = await pool.enqueue(mine, Path(folder) / "no-such-shop", 0, ["a.py"])
        worker = create_worker(WorkerSettings, burst=True, ctx={"database": database})
        await worker.async_run()
        repeated = await mine_all(pool, codebase, "search")
        await worker.async_run()

        print("batches:", len(jobs), "there already:", sum(job.conflict for job in again))
        print("patterns in each:", [await job.result() for job in jobs])
        print("mined again:", sum(not job.conflict for job in repeated))
        with closing(sqlite3.connect(database)) as db:
            print(
                db.execute("SELECT pattern, sum(count) FROM patterns GROUP BY pattern ORDER BY 1").fetchall()
            )
        progress = await jobs[-1].progress()
        assert progress is not None
        print(f"the last one: {progress.current} of {progress.total}, {progress.message}")
        inspector = Inspector(pool)
        print("of team search:", await inspector.count_jobs(tags="pattern-mining", meta={"team": "search"}))
        print("gone:", (await gone.errors())[0].message.startswith("there is no codebase"))
        await worker.close()
        await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
