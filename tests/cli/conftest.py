"""Fixtures for the tests of the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_ops_toys import SETTINGS, FakeConsole
from click.testing import CliRunner, Result

import arqlite.console
from arqlite.cli import cli


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a module `toyapp` of settings; their Redis is nowhere, for the console is a fake."""
    (tmp_path / "toyapp.py").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def invoke(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run commands in this process, which is quicker: for what is the same with many of them."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(arqlite.console, "Console", FakeConsole)
    monkeypatch.setattr(sys, "path", [*sys.path, str(project)])
    monkeypatch.delenv("ARQLITE_SETTINGS", raising=False)

    def run(*args: str, **variables: str) -> Result:
        return CliRunner().invoke(cli, args, prog_name="arqlite", env=variables)

    yield run
    sys.modules.pop("toyapp", None)
