"""The page of the command line, held to the command line."""

from __future__ import annotations

import re
from pathlib import Path

from arqlite.cli.db import db
from arqlite.cli.health import health
from arqlite.cli.worker import worker

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


def test_every_option_of_health_is_told() -> None:
    """The table of `arqlite health` has every option of it, and no other."""
    told = re.findall(r"^\| `health` \| `(--[\w-]+)`", PAGE.read_text(), re.MULTILINE)

    assert told == [name for option in health.params for name in option.opts if name.startswith("--")]


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
