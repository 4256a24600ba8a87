"""`arqlite db`: the ledger's tables by hand."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from postgres import postgres_url  # noqa: F401 (a fixture)
from sqlalchemy import create_engine, text

from arqlite.cli import cli
from arqlite.ledger import Ledger, LedgerStatus, store
from arqlite.ledger.migrations import HEAD
from arqlite.ledger.tables import JobRow

MODULE = """
from datetime import timedelta
from arqlite.ledger import JobRowMixin, Ledger, Retention
from sqlalchemy.orm import DeclarativeBase

ledger = Ledger({url!r}, keep=Retention(success=timedelta(days=2)))
keeps_all = Ledger({url!r}, keep=None)

class Base(DeclarativeBase):
    pass

class Own(JobRowMixin, Base):
    __tablename__ = "own"

own = Ledger({url!r}, row_model=Own)

async def work(ctx):
    pass

class Settings:
    functions = [work]
    ledger = ledger

class Url:
    functions = [work]
    ledger = {url!r}

class Without:
    functions = [work]
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.db'}"
        return
    server = request.getfixturevalue("postgres_url").replace("+asyncpg", "+psycopg")
    schema = f"t{uuid.uuid4().hex}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"


@pytest.fixture
def settings(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with settings that have a ledger on the database."""
    name = f"toy_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(url=url))
    monkeypatch.syspath_prepend(tmp_path)
    return name


def arqlite(*args: str, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(
        cli, ["db", *args], env={"ARQLITE_LEDGER_URL": None, "USER": "ada", **(environment or {})}
    )


def add_jobs(url: str, ages: dict[str, timedelta], function: str = "work") -> None:
    """Write jobs that succeeded so long ago."""

    async def add() -> None:
        ledger = Ledger(url)
        async with ledger.sessions.begin() as db:
            for job_id, age in ages.items():
                moment = datetime.now(UTC) - age
                db.add(
                    JobRow(
                        id=job_id, queue="mail", job_type=function, function=function,
                        status=LedgerStatus.SUCCESS, finished_at=moment,
                    )
                )  # fmt: skip
        await ledger.aclose()

    asyncio.run(add())


def audit_of(url: str) -> list[tuple[str, str, Any]]:
    async def read() -> list[tuple[str, str, Any]]:
        ledger = Ledger(url)
        async with ledger.sessions() as db:
            rows = await store.audit_page(db)
        await ledger.aclose()
        return [(row.action, row.actor, row.detail) for row in rows]

    return asyncio.run(read())


def test_upgrade_creates_the_tables_once(url: str) -> None:
    """The first upgrade creates the tables, the second finds nothing to do."""
    first, second = arqlite("upgrade", "--url", url), arqlite("upgrade", "--url", url)

    assert (first.exit_code, first.output) == (0, f"created the tables, at revision {HEAD}\n")
    assert (second.exit_code, second.output) == (0, f"nothing to do, the tables are at revision {HEAD}\n")


def test_current_tells_of_missing_tables(url: str) -> None:
    """Without tables the exit code is 1, and the words say what to do."""
    told = arqlite("current", "--url", url)

    assert told.exit_code == 1
    assert "revision   none" in told.stdout
    assert told.stderr == "the ledger's tables are missing: run `arqlite db upgrade`\n"


def test_current_tells_revision_and_rows(url: str) -> None:
    """With tables it tells where they are, and how many rows they have."""
    arqlite("upgrade", "--url", url)
    add_jobs(url, {"a": timedelta(0), "b": timedelta(0)})

    told = arqlite("current", "--url", url)

    assert told.exit_code == 0
    assert f"revision   {HEAD} (head)\nrows       arqlite_jobs: 2\n" in told.output
    found = json.loads(arqlite("current", "--url", url, "-o", "json").output)
    assert found["dialect"] == url.partition(":")[0].partition("+")[0]
    assert (found["revision"], found["head"], found["reason"]) == (HEAD, HEAD, None)
    assert found["rows"]["arqlite_jobs"] == 2


def test_settings_name_the_ledger(settings: str) -> None:
    """The path of a worker's settings or of a ledger will do."""
    assert arqlite("upgrade", f"{settings}.Settings").exit_code == 0
    assert "nothing to do" in arqlite("upgrade", f"{settings}.ledger").output


def test_settings_may_have_a_url(settings: str) -> None:
    """Settings that name their ledger by its URL, as workers take it, are settings with a ledger."""
    told = arqlite("upgrade", f"{settings}.Url")

    assert (told.exit_code, told.output) == (0, f"created the tables, at revision {HEAD}\n")


def test_environment_names_the_database(url: str) -> None:
    """Without either, the variable is asked; what the command line says comes first."""
    environment = {"ARQLITE_LEDGER_URL": url}

    assert "created" in arqlite("upgrade", environment=environment).output
    assert "nothing to do" in arqlite(
        "upgrade", "--url", url, environment={"ARQLITE_LEDGER_URL": "sqlite:////nowhere/jobs.db"}
    ).output  # fmt: skip


def test_own_table_that_is_missing_is_noted(settings: str) -> None:
    """A table of the application's own is not made here, and that is said."""
    upgraded, looked = arqlite("upgrade", f"{settings}.own"), arqlite("current", f"{settings}.own")

    assert upgraded.exit_code == 0
    assert "note: the ledger's table 'own' is missing; it is of your own" in upgraded.stderr
    assert looked.exit_code == 1


def test_prune_goes_by_the_rules_of_the_ledger(settings: str, url: str) -> None:
    """What the settings say holds, and the audit has who pruned."""
    arqlite("upgrade", "--url", url)
    add_jobs(url, {"old": timedelta(days=3), "new": timedelta(days=1)})

    dry = arqlite("prune", f"{settings}.Settings", "--dry-run", "-o", "json")
    assert (json.loads(dry.output)["jobs"], audit_of(url)) == (1, [])
    told = arqlite("prune", f"{settings}.Settings")

    assert told.exit_code == 0
    assert told.output.startswith("pruned:\njobs                     1\n")
    [(action, actor, detail)] = audit_of(url)
    assert (action, actor, detail["jobs"]) == ("prune", "ada", 1)


@pytest.mark.parametrize(
    ("rules", "count"),
    [
        ([], 1),
        (["--success", "1h"], 3),
        (["--success", "90m"], 2),
        (["--success", "never"], 0),
        (["--success", "never", "--queue", "mail=12h"], 2),
        (["--success", "1h", "--queue", "mail=never"], 0),
        (["--queue", "mail=never", "--function", "work=30d"], 1),
        (["--success", "never", "--max-rows", "1"], 0),
    ],
)
def test_prune_goes_by_the_command_line(tmp_path: Path, rules: list[str], count: int) -> None:
    """Each rule may be given, and is put over the defaults."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    arqlite("upgrade", "--url", url)
    add_jobs(url, {"a": timedelta(days=40), "b": timedelta(days=1), "c": timedelta(hours=1, minutes=1)})

    told = arqlite("prune", "--url", url, "--dry-run", "-o", "json", *rules)

    assert json.loads(told.output)["jobs"] == count


def test_prune_of_a_ledger_that_keeps_all(settings: str) -> None:
    """A ledger that keeps everything loses only what the command line says."""
    arqlite("upgrade", f"{settings}.keeps_all")

    refused = arqlite("prune", f"{settings}.keeps_all")
    told = arqlite("prune", f"{settings}.keeps_all", "--success", "1d", "-o", "json")

    assert refused.exit_code == 2
    assert "this ledger keeps everything: say what is to go" in refused.stderr
    assert json.loads(told.output) == {"jobs": 0, "attempts": 0}


def test_sql_is_what_an_upgrade_does(tmp_path: Path) -> None:
    """The statements, run by another program, are an upgrade."""
    script = arqlite("sql", "--dialect", "sqlite").output

    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        connection.executescript(script)
    connection.close()

    assert "nothing to do" in arqlite("upgrade", "--url", f"sqlite:///{tmp_path / 'jobs.db'}").output


def test_sql_is_for_the_dialect() -> None:
    """The dialect may be said or is that of the URL; nothing is connected to."""
    said = arqlite("sql", "--dialect", "postgresql").output
    of_url = arqlite("sql", "--url", "postgresql://nobody@127.0.0.1:1/none").output

    assert "finished_at TIMESTAMP WITH TIME ZONE" in said
    assert said == of_url


def test_sql_from_the_last_revision_is_none() -> None:
    """There is nothing to do from the last revision on."""
    told = arqlite("sql", "--dialect", "sqlite", "--from", HEAD)

    assert told.output == f"-- nothing to do: {HEAD} is the last revision\n"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["current"], 2, "which database? Give --url, or SETTINGS with a ledger, or set ARQLITE_LEDGER_URL"),
        (["current", "--url", "sqlite://", "app.Settings"], 2, "--url and SETTINGS both name a database"),
        (["current", "--url", "nonsense"], 2, "no database has such a URL"),
        (["current", "--url", "mysql://localhost/jobs"], 2, "a ledger is in postgresql or sqlite"),
        (["current", "--url", "sqlite:////nowhere/jobs.db"], 1, ":////nowhere/jobs.db cannot be used"),
        (["upgrade", "nowhere.Settings"], 2, "no module named 'nowhere'"),
        (
            ["sql", "--dialect", "sqlite", "--from", "7"],
            2,
            f"no revision is called '7'; there are 0001, {HEAD}",
        ),
        (["prune", "--url", "sqlite://", "--success", "3"], 2, "an age is written as 90m, 12h, 30d or never"),
        (["prune", "--url", "sqlite://", "--queue", "3d"], 2, "it is written as NAME=AGE, got '3d'"),
        (
            ["prune", "--url", "sqlite:///j.db", "--failed", "0m"],
            1,
            "Retention.failed must be at least a minute",
        ),
        (["prune", "--url", "sqlite://"], 1, "a ledger is in no database in memory"),
    ],
)
def test_mistakes_are_told_in_words(args: list[str], code: int, words: str) -> None:
    """A mistake ends with a line that says what to do, and no traceback."""
    told = arqlite(*args)

    assert (told.exit_code, words in told.stderr) == (code, True), told.output


def test_prune_tells_of_missing_tables(url: str) -> None:
    """Where nothing was created there is nothing to prune, and that is told."""
    told = arqlite("prune", "--url", url)

    assert (told.exit_code, "the ledger's tables are missing" in told.stderr) == (1, True)


def test_settings_without_a_ledger(settings: str) -> None:
    """Settings without a ledger are refused by name."""
    told = arqlite("current", f"{settings}.Without")

    assert told.exit_code == 2
    assert f"{settings}.Without has no ledger" in told.stderr


@pytest.mark.parametrize(
    "where", ["ada:secret@127.0.0.1:1/jobs", "127.0.0.1:1/jobs?user=ada&password=secret"]
)
def test_password_is_not_shown(where: str) -> None:
    """The URL is told without its password, also where that is in the query."""
    told = arqlite("current", "--url", f"postgresql://{where}")

    assert told.exit_code == 1
    assert "secret" not in told.output


def test_processes_that_upgrade_at_once(url: str, tmp_path: Path) -> None:
    """Three processes start at the same moment: one creates the tables, the others find them."""
    command = [sys.executable, "-m", "arqlite", "db", "upgrade", "--url", url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    told = sorted(process.communicate(timeout=60)[0] for process in processes)

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert told == sorted(
        [f"created the tables, at revision {HEAD}\n"]
        + 2 * [f"nothing to do, the tables are at revision {HEAD}\n"]
    )
