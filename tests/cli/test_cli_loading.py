"""The paths of settings, and what is said of those that lead nowhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from arqlite.cli.loading import load

TASKS = """
import json

class WorkerSettings:
    functions = []

class MailSettings(WorkerSettings):
    pass

nightly = {"cron_jobs": []}
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    (tmp_path / "kit_tasks.py").write_text(TASKS)
    (tmp_path / "kit_bare.py").write_text("class Mail:\n    functions = []\n")
    (tmp_path / "kit_broken.py").write_text("import no_such_package_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("kit_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("kit_tasks.WorkerSettings", "WorkerSettings"),
        ("kit_tasks:MailSettings", "MailSettings"),
        ("kit_tasks", "WorkerSettings"),
    ],
)
def test_settings_are_found(path: str, name: str) -> None:
    """A dot, a colon and the bare module lead to settings."""
    assert load(path).__name__ == name


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("kit_tasks.WorkerSetings", "did you mean kit_tasks.WorkerSettings?"),
        ("kit_tasks:nightli", "did you mean kit_tasks.nightly?"),
        ("kit_tasks.x", "there is WorkerSettings, MailSettings, nightly"),
        ("kit_task.WorkerSettings", "no module named 'kit_task'"),
        ("kit_task.WorkerSettings", "did you mean kit_tasks.WorkerSettings?"),
        ("kit_task", "did you mean kit_tasks.WorkerSettings?"),
        ("kit_bare", "name the settings in it, kit_bare.Mail"),
        ("nothing.at.all", "no module named 'nothing.at'"),
        ("", "no module named ''"),
        ("..x", "no module named"),
    ],
)
def test_wrong_path_is_told_with_the_nearest(path: str, words: str) -> None:
    """A path that leads nowhere is told with what may be meant."""
    with pytest.raises(click.UsageError) as told:
        load(path)

    assert words in told.value.message


def test_error_of_the_module_is_its_own() -> None:
    """What a module fails with at its import is not taken for a wrong path."""
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        load("kit_broken.WorkerSettings")
