"""A runner's own statements stand in the way of others: they are tried again, and no job fails by that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ledger_toys import FakeJob, Row, Runner, Toy, fresh_toy, notes, queue, row_of, run  # noqa: F401 (a fixture)
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from arqlite.errors import Postpone
from arqlite.ledger import BaseJob, LedgerStatus, Recorder, store

Sessions = async_sessionmaker[AsyncSession]
JOBS = 30


class SerializationError(Exception):
    sqlstate = "40001"


def stand_in_the_way(monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
    """Let the database give up so many transactions with this statement."""
    real, left = getattr(store, name), [times]

    async def given_up(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise DBAPIError("UPDATE", {}, SerializationError())
        return await real(*arguments)

    monkeypatch.setattr(store, name, given_up)


class Quiet(BaseJob[Row]):
    """A job without hooks, and without any work in the database."""

    async def run(self) -> Any:
        return "done"


@pytest.mark.parametrize("name", ["find", "adopt", "mark_started", "succeed"])
async def test_own_transaction_is_tried_again(
    db: AsyncSession, sessions: Sessions, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever statement the database gives up, the job runs once and succeeds."""
    await queue(sessions)
    stand_in_the_way(monkeypatch, name, 3)

    with FakeJob().running():
        assert await Runner(db).run_job(Quiet, "QUIET") == "done"

    row = await row_of(sessions)
    assert (row.status, row.output_payload, row.attempt) == (LedgerStatus.SUCCESS, "done", 1)


@pytest.mark.parametrize("name", ["find", "mark_started"])
async def test_job_that_cannot_start_waits(
    db: AsyncSession, sessions: Sessions, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What goes on for long, or where a hook has done something, keeps the job from starting: it waits."""
    await queue(sessions)
    stand_in_the_way(monkeypatch, name, 10)

    with FakeJob().running(), pytest.raises(Postpone):
        await run(db, "succeed")

    row = await row_of(sessions)
    assert (row.status, row.error_payload) == (LedgerStatus.QUEUED, None)
    assert "run" not in [entry[0] for entry in Toy.diary]


async def test_what_a_caller_left_in_the_session_is_not_lost(
    db: AsyncSession, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function wrote something before: its transaction is not tried again without that."""
    stand_in_the_way(monkeypatch, "open_row", 1)
    await db.execute(select(Row.id))

    with FakeJob().running(), pytest.raises(Postpone):
        await run(db, "succeed")


async def test_end_is_written_through_conflicts(
    db: AsyncSession, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job fails, and the database gives up the first transactions that say so."""
    stand_in_the_way(monkeypatch, "settle", 3)

    with FakeJob().running(), pytest.raises(ValueError, match="no luck"):
        await run(db, "fail")

    row = await row_of(sessions)
    assert (row.status, row.error_payload["message"]) == (LedgerStatus.FAILED, "no luck")


@pytest.mark.parametrize("engine", ["postgres", "psycopg"], indirect=True)
async def test_jobs_beside_each_other_on_a_serializable_engine(
    engine: AsyncEngine, sessions: Sessions, recorder: Recorder
) -> None:
    """What many jobs do to their rows at once is not held against each other."""
    strictest = engine.execution_options(isolation_level="SERIALIZABLE")

    async def perform(number: int) -> Any:
        with FakeJob(job_id=f"job-{number}").running():
            async with AsyncSession(strictest) as db:
                return await Runner(db).run_job(Quiet, "QUIET")

    for number in range(JOBS):
        await queue(sessions, f"job-{number}")
    outputs = await asyncio.gather(*map(asyncio.create_task, map(perform, range(JOBS))))

    assert outputs == ["done"] * JOBS
