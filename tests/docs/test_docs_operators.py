"""The examples of the page of the command line, as they are typed: each of them is taken."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import arqlite.console
from arqlite.cli import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
OPERATORS = PAGE.read_text().partition("## Looking at jobs and queues")[2].partition("\n## ")[0]
EXAMPLES = [
    line.partition("  #")[0].strip()
    for line in re.findall(r"^\$ arqlite (.*)$", OPERATORS, re.MULTILINE)
    if "WorkerSettings" not in line and not line.startswith("enqueue")
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_is_taken(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page says to type works as it stands there."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "cli"))
    from cli_ops_toys import SETTINGS, FakeConsole

    (tmp_path / "toyapp.py").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(arqlite.console, "Console", FakeConsole)
    args = shlex.split(example)
    if args[0] in ("retry", "cancel", "delete") and "--yes" not in args:
        args.append("--yes")  # where a person would be asked

    done = CliRunner().invoke(cli, args, env={"ARQLITE_SETTINGS": "toyapp.Mail", "TOY_TROUBLE": "none"})

    assert done.exit_code == 0, done.output
    sys.modules.pop("toyapp", None)


def test_there_are_examples() -> None:
    """The page has examples at all."""
    assert len(EXAMPLES) > 20
