"""The storm: processes that enqueue in transactions are killed before and after commit, push and mark."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from outbox_storm import JOB, POINTS, began
from outbox_toys import Shop

from arqlite import Worker, func
from arqlite.connections import RedisSettings, create_pool

Eventually = Callable[..., Any]
TRANSACTIONS = 1000


@contextmanager
def processes(shop: Shop, redis: str, log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two that enqueue and one that relays; they are ended with the block."""
    program = str(Path(__file__).with_name("outbox_storm.py"))
    started = [
        subprocess.Popen(
            [
                sys.executable,
                program,
                role,
                shop.url,
                shop.schema,
                redis,
                str(log),
                str(seed),
                str(TRANSACTIONS),
            ]
        )
        for seed, role in enumerate(("enqueue", "enqueue", "relay"))
    ]
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(10)


@pytest.mark.real
@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("shop", ["sqlite", "asyncpg"], indirect=True)
async def test_every_committed_job_runs_and_no_rolled_back_one_does(
    shop: Shop, real_url: str, tmp_path: Path, eventually: Eventually, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a thousand transactions half are rolled back, and their processes are killed at every point: each
    job whose transaction was committed runs, once, and no other."""
    runs: Counter[str] = Counter()

    async def ran(ctx: dict[Any, Any], name: str) -> None:
        runs[name] += 1

    log = tmp_path / "log"
    log.touch()
    pool = await create_pool(RedisSettings.from_dsn(real_url))
    worker = Worker([func(ran, name=JOB)], redis_pool=pool, handle_signals=False, max_jobs=100)
    working = asyncio.create_task(worker.main())

    async def all_have_run() -> bool:
        return await shop.orders() <= set(runs)

    with processes(shop, real_url, log) as (one, two, _):
        await eventually(lambda: one.poll() is not None and two.poll() is not None, within=200)
        await eventually(all_have_run, within=30)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await worker.close()

    lines = [line.split(" ", 1) for line in log.read_text().splitlines()]
    told = {name for line in lines if line[0] == "committed" for name in line[1].split()}
    killed = Counter(line[1] for line in lines if line[0] == "killed")
    orders = await shop.orders()
    with capsys.disabled():
        print(  # noqa: T201 (figures for who asks for them)
            f"\n{began(str(log))} transactions, {len(orders)} jobs committed, killed: {dict(killed)}"
        )
    assert runs == dict.fromkeys(orders, 1)
    assert told <= orders
    assert set(killed) == set(POINTS)
