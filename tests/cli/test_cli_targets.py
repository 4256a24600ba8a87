"""Which queues a command is about: by an option, a variable, or the first word."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_ops_toys import run


@pytest.mark.parametrize(
    "args",
    [
        ("queues", "toyapp.Mail"),
        ("queues", "-s", "toyapp.Mail"),
        ("queues", "--settings=toyapp.Mail"),
        ("queues", "-o", "text", "toyapp.Mail"),
        ("queues", "toyapp.Mail", "toyapp.Mail"),
    ],
    ids=" ".join,
)
def test_settings_are_named(project: Path, args: tuple[str, ...]) -> None:
    """Settings are named by the option or as words, before or behind other options, each counting once."""
    done = run(project, *args)

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["QUEUE", "mail"]


def test_variable_names_settings(project: Path) -> None:
    """The environment may name several settings, with spaces between them."""
    done = run(project, "queues", ARQLITE_SETTINGS="toyapp.Mail toyapp.Pictures")

    assert [line.split()[0] for line in done.stdout.splitlines()] == ["QUEUE", "mail", "pictures"]


def test_word_wins_over_variable(project: Path) -> None:
    """A path that can be imported is meant, whatever the environment names."""
    done = run(project, "pause", "toyapp.Pictures", "pictures", ARQLITE_SETTINGS="toyapp.Mail")

    assert (done.returncode, done.stdout) == (0, "paused pictures\n")


def test_word_with_a_dot_is_no_settings_beside_the_variable(project: Path) -> None:
    """Where the environment names settings, a word that cannot be imported is what the command asks for."""
    done = run(project, "job", "a1.b2", "-o", "json", ARQLITE_SETTINGS="toyapp.Mail")

    assert '"id": "a1.b2"' in done.stdout


def test_no_settings_are_a_usage_error(project: Path) -> None:
    """Without settings the command says how to name them."""
    done = run(project, "queues")

    assert done.returncode == 2
    assert "Name worker settings first, app.worker.WorkerSettings, or set ARQLITE_SETTINGS" in done.stderr


def test_unknown_module_is_told(project: Path) -> None:
    """A wrong path ends with a line and no traceback."""
    done = run(project, "queues", "toyap.Mail")

    assert done.returncode == 2
    assert "no module named 'toyap'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("cron", "toyapp.Mail", "run", "nightly"),
        ("cron", "-s", "toyapp.Mail", "run", "nightly"),
        ("cron", "run", "toyapp.Mail", "nightly"),
    ],
    ids=" ".join,
)
def test_settings_before_a_subcommand(project: Path, args: tuple[str, ...]) -> None:
    """Settings may stand before the subcommand or behind it; they win over the environment."""
    done = run(project, *args, ARQLITE_SETTINGS="toyapp.Pictures")

    assert (done.returncode, done.stdout) == (0, "mail-nightly-1\n")
