"""What probes are told of a worker's ledger, while it is there, away, or of no use."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from probes_toys import told
from worker_ledger_toys import Switch
from worker_toys import Ctx, at_work, enqueue

from arqlite import ArqRedis
from arqlite.ledger import Ledger


async def ok(ctx: Ctx) -> None: ...


@pytest_asyncio.fixture(params=["behind", "strict"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/jobs.db", mode=request.param)
    yield made
    await made.aclose()


async def test_ledger_that_is_away_and_back(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, ledger: Ledger
) -> None:
    """Without its ledger a worker in the mode behind is ready and degraded, a strict one is not ready."""
    await ledger.upgrade()
    switch = Switch(ledger.engine)
    worker = make_worker([ok], health_port=0, ledger=ledger)
    statuses: list[tuple[int, str]] = []

    async def is_told(status: int, sign: str) -> bool:
        code, body = await asyncio.to_thread(told, worker.health_url, "/readyz")
        statuses.append((code, body["workers"][0]["ledger"]))
        return statuses[-1] == (status, sign)

    async with at_work(worker):
        await eventually(lambda: is_told(200, "ok"), within=15)
        switch.is_off = True
        await eventually(lambda: is_told(503 if ledger.is_strict else 200, "degraded"), within=15)
        others = [
            (await asyncio.to_thread(told, worker.health_url, path))[0] for path in ("/livez", "/startupz")
        ]
        switch.is_off = False
        await eventually(lambda: is_told(200, "ok"), within=15)

    assert others == [200, 200]


async def test_start_without_the_ledger(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the ledger is away at the start a worker in the mode behind starts, and a strict one waits."""
    monkeypatch.setattr("arqlite.books._START_PATIENCE_S", 0.05)
    switch = Switch(ledger.engine)
    switch.is_off = True
    job = None if ledger.is_strict else await enqueue(arq_redis, "ok")
    worker = make_worker([ok], health_port=0, ledger=ledger)

    async with at_work(worker):
        await eventually(lambda: switch.tries > 0, within=15)
        if job is not None:
            await job.result(timeout=15)
            status, body = await asyncio.to_thread(told, worker.health_url, "/startupz")
            assert (status, body["ledger"]) == (200, "degraded")
        else:
            status, body = await asyncio.to_thread(told, worker.health_url, "/startupz")
            assert (status, body["reasons"]) == (503, ["the worker of arq:queue waits for its ledger"])
        switch.is_off = False

        async def has_started() -> bool:
            return (await asyncio.to_thread(told, worker.health_url, "/startupz"))[1].get("ledger") is None

        await eventually(has_started, within=15)


async def test_tables_that_cannot_be_used(
    arq_redis: ArqRedis,
    make_worker: Any,
    eventually: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tables that turn out to be missing after the start keep a worker from being taken for started."""
    monkeypatch.setattr("arqlite.books._START_PATIENCE_S", 0.05)
    sqlite3.connect(tmp_path / "empty.db").close()
    ledger = Ledger(f"sqlite:///{tmp_path}/empty.db", upgrade=False)
    switch = Switch(ledger.engine)
    switch.is_off = True
    worker = make_worker([ok], health_port=0, ledger=ledger)

    async with at_work(worker):
        await eventually(lambda: worker.signs().has_started, within=15)
        switch.is_off = False
        await eventually(lambda: worker.signs().ledger == "unusable", within=15)
        status, body = await asyncio.to_thread(told, worker.health_url, "/startupz")
        ready, _ = await asyncio.to_thread(told, worker.health_url, "/readyz")
    await ledger.aclose()

    assert (status, ready) == (503, 200)
    assert "run `arqlite db upgrade`" in body["reasons"][0]
