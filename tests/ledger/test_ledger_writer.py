"""The connections of a recorder's writer: its own, and those that it shares with an application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ledger_toys import Row
from recorder_toys import START_MS, Sessions, ToyLedger, attempts_of, stopped, written
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from arqlite import telemetry
from arqlite.ledger import LedgerStatus, Recorder
from arqlite.ledger import recorder as recorder_module
from arqlite.ledger.accepting import AcceptedJob
from arqlite.ledger.tables import MinuteRow

POSTGRES = pytest.mark.parametrize("engine", ["postgres", "psycopg"], indirect=True)
GIVEN: dict[str, Any] = {"record": b"Q0", "scheduled_ms": START_MS}


def accepted(count: int) -> list[AcceptedJob]:
    return [
        AcceptedJob(f"job-{n:04}", "arq:queue", "work", enqueued_ms=START_MS, record=b"Q0")
        for n in range(count)
    ]


async def count_of(sessions: Sessions, status: LedgerStatus) -> int:
    async with sessions() as session:
        return (
            await session.execute(select(func.count()).select_from(Row).where(Row.status == status))
        ).scalar_one()


def with_pool_of(engine: AsyncEngine, size: int) -> AsyncEngine:
    """The same database by fewer connections, which nobody waits long for."""
    options: dict[str, Any] = {"pool_size": size, "max_overflow": 0, "pool_timeout": 0.5}
    return create_async_engine(engine.url, connect_args=_connect_args(engine), **options)


def _connect_args(engine: AsyncEngine) -> dict[str, Any]:
    creator = engine.sync_engine.pool._creator  # type: ignore[attr-defined]
    found: dict[str, Any] = next(
        cell.cell_contents
        for cell in creator.__closure__
        if isinstance(cell.cell_contents, dict) and cell.cell_contents
    )
    return {name: found[name] for name in ("server_settings", "options") if name in found}


@POSTGRES
@pytest.mark.parametrize("is_own", [True, False], ids=["own", "shared"])
async def test_pool_of_one_connection_is_enough(
    engine: AsyncEngine, sessions: Sessions, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept for the next batch is given back to whoever needs a connection."""
    monkeypatch.setattr(recorder_module, "_ENTRIES_AT_ONCE", 10)
    small = with_pool_of(engine, 1)
    ledger = ToyLedger(small, async_sessionmaker(small, expire_on_commit=False))
    ledger.owns_engine = is_own
    recorder = Recorder(ledger)
    await recorder.start()
    recorder.accept(accepted(60))
    await written(lambda: recorder.waiting == 0)

    for number in range(60):
        state = "discarded" if number % 20 == 0 else "completed"
        telemetry.execute(stopped(state, f"job-{number:04}", **GIVEN))
    await asyncio.wait_for(recorder.reached(recorder.mark), 10)

    assert await count_of(sessions, LedgerStatus.SUCCESS) == 57
    assert await count_of(sessions, LedgerStatus.FAILED) == 3
    async with small.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await recorder.stop()
    await small.dispose()


@POSTGRES
async def test_what_an_application_sets_for_a_transaction_holds(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    """What its listeners set for each transaction, paths and roles, is there when ends are written."""
    args = _connect_args(engine)
    schema = (args.get("server_settings") or {}).get("search_path") or args["options"].rpartition("=")[2]
    theirs = create_async_engine(engine.url)

    @event.listens_for(theirs.sync_engine, "begin")
    def set_path(connection: Any) -> None:
        connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")

    ledger = ToyLedger(theirs, async_sessionmaker(theirs, expire_on_commit=False))
    ledger.owns_engine = False
    recorder = Recorder(ledger)
    await recorder.start()
    recorder.accept(accepted(2))
    await written(lambda: recorder.waiting == 0)
    for number in range(2):
        telemetry.execute(stopped(job_id=f"job-{number:04}", **GIVEN))
    await written(lambda: recorder.waiting == 0)
    await recorder.stop()
    await theirs.dispose()

    assert await count_of(sessions, LedgerStatus.SUCCESS) == 2
    assert [one.state for one in await attempts_of(sessions, "job-0001")] == ["completed"]
    async with sessions() as session:
        assert (await session.execute(select(func.sum(MinuteRow.count)))).scalar_one() == 2


@POSTGRES
async def test_table_without_statistics_is_found_by_its_ids(engine: AsyncEngine, sessions: Sessions) -> None:
    """Ends look rows up by the index of ids alone, whatever the planner thinks of a table unknown to it."""
    async with sessions.begin() as session:
        await session.execute(text("ALTER TABLE jobs SET (autovacuum_enabled = false)"))
    seen: list[tuple[str, Any]] = []

    def see(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", see)
    recorder = Recorder(ToyLedger(engine, sessions))
    await recorder.start()
    recorder.accept(accepted(12_000))
    await written(lambda: recorder.waiting == 0)
    for number in range(5):
        telemetry.execute(stopped(job_id=f"job-{number:04}", **GIVEN))
    await written(lambda: recorder.waiting == 0)
    await recorder.stop()

    [(statement, parameters)] = [one for one in seen if one[0].startswith("WITH moved")]
    async with engine.connect() as connection:
        plan = "\n".join((await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)).scalars())
    assert "jobs_pkey" in plan
    assert "ix_jobs" not in plan
    assert "Seq Scan on jobs" not in plan


async def test_helper_that_is_slow_to_end_leaves_nothing_behind(
    toy_ledger: ToyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that was stopped while its second writer hung begins anew with an empty backlog."""
    recorder = Recorder(toy_ledger, flush_timeout=0.01)
    await recorder.start()
    hangs, may_end = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        taken = recorder._backlog.take_runs(10)
        hangs.set()
        try:
            await asyncio.sleep(60)
        finally:
            await may_end.wait()
            recorder._backlog.settle_runs(taken, taken)

    monkeypatch.setattr(recorder, "_needs_help", lambda: recorder._helping is None)
    monkeypatch.setattr(recorder, "_help", hang)
    monkeypatch.setattr(recorder._backlog, "take_accepted", lambda _limit: [])
    telemetry.execute(stopped())
    await asyncio.wait_for(hangs.wait(), 5)

    stopping = asyncio.create_task(recorder.stop())
    asyncio.get_running_loop().call_later(1.2, may_end.set)
    await asyncio.wait_for(stopping, 10)

    assert recorder.waiting == 0
    assert recorder._backlog.runs_left == 0
