"""`arqlite config show`: values and where they are from, without secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_ops_toys import run, terminal

from arqlite.surroundings import DevSession, held

SOURCES = """
import os
from arqlite.connections import RedisSettings

async def job(ctx): ...

class Base:
    functions = [job]
    max_jobs = 7
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://ann:hunter2@r.example:6380/2"))
    ctx = {"api_key": "hunter2"}

class Own(Base):
    queue_name = "own"
    ledger = "postgresql://ann:hunter2@db.example/jobs?sslpassword=hunter2"

class Bare:
    functions = [job]

class None_(Bare):
    ledger = None

instance = Own()
instance.job_timeout = 60
plain = {"functions": [job], "queue_name": "plain"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "toyapp.py").write_text(SOURCES)
    return tmp_path


def shown(project: Path, settings: str = "toyapp.Own", **variables: str) -> dict[str, Any]:
    done = run(project, "config", "show", settings, "-o", "json", fake=False, **variables)
    assert done.returncode == 0, done.stderr
    [options] = json.loads(done.stdout).values()
    return {option["name"]: (option["value"], option["source"]) for option in options}


def test_sources(project: Path) -> None:
    """A value is from the class, from its base, or it is the default."""
    told = shown(project)

    assert told["queue_name"] == ("own", "toyapp.Own")
    assert told["max_jobs"] == ("7", "toyapp.Base, a base")
    assert told["functions"][0] == "job"  # which a job has to be enqueued by
    assert told["keep_result"] == ("3600", "default")


def test_environment(project: Path) -> None:
    """A Redis and a zone that are from the environment name their variables."""
    told = shown(project, REDIS_URL="redis://other.example:1234/0", ARQ_TIMEZONE="Europe/Prague")

    assert told["redis_settings"] == (
        "redis://other.example:1234/0", "toyapp.Base, a base, environment REDIS_URL",
    )  # fmt: skip
    assert told["timezone"] == ("Europe/Prague", "environment ARQ_TIMEZONE")


def test_what_settings_leave_open(project: Path) -> None:
    """Settings that name no Redis and no ledger have those of the two variables, which are named."""
    told = shown(
        project,
        "toyapp.Bare",
        ARQLITE_REDIS_URL="redis://ann:hunter2@open.example:6390/4",
        ARQLITE_LEDGER_URL="postgresql://ann:hunter2@db.example/open",
    )

    assert told["redis_settings"] == (
        "redis://ann:***@open.example:6390/4", "environment ARQLITE_REDIS_URL",
    )  # fmt: skip
    url, source = told["ledger"]
    assert url.startswith("postgresql+asyncpg://ann:***@db.example/open")
    assert source == "environment ARQLITE_LEDGER_URL"


def test_what_arqlite_dev_provides(project: Path) -> None:
    """While an `arqlite dev` runs in the project, its Redis and its ledger are told, and from whom."""
    home = project / ".arqlite"
    session = DevSession(os.getpid(), f"unix://{home}/redis.sock", f"sqlite:///{home}/jobs.db")
    with held(home), session.told(home):
        told = shown(project, "toyapp.Bare", ARQLITE_HOME=str(home))

    assert told["redis_settings"] == (f"unix://{home}/redis.sock?db=0", "arqlite dev")
    assert told["ledger"][0].startswith(f"sqlite+aiosqlite:///{home}/jobs.db")
    assert told["ledger"][1] == "arqlite dev"


@pytest.mark.parametrize(
    ("settings", "variables", "wanted"),
    [
        ("toyapp.Bare", {}, ("None", "default")),
        ("toyapp.None_", {"ARQLITE_LEDGER_URL": "sqlite:///open.db"}, ("None", "toyapp.None_")),
    ],
)
def test_no_ledger(project: Path, settings: str, variables: dict[str, str], wanted: tuple[str, str]) -> None:
    """Where nobody names a ledger, or the settings want none, there is none."""
    assert shown(project, settings, ARQLITE_HOME=str(project / "none"), **variables)["ledger"] == wanted


def test_variable_that_is_no_url(project: Path) -> None:
    """A variable that no Redis can be read from ends with 2, in words."""
    done = run(project, "config", "show", "toyapp.Bare", fake=False, ARQLITE_REDIS_URL="nonsense")

    assert done.returncode == 2
    assert "ARQLITE_REDIS_URL must be a URL such as redis://localhost:6379/0" in done.stderr


def test_secrets_are_masked(project: Path) -> None:
    """No password is shown, nor what is in `ctx`."""
    done = run(project, "config", "show", "--all", "toyapp.Own", "toyapp.instance", fake=False)

    assert done.returncode == 0
    assert "hunter2" not in done.stdout + done.stderr
    assert "redis://ann:***@r.example:6380/2" in done.stdout
    assert "postgresql+asyncpg://ann:***@db.example/jobs?sslpassword=***" in done.stdout


@pytest.mark.parametrize(
    ("settings", "name", "wanted"),
    [
        ("toyapp.instance", "job_timeout", ("60", "the instance")),
        ("toyapp.plain", "queue_name", ("plain", "the dict")),
    ],
)
def test_other_kinds_of_settings(project: Path, settings: str, name: str, wanted: tuple[str, str]) -> None:
    """An instance and a dict say so."""
    assert shown(project, settings)[name] == wanted


def test_in_a_terminal(project: Path) -> None:
    """In a terminal it is a table of what somebody has set."""
    with terminal(project, "config", "show", "toyapp.Own", fake=False) as shell:
        assert shell.ended() == 0

    assert "max_jobs" in shell.plain
    assert "keep_result" not in shell.plain


def test_settings_that_cannot_work(project: Path) -> None:
    """Settings that a worker would refuse end with 2, in words."""
    (project / "toyapp.py").write_text(SOURCES.replace("max_jobs = 7", "max_jobs = 0"))

    done = run(project, "config", "show", "toyapp.Own", fake=False)

    assert (done.returncode, done.stderr) == (
        2,
        "Error: max_jobs must be a whole number of at least 1, got 0\n",
    )
