"""`arqlite config show`: values and where they are from, without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_ops_toys import run, terminal

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
    assert told["keep_result"] == ("3600", "default")


def test_environment(project: Path) -> None:
    """A Redis and a zone that are from the environment name their variables."""
    told = shown(project, REDIS_URL="redis://other.example:1234/0", ARQ_TIMEZONE="Europe/Prague")

    assert told["redis_settings"] == (
        "redis://other.example:1234/0", "toyapp.Base, a base, environment REDIS_URL",
    )  # fmt: skip
    assert told["timezone"] == ("Europe/Prague", "environment ARQ_TIMEZONE")


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
