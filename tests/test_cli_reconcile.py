"""`arqlite reconcile`: what differs is told, or mended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from arqlite import create_pool
from arqlite.cli import cli
from arqlite.connections import RedisSettings
from arqlite.ledger import JobRow, Ledger
from arqlite.model.codec import Codec, queued_record
from arqlite.model.states import JobState, LedgerStatus

LONG_AGO = datetime(2024, 5, 1, tzinfo=UTC)
SETTINGS = """
from arqlite.connections import RedisSettings
from arqlite.ledger import Ledger


class WorkerSettings:
    functions = []
    queue_name = "q"
    redis_settings = RedisSettings.from_dsn({url!r})
    ledger = Ledger({database!r})


class Url:
    functions = []
    queue_name = "q"
    redis_settings = RedisSettings.from_dsn({url!r})
    ledger = {database!r}


class Bare:
    functions = []
    redis_settings = RedisSettings.from_dsn({url!r})
"""

Run = Callable[..., Result]


@pytest.fixture
def run(real_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command with settings whose ledger has one job that Redis lacks."""
    database = f"sqlite:///{tmp_path / 'jobs.db'}"
    name = f"settings_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(SETTINGS.format(url=real_url, database=database))
    monkeypatch.syspath_prepend(tmp_path)
    asyncio.run(_with_a_lost_job(database))

    def call(*options: str, settings: str = "WorkerSettings") -> Result:
        return CliRunner().invoke(cli, ["reconcile", f"{name}.{settings}", *options])

    return call


async def _with_a_lost_job(database: str) -> None:
    ledger = Ledger(database)
    await ledger.upgrade()
    record = queued_record(0, Codec().encode_job("work", (), {}, None, round(LONG_AGO.timestamp() * 1000)))
    moments: dict[str, Any] = dict.fromkeys(
        ("created_at", "queued_at", "enqueued_at", "updated_at", "pushed_at"), LONG_AGO
    )
    async with ledger.sessions.begin() as db:
        await db.execute(
            insert(JobRow).values(
                id="j", queue="q", job_type="work", function="work", status=LedgerStatus.QUEUED,
                state=JobState.AVAILABLE, record=record, **moments,
            )
        )  # fmt: skip
    await ledger.aclose()


@pytest.mark.real
def test_dry_run_tells_and_changes_nothing(run: Run, real_url: str) -> None:
    """A dry run tells what it would do, ends with 1, and does nothing."""
    told = run("--dry-run")

    assert told.exit_code == 1, told.output
    assert "would be:" in told.output
    assert "pushed" in told.output
    assert asyncio.run(_depth(real_url)) == 0


@pytest.mark.real
def test_reconcile_mends(run: Run, real_url: str, tmp_path: Path) -> None:
    """Without it what differs is mended, and the audit knows of it; then the two agree."""
    told = run("-o", "json")

    assert told.exit_code == 0, told.output
    assert json.loads(told.output)["pushed"] == 1
    assert asyncio.run(_depth(real_url)) == 1
    assert asyncio.run(_pushed(f"sqlite:///{tmp_path / 'jobs.db'}")) == LONG_AGO
    again = run("--dry-run")
    assert (again.exit_code, again.output) == (0, "ledger and Redis agree\n")


@pytest.mark.real
def test_ledger_may_be_a_url(run: Run) -> None:
    """Settings that name their ledger by its URL, as workers take it, are settings with a ledger."""
    assert "would be:" in run("--dry-run", settings="Url").output


@pytest.mark.real
def test_other_queue_is_named(run: Run, real_url: str) -> None:
    """Of another queue of the same Redis nothing is mixed up with this one."""
    told = run("--queue", "other")

    assert (told.exit_code, told.output) == (0, "ledger and Redis agree\n")
    assert asyncio.run(_depth(real_url)) == 0


@pytest.mark.real
def test_settings_need_a_ledger(run: Run) -> None:
    """Settings without a ledger are a mistake that is told in words."""
    told = run(settings="Bare")

    assert told.exit_code == 2
    assert "has no ledger" in told.output


async def _depth(url: str) -> int:
    pool = await create_pool(RedisSettings.from_dsn(url))
    depth = await pool.queue_depth("q")
    await pool.aclose(close_connection_pool=True)
    return depth


async def _pushed(database: str) -> datetime | None:
    ledger = Ledger(database)
    async with ledger.sessions() as db:
        found = (await db.execute(select(JobRow.pushed_at))).scalar_one()
    await ledger.aclose()
    return found
