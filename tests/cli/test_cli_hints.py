"""What is said where Redis is not at the default address: after `arqlite dev` has ended it is nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_ops_toys import run

from arqlite.surroundings import DevSession, held

HINT = "no `arqlite dev` runs in this project: start it, or set ARQLITE_REDIS_URL"
AWAY = """
import socket
from arqlite.connections import RedisSettings

connect = socket.socket.connect

def refuse(self, address):
    if not isinstance(address, str) and address[1] == 6379:
        raise ConnectionRefusedError(111, "refused")
    return connect(self, address)

socket.socket.connect = refuse  # there may be a Redis at the default address after all

async def job(ctx): ...

class Open:
    functions = [job]

class Named(Open):
    redis_settings = RedisSettings(host="localhost", port=6379, conn_retries=0)
"""
COMMANDS = [
    ("queues", "toyapp.Open"), ("jobs", "toyapp.Open"), ("job", "toyapp.Open", "j1"),
    ("errors", "toyapp.Open"), ("enqueue", "toyapp.Open", "job"), ("pause", "toyapp.Open", "arq:queue"),
    ("doctor", "toyapp.Open"), ("health", "toyapp.Open"), ("worker", "toyapp.Open", "--check"),
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The data folder of a project, as an `arqlite dev` leaves it; nobody listens at the default address."""
    (tmp_path / "toyapp.py").write_text(AWAY)
    home = tmp_path / ".arqlite"
    home.mkdir()
    return home


def told(home: Path, *args: str, **variables: str) -> str:
    done = run(home.parent, *args, fake=False, ARQLITE_HOME=str(home), **variables)
    assert done.returncode in (1, 4), done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_dev_that_has_ended_is_told(home: Path, args: tuple[str, ...]) -> None:
    """In a project where an `arqlite dev` has run, a command that finds no Redis says that none runs."""
    assert told(home, *args).count(HINT) == 1


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_what_to_do_is_told_where_there_was_no_dev(home: Path, args: tuple[str, ...]) -> None:
    """Where no `arqlite dev` is missing, each command that finds no Redis says what else to do."""
    home.rmdir()

    assert told(home, *args).count("start it") == 1


@pytest.mark.parametrize("command", ["queues", "pause"])
def test_address_of_the_settings_is_no_hint(home: Path, command: str) -> None:
    """Where the settings name this Redis, an `arqlite dev` would not help."""
    assert HINT not in told(home, command, "toyapp.Named", *(("arq:queue",) if command == "pause" else ()))


def test_project_without_dev_is_no_hint(home: Path) -> None:
    """Where no `arqlite dev` has ever run nothing is said of it."""
    home.rmdir()

    assert HINT not in told(home, "queues", "toyapp.Open")


@pytest.mark.parametrize(
    "variables",
    [{"ARQLITE_REDIS_URL": "redis://localhost:6379/0"}, {"ARQLITE_ENV": "production"}],
    ids=lambda variables: next(iter(variables)),
)
def test_environment_that_is_set_is_no_hint(home: Path, variables: dict[str, str]) -> None:
    """Where the environment says where Redis is, or that this is production, the hint would be wrong."""
    assert HINT not in told(home, "queues", "toyapp.Open", **variables)


def test_dev_that_runs_is_no_hint(home: Path) -> None:
    """While one runs the address is its own, whatever answers there."""
    session = DevSession(os.getpid(), "redis://localhost:6379/0")
    with held(home), session.told(home):
        assert HINT not in told(home, "queues", "toyapp.Open")


@pytest.mark.parametrize("args", COMMANDS[-2:], ids=" ".join)
def test_probe_tries_once(home: Path, args: tuple[str, ...]) -> None:
    """A probe answers at once: who asks tries again by himself."""
    assert "retries remaining" not in told(home, *args)
