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


@pytest.mark.parametrize("word", ["toyapp:Pictures", "customary:WorkerSettings", "customary.WorkerSettings"])
def test_settings_with_a_colon(project: Path, word: str) -> None:
    """`module:Class` means what `module.Class` does, before a filter, too, and beside the environment."""
    (project / "customary.py").write_text(
        "from toyapp import Pictures\n\n\nclass WorkerSettings(Pictures): ...\n"
    )
    notes = project / "notes"
    done = run(
        project, "cancel", word, "tag:vip", "--yes", ARQLITE_SETTINGS="toyapp.Mail", TOY_NOTES=str(notes)
    )

    assert (done.returncode, notes.read_text().split()[1]) == (0, "tag:vip")


@pytest.mark.parametrize("word", ["queue:mail", "state:failed", "worker:Mail", "arg.to:Mail"])
def test_words_of_a_filter_are_no_settings(project: Path, word: str) -> None:
    """A name of the filter before a colon is no module, though there may be one that is called so."""
    (project / "worker.py").write_text("class Mail: ...\n")

    done = run(project, "jobs", word, ARQLITE_SETTINGS="toyapp.Mail")

    assert done.returncode == 0
    assert ("note: worker:Mail is read as a filter here" in done.stderr) == (word == "worker:Mail")


def test_module_is_meant_where_nothing_else_names_settings(project: Path) -> None:
    """A module with a `WorkerSettings` is enough of a path, as where workers are run."""
    (project / "z.py").write_text("from toyapp import Mail as WorkerSettings\n")

    done = run(project, "jobs", "z", "state:failed")

    assert (done.returncode, done.stderr) == (0, "")


def test_module_beside_the_environment_is_a_filter_and_that_is_said(project: Path) -> None:
    """A word that could be a module or a part of a function's name is the latter where settings are named."""
    (project / "z.py").write_text("from toyapp import Mail as WorkerSettings\n")

    done = run(project, "jobs", "z", ARQLITE_SETTINGS="toyapp.Mail")

    assert done.returncode == 0
    assert done.stderr == "note: z is read as a filter here; for the settings write -s z.WorkerSettings\n"


@pytest.mark.parametrize("verb", ["retry", "cancel", "delete"])
def test_nothing_is_done_by_a_word_that_could_be_settings(project: Path, verb: str) -> None:
    """Whoever names a module with settings does not have something done to all jobs that sound like it."""
    (project / "z.py").write_text("class WorkerSettings: ...\n")
    notes = project / "notes"

    done = run(project, verb, "--yes", "z", ARQLITE_SETTINGS="toyapp.Mail", TOY_NOTES=str(notes))
    meant = run(project, verb, "--yes", "-s", "toyapp.Mail", "z")

    assert (done.returncode, notes.exists(), meant.returncode) == (2, False, 0)
    assert "write -s z.WorkerSettings, for the filter 'function:*z*' or 'id:z*'" in done.stderr


@pytest.mark.parametrize("word", ["json", "arq:queue", "mail", "toyapp"])
def test_other_words_are_what_they_are(project: Path, word: str) -> None:
    """Modules without such settings, queues and functions are no settings."""
    done = run(project, "jobs", word, ARQLITE_SETTINGS="toyapp.Mail")

    assert "is read as a filter" not in done.stderr
    assert "no module" not in done.stderr


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
