"""The page of the command line, held to the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from arqlite.cli import SECTIONS, cli
from arqlite.cli.export import db
from arqlite.cli.worker import worker

_TOLD_ELSEWHERE = ("worker", "dashboard", "db", "reconcile", "embedded", "import-arq")
_OF_ALL = ("--settings", "--output")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_every_option_is_told() -> None:
    """The page's table has every option of the worker command, and no other."""
    told = re.findall(r"^\| `(--[\w-]+)`", PAGE.read_text(), re.MULTILINE)

    taken = [
        next(name for name in option.opts if name.startswith("--"))
        for option in worker.params
        if option.param_type_name == "option"
    ]
    assert sorted(told) == sorted(taken)


def test_every_option_of_the_database_is_told() -> None:
    """The table of `arqlite db` has every option of its commands, and no other."""
    told = re.findall(r"^\| (?:all|`db (\w+)`) \| `(--[\w-]+)`", PAGE.read_text(), re.MULTILINE)

    taken = {
        ("" if name == "--url" else command.name, name)
        for command in db.commands.values()
        for option in command.params
        if option.param_type_name == "option"
        for name in [next(name for name in option.opts if name.startswith("--"))]
    }
    assert set(told) == taken


def test_every_option_of_the_operators_is_told() -> None:
    """The tables of the commands about jobs and queues have every option of their own, and no other."""
    told = re.findall(r"^\| `([a-z]+(?: [a-z]+)?)` \| `(--[\w-]+)`", PAGE.read_text(), re.MULTILINE)

    names = [name for section in SECTIONS.values() for name in section if name not in _TOLD_ELSEWHERE]
    taken = {option for name in names for option in options(name, cli.get_command(click.Context(cli), name))}
    assert {(name, option) for name, option in told if not name.startswith("db ")} == taken


def test_every_command_is_told() -> None:
    """The page shows how each command is called."""
    called = set(re.findall(r"^\$ (?:eval \"\$\()?arqlite ([a-z-]+)", PAGE.read_text(), re.MULTILINE))

    names = {name for section in SECTIONS.values() for name in section}
    assert names - called <= {"worker", "reconcile", "embedded", "import-arq"}


def options(name: str, command: click.Command | None) -> Iterator[tuple[str, str]]:
    """The options of a command and its subcommands, as they are called."""
    assert command is not None
    if isinstance(command, click.Group):
        for below, one in command.commands.items():
            yield from options(f"{name} {below}", one)
    for option in command.params:
        long = next((text for text in option.opts if text.startswith("--")), "")
        if long and long not in _OF_ALL:
            yield name, long
