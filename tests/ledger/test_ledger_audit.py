"""What people do is written down, with who did it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorder_toys import Outage, written
from schema_toys import KINDS, database

from arqlite import telemetry
from arqlite.ledger import AuditEntry, Auditor, Ledger, store
from arqlite.service import Host
from arqlite.telemetry import JobsManaged, QueuePaused, QueueResumed, QueueScaled, QueueStopped

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=KINDS)
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger with its tables; the test runs once with each driver."""
    async with database(request.param, request, tmp_path) as made:
        ledger = Ledger(made.connect())
        await ledger.upgrade()
        yield ledger


async def told(ledger: Ledger, queue: str | None = None) -> list[tuple[object, ...]]:
    """All entries, the oldest first."""
    async with ledger.sessions() as db:
        rows = await store.audit_page(db, queue=queue)
    return [(row.queue, row.action, row.actor, row.job_id, row.detail) for row in reversed(rows)]


async def test_deeds_are_written(ledger: Ledger) -> None:
    """Each job that was changed has an entry, and each thing that was done to a queue."""
    async with Auditor(ledger, clock=lambda: NOW):
        telemetry.execute(JobsManaged("mail", "cancel", ("a", "b"), by="ada"))
        telemetry.execute(QueuePaused("mail", by="ada"))
        telemetry.execute(QueueResumed("mail", node="web-1"))
        telemetry.execute(QueueScaled("mail", {"limit": 5, "rate_limit": None}, by="bob"))
        telemetry.execute(QueueStopped("mail"))

    assert await told(ledger) == [
        ("mail", "job.cancel", "ada", "a", None),
        ("mail", "job.cancel", "ada", "b", None),
        ("mail", "queue.pause", "ada", None, None),
        ("mail", "queue.resume", "", None, {"node": "web-1"}),
        ("mail", "queue.scale", "bob", None, {"limits": {"limit": 5, "rate_limit": None}}),
        ("mail", "queue.stop", "", None, None),
    ]
    async with ledger.sessions() as db:
        assert {row.at for row in await store.audit_page(db)} == {NOW}


async def test_worker_hears_of_its_own_queue(ledger: Ledger) -> None:
    """Two workers of one process write each deed once: each auditor hears of its own queue."""
    auditors = {queue: Auditor(ledger) for queue in ("mail", "web")}
    for queue, auditor in auditors.items():
        auditor.introduce(Host(None, queue, frozenset(), None, None))

    async with auditors["mail"], auditors["web"]:
        for queue in auditors:
            telemetry.execute(QueuePaused(queue))

    assert sorted(await told(ledger)) == [(queue, "queue.pause", "", None, None) for queue in ("mail", "web")]


async def test_thousands_are_written_in_batches(ledger: Ledger) -> None:
    """Thousands of jobs cancelled at once are all there."""
    ids = tuple(f"{number}" for number in range(2_500))

    async with Auditor(ledger):
        telemetry.execute(JobsManaged("mail", "cancel", ids))

    async with ledger.sessions() as db:
        assert await store.count_older(db, "audit", before=datetime(2100, 1, 1, tzinfo=UTC)) == 2_500


async def test_outage_loses_nothing(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """While the database is away the entries wait; the log says so once."""
    outage = ledger._sessions = Outage(ledger.sessions)  # type: ignore[assignment]
    assert isinstance(outage, Outage)
    outage.begin = outage  # type: ignore[attr-defined]
    sessions = outage.sessions
    with caplog.at_level(logging.WARNING, "arqlite.ledger"):
        async with Auditor(ledger, max_backoff=0.01) as auditor:
            outage.is_away = True
            telemetry.execute(QueuePaused("mail"))
            await outage.tried.wait()
            outage.tried.clear()
            await outage.tried.wait()
            assert auditor.waiting == 1
            ledger._sessions = sessions
            await written(lambda: auditor.waiting == 0)

    assert await told(ledger) == [("mail", "queue.pause", "", None, None)]
    assert [line.message.partition(":")[0] for line in caplog.records] == [
        "the ledger is away, the audit is written later"
    ]


async def test_buffer_is_bounded(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond what may wait the oldest are dropped, and counted."""
    with caplog.at_level(logging.ERROR, "arqlite.ledger"):
        async with Auditor(ledger, capacity=2):
            telemetry.execute(JobsManaged("mail", "retry", ("a", "b", "c")))

    assert [entry[3] for entry in await told(ledger)] == ["b", "c"]
    assert [line.message for line in caplog.records] == [
        "the audit missed 1 entries: more came than could wait"
    ]


async def test_end_during_an_outage_is_told(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """What could not be written until the end is counted in the log, and the end does not wait for ever."""
    outage = ledger._sessions = Outage(ledger.sessions)  # type: ignore[assignment]
    assert isinstance(outage, Outage)
    outage.begin = outage  # type: ignore[attr-defined]
    outage.is_away = True

    async with asyncio.timeout(10), Auditor(ledger, flush_timeout=0.05):
        telemetry.execute(QueuePaused("mail"))

    assert caplog.records[-1].message == "the audit missed 1 entries: the ledger was away at the end"


async def test_other_threads_are_heard(ledger: Ledger) -> None:
    """What is done in another thread is written, too."""
    async with Auditor(ledger):
        await asyncio.to_thread(telemetry.execute, QueuePaused("mail"))

    assert len(await told(ledger)) == 1


async def test_auditor_starts_again(ledger: Ledger) -> None:
    """An auditor that was stopped hears nothing, and may be started again."""
    auditor = Auditor(ledger)
    async with auditor:
        telemetry.execute(QueuePaused("mail"))
    telemetry.execute(QueueResumed("mail"))
    async with auditor:
        telemetry.execute(QueueStopped("mail"))

    assert [entry[1] for entry in await told(ledger)] == ["queue.pause", "queue.stop"]


async def test_pages_of_the_audit(ledger: Ledger) -> None:
    """The audit is read page by page, the newest first, of all queues or one."""
    async with ledger.sessions.begin() as db:
        await store.audit(
            db, [AuditEntry("job.cancel", queue, job_id=f"{n}") for n in range(3) for queue in ("a", "b")]
        )
        await store.audit(db, [])

    async with ledger.sessions() as db:
        first = await store.audit_page(db, queue="a", limit=2)
        second = await store.audit_page(db, queue="a", after=first[-1].id, limit=2)

    assert [row.job_id for row in (*first, *second)] == ["2", "1", "0"]
