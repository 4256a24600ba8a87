"""`arqlite db export`: rows of the ledger as text."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from arqlite.cli import cli
from arqlite.ledger import JobRow, Ledger, LedgerStatus
from arqlite.model.states import JobState


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with three jobs, of which one failed."""
    made = f"sqlite:///{tmp_path / 'jobs.db'}"
    asyncio.run(fill(made))
    return made


async def fill(url: str) -> None:
    """Write the jobs."""
    ledger = Ledger(url)
    await ledger.upgrade()
    now = datetime.now(UTC)
    ends = [(LedgerStatus.SUCCESS, JobState.COMPLETED), (LedgerStatus.FAILED, JobState.DISCARDED)]
    async with ledger.sessions.begin() as db:
        for n, (status, state) in enumerate([ends[0], ends[1], ends[0]]):
            made_at = now - timedelta(days=n)
            db.add(
                JobRow(
                    id=f"job-{n}", queue="mail", job_type="send", function="send", tags=["a", f"t{n}"],
                    status=status, state=state, created_at=made_at, finished_at=made_at,
                )
            )  # fmt: skip
    await ledger.aclose()


def export(url: str, *args: str) -> Result:
    return CliRunner().invoke(cli, ["db", "export", "--url", url, *args])


def ids(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def test_all_rows_are_written(url: str) -> None:
    """Without conditions all jobs are written, the newest first, an object a line."""
    assert ids(export(url)) == ["job-0", "job-1", "job-2"]


def test_options_are_conditions(url: str) -> None:
    """Each option narrows it; one that is given again means either value, and tags mean all."""
    assert ids(export(url, "--status", "FAILED")) == ["job-1"]
    assert ids(export(url, "--status", "FAILED", "--status", "SUCCESS", "--function", "send")) == [
        "job-0",
        "job-1",
        "job-2",
    ]
    assert ids(export(url, "--tag", "a", "--tag", "t2")) == ["job-2"]
    assert ids(export(url, "--since", "36h", "--until", "12h")) == ["job-1"]


def test_file_gets_csv(url: str, tmp_path: Path) -> None:
    """A file has what was asked for, and any reader of CSV can read it."""
    file = tmp_path / "failed.csv"

    told = export(
        url, "--status", "FAILED", "--format", "csv", "--columns", "id, status", "--file", str(file)
    )

    assert (told.exit_code, told.output) == (0, "")
    with file.open(newline="") as opened:
        assert list(csv.reader(opened)) == [["id", "status"], ["job-1", "FAILED"]]


def test_slips_are_told_in_words(url: str) -> None:
    """A value that cannot be is a wrong command line, and ends with a line that says what can."""
    told = export(url, "--status", "FAILD")

    assert (told.exit_code, export(url, "--columns", "colour").exit_code) == (2, 2)
    assert "there is no status 'FAILD'; did you mean 'FAILED'" in told.output


def test_file_that_cannot_be_written(url: str, tmp_path: Path) -> None:
    """A file that cannot be written is not taken for a database that cannot be used."""
    told = export(url, "--file", str(tmp_path / "nowhere" / "failed.csv"))

    assert told.exit_code == 1
    assert "failed.csv': No such file or directory" in told.output
    assert "database" not in told.output


def test_reader_may_leave(url: str) -> None:
    """Somebody who has read enough, as `head` does, gets no traceback."""
    command = [sys.executable, "-m", "arqlite", "db", "export", "--url", url]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.close()

    assert writer.stderr is not None
    assert writer.stderr.read() == b""
    writer.stderr.close()
    writer.wait()
