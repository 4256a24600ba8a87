"""The three traps of a job with a row: its broken session, its lost start, its cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ledger_toys import (
    FakeJob,
    Row,
    Toy,
    cancel_when_running,
    fresh_toy,  # noqa: F401 (a fixture)
    notes,
    queue,
    row_of,
    run,
)
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from arqlite.ledger import BaseJob, LedgerStatus, store
from arqlite.ledger.adoption import Run
from arqlite.ledger.endings import Ending

Sessions = async_sessionmaker[AsyncSession]
pytestmark = pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)


async def test_broken_session_still_tells_the_failure(db: AsyncSession, sessions: Sessions) -> None:
    """A job that breaks its session gets its hook with a fresh record, and the row says FAILED."""
    await queue(sessions)

    with FakeJob().running(), pytest.raises(Exception, match=r"(?i)unique"):
        await run(db, "break_session")

    assert Toy.diary[-1] == ("on_failure", "IntegrityError", True)
    row = await row_of(sessions)
    assert (row.status, row.error_payload["type"]) == (LedgerStatus.FAILED, "IntegrityError")
    assert await notes(sessions) == ["failed"]


async def test_started_at_survives_the_rollback(db: AsyncSession, sessions: Sessions) -> None:
    """The start of the work is committed before the work, so a failed job has a duration, too."""
    with FakeJob().running(), pytest.raises(ValueError, match="no luck"):
        await run(db, "fail")

    row = await row_of(sessions)
    assert row.started_at is not None
    assert row.duration is not None


async def test_cancellation_is_written_and_leaves(db: AsyncSession, sessions: Sessions) -> None:
    """`CancelledError` is no `Exception`: it leaves, the row says CANCELLED, and half-done work is undone."""
    await queue(sessions)

    await cancel_when_running(db, FakeJob(), "abort")

    assert (await row_of(sessions)).status is LedgerStatus.CANCELLED
    assert "on_failure" not in [entry[0] for entry in Toy.diary]
    assert await notes(sessions) == []


async def test_failure_is_told_though_the_row_cannot_be_read(
    db: AsyncSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database goes away with the job: its hook hears of the failure, with its row as read last."""
    told: list[Any] = []

    async def on_failure(self: Toy, error: Exception) -> None:
        assert self.job_record is not None
        told.append((str(error), self.job_record.job_type, self.job_record.started_at is not None))

    async def fail_away(self: Toy) -> Any:
        await self.db.execute(select(Row.id))
        monkeypatch.setattr(store, "find", away)
        raise ValueError("no money")

    monkeypatch.setattr(Toy, "on_failure", on_failure)
    monkeypatch.setattr(Toy, "fail", fail_away)
    with FakeJob().running(), pytest.raises(ValueError, match="no money"):
        await run(db, "fail")

    assert told == [("no money", "TOY", True)]
    assert "its row cannot be read" in caplog.text
    assert "hook" not in caplog.text


async def test_job_without_a_hook_is_told_nothing(
    db: AsyncSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No row is read, and nothing is said, for a hook that is not there."""

    async def fail_away(self: Toy) -> Any:
        monkeypatch.setattr(store, "find", away)
        raise ValueError("no money")

    monkeypatch.setattr(Toy, "on_failure", BaseJob.on_failure)
    monkeypatch.setattr(Toy, "fail", fail_away)
    with FakeJob().running(), pytest.raises(ValueError, match="no money"):
        await run(db, "fail")

    assert caplog.messages == []


async def away(*arguments: Any) -> Any:
    """As a database that is gone."""
    raise OperationalError("SELECT", {}, Exception("gone"))


async def test_second_cancellation_does_not_cut_the_writing(
    db: AsyncSession, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is closed even if the job is cancelled again while its end is being written."""
    writing, go_on = asyncio.Event(), asyncio.Event()
    real = store.settle

    async def slow_settle(db: AsyncSession, row_model: type[Row], run: Run, ending: Ending) -> bool:
        writing.set()
        await go_on.wait()
        return await real(db, row_model, run, ending)

    monkeypatch.setattr(store, "settle", slow_settle)
    with FakeJob(cancel_reason="abort").running():
        task = asyncio.create_task(run(db, "wait"))
    await Toy.entered.wait()
    task.cancel()
    await writing.wait()

    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await row_of(sessions)).status is LedgerStatus.CANCELLED
