"""`-o json` everywhere: what a command tells, a program can read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from cli_ops_toys import run, terminal
from click.testing import Result

from arqlite.cli import cli
from arqlite.embedded import EmbeddedServer

WITHOUT = {
    "worker": "runs until it is told to end; its log has --log-format json",
    "dev": "runs until it is told to end, for a person who looks on",
    "dashboard": "runs until it is told to end; the dashboard has an API of its own",
    "completion": "what it prints is a program for a shell",
}


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """A command, or those of a group, by what is typed; a group that does something by itself is one, too."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from commands(found, f"{name} {below}".strip())
    if name and (not isinstance(command, click.Group) or command.invoke_without_command):
        yield name, command


@pytest.mark.parametrize(("name", "command"), [pytest.param(*one, id=one[0]) for one in commands(cli)])
def test_every_command_has_json(name: str, command: click.Command) -> None:
    """Each command that tells something takes `-o json`; those that do not are known, with the reason."""
    options = [
        one for one in command.params if isinstance(one, click.Option) and {"-o", "--output"} <= {*one.opts}
    ]
    kinds = [one.type.choices for one in options if isinstance(one.type, click.Choice)]

    assert (name in WITHOUT) != any("json" in choices for choices in kinds)


def test_commands_without_json_are_there() -> None:
    """The exceptions are commands that there are."""
    assert WITHOUT.keys() <= {name for name, _ in commands(cli)}


@pytest.mark.parametrize(
    "args",
    [
        ("version",), ("queues", "toyapp.Mail"), ("workers", "toyapp.Mail"), ("jobs", "toyapp.Mail"),
        ("job", "toyapp.Mail", "a1"), ("errors", "toyapp.Mail"), ("cron", "toyapp.Mail"),
        ("cron", "toyapp.Mail", "--next", "2"), ("cron", "run", "toyapp.Mail", "nightly"),
        ("cron", "pause", "toyapp.Mail", "nightly"), ("cron", "resume", "toyapp.Mail", "nightly"),
        ("pause", "toyapp.Mail", "mail"), ("resume", "toyapp.Mail", "mail"),
        ("scale", "toyapp.Mail", "mail=5"), ("drain", "toyapp.Mail", "mail"),
        ("retry", "toyapp.Mail", "tag:vip", "--yes"), ("cancel", "toyapp.Mail", "tag:vip", "--yes"),
        ("delete", "toyapp.Mail", "tag:vip", "--yes"), ("top", "toyapp.Mail", "--once"),
        ("doctor", "toyapp.Mail"), ("config", "show", "toyapp.Mail"),
        ("db", "sql", "--dialect", "sqlite"), ("init", "new"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_stdout_is_json_alone(invoke: Callable[..., Result], args: tuple[str, ...]) -> None:
    """All of stdout is one value in JSON."""
    done = invoke(*args, "-o", "json")

    assert done.exit_code == 0, done.output
    assert isinstance(json.loads(done.stdout), dict | list)


def test_tables_are_told_as_json(project: Path) -> None:
    """The commands about a ledger tell in JSON what they did and found, and nothing else on stdout."""
    url = f"sqlite:///{project / 'jobs.db'}"

    told = [
        json.loads(run(project, "db", *command, "--url", url, "-o", "json", fake=False).stdout)
        for command in (
            ["upgrade"], ["upgrade"], ["current"], ["prune", "--success", "1d"],
            ["prune", "--success", "1d", "--dry-run"], ["export"],
        )
    ]  # fmt: skip

    made, again, current, pruned, counted, rows = told
    assert (made["is_changed"], made["before"], again["is_changed"]) == (True, None, False)
    assert made["revision"] == again["revision"] == current["revision"] == current["head"]
    assert pruned["jobs"] == counted["jobs"] == 0
    assert rows == []


def test_missing_tables_are_told_as_json(project: Path) -> None:
    """A database without tables is told as one, and the exit code says so, too."""
    done = run(project, "db", "current", "--url", f"sqlite:///{project / 'no.db'}", "-o", "json", fake=False)

    told = json.loads(done.stdout)
    assert (done.returncode, told["revision"]) == (1, None)
    assert "arqlite db upgrade" in told["reason"]


def test_written_files_are_told_as_json(project: Path) -> None:
    """What `init` wrote, and what to type next, is a list each."""
    told = json.loads(run(project, "init", "shop", "-o", "json", fake=False).stdout)

    assert told == {
        "written": ["shop/tasks.py", "shop/test_tasks.py", "shop/pyproject.toml"],
        "settings": "tasks.WorkerSettings",
        "steps": ["cd shop && arqlite dev"],
    }


@pytest.mark.real
def test_embedded_server_is_told_as_json(project: Path) -> None:
    """The embedded server tells where it is, that it was ended, and that it does not run."""

    def told(*args: str) -> tuple[int, object]:
        done = run(project, "embedded", *args, str(project / "data"), "-o", "json", fake=False)
        return done.returncode, json.loads(done.stdout)

    with EmbeddedServer.ensure(project / "data", grace=0) as server:
        _, at_work = told("status")
        with terminal(project, "embedded", "status", str(project / "data"), fake=False) as shell:
            assert shell.ended() == 0
        stopped = told("stop")
    after, again = told("status"), told("stop")

    assert at_work == {
        "is_running": True, "pid": server.pid, "version": server.version, "binary_kind": server.binary_kind,
        "socket_path": server.url().removeprefix("unix://").partition("?")[0],
    }  # fmt: skip
    assert f"pid     {server.pid}" in shell.plain
    assert stopped == (0, {"was_running": True})
    assert (after, again) == ((1, {"is_running": False}), (0, {"was_running": False}))
