"""Settings that nobody types: those that the project names in its pyproject.toml."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from cli_ops_toys import run, terminal

from arqlite.cli import defaults

NAMES_MAIL = '[tool.arqlite]\nsettings = ["toyapp.Mail"]\n'


@pytest.fixture
def named(project: Path) -> Path:
    """The project, with settings named."""
    (project / "pyproject.toml").write_text(NAMES_MAIL)
    return project


@pytest.mark.parametrize("text", [NAMES_MAIL, '[tool.arqlite]\nsettings = "toyapp.Mail"\n'])
def test_project_names_settings(project: Path, text: str) -> None:
    """A list of paths, or one path, is meant where the command line names none."""
    (project / "pyproject.toml").write_text(text)

    done = run(project, "queues")

    assert [line.split()[0] for line in done.stdout.splitlines()] == ["QUEUE", "mail"]


def test_project_may_name_several(project: Path) -> None:
    """Several settings are all looked at."""
    (project / "pyproject.toml").write_text('[tool.arqlite]\nsettings = ["toyapp.Mail", "toyapp.Pictures"]\n')

    done = run(project, "queues")

    assert [line.split()[0] for line in done.stdout.splitlines()] == ["QUEUE", "mail", "pictures"]


def test_folders_below_are_of_the_project(named: Path) -> None:
    """In a folder of the project its settings are found, too, and its modules with them."""
    (named / "docs" / "deep").mkdir(parents=True)

    with terminal(named / "docs" / "deep", "pause", "mail") as shell:
        assert shell.ended() == 0

    assert "paused mail" in shell.plain


@pytest.mark.parametrize(
    ("args", "variables"),
    [
        (("pause", "toyapp.Pictures", "pictures"), {}),
        (("pause", "-s", "toyapp.Pictures", "pictures"), {}),
        (("pause", "pictures"), {"ARQLITE_SETTINGS": "toyapp.Pictures"}),
    ],
)
def test_who_says_more_wins(named: Path, args: tuple[str, ...], variables: dict[str, str]) -> None:
    """The command line and the variable win over the project."""
    done = run(named, *args, **variables)

    assert (done.returncode, done.stdout) == (0, "paused pictures\n")


def test_word_with_a_dot_is_no_settings_beside_the_project(named: Path) -> None:
    """Where the project names settings, a word that cannot be imported is what the command asks for."""
    done = run(named, "job", "a1.b2", "-o", "json")

    assert '"id": "a1.b2"' in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("queues",), ("worker",), ("worker", "--check"), ("dashboard",), ("health",), ("reconcile",),
        ("import-arq",), ("config", "show"), ("doctor", "--production"), ("doctor", "-o", "json"),
        ("db", "current"), ("dev",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_nobody_names_any(project: Path, args: tuple[str, ...]) -> None:
    """A command that finds no settings says all the ways to name some, and nothing else is done."""
    done = run(project, *args, fake=False)

    assert (done.returncode, done.stdout) == (2, "")
    words = "set ARQLITE_SETTINGS, or name them once in pyproject.toml: [tool.arqlite] settings = ["
    assert words in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.arqlite]\nsettings = 5\n", 'such as ["app.worker.WorkerSettings"], got 5'),
        ("[tool.arqlite]\nsettings = [5]\n", "got [5]"),
        ('[tool.arqlite]\nsetings = "toyapp.Mail"\n', "has settings, and nothing else: what is 'setings'?"),
        ("[tool.arqlite\n", "cannot be read: Expected ']'"),
        ('[tool.arqlite]\nsettings = "toyapp.Male"\n', "did you mean toyapp.Mail?"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(project: Path, text: str, words: str) -> None:
    """A file that names settings wrongly is told in words, with the file."""
    (project / "pyproject.toml").write_text(text)

    done = run(project, "queues")

    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_file_that_cannot_be_read_hinders_nobody_who_says_more(project: Path) -> None:
    """Who names settings on the command line needs no file."""
    (project / "pyproject.toml").write_text("[tool.arqlite\n")

    assert run(project, "queues", "toyapp.Mail").returncode == 0


def test_file_above_of_another_user_is_not_believed(
    named: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file above the current folder that another user could have laid there has nothing imported."""
    (named / "below").mkdir()
    monkeypatch.chdir(named / "below")
    monkeypatch.setattr(os, "geteuid", lambda: (named / "pyproject.toml").stat().st_uid + 1)
    if (named / "pyproject.toml").stat().st_uid == 0:
        os.chown(named / "pyproject.toml", 4242, -1)

    with pytest.raises(click.UsageError, match="is another user's"):
        defaults.named()
    assert not defaults.are_named()


def test_doctor_looks_at_the_settings_of_the_project(named: Path) -> None:
    """Without a word `arqlite doctor` looks at what the project names."""
    done = run(named, "doctor", TOY_TROUBLE="none")

    assert done.stdout.splitlines()[-1] == "nothing found"


def test_ledger_of_the_project(named: Path) -> None:
    """The commands about a ledger find that of the project's settings."""
    with (named / "toyapp.py").open("a") as file:
        file.write("Mail.ledger = 'sqlite:///jobs.db'\n")

    done = run(named, "db", "upgrade", fake=False)

    assert (done.returncode, (named / "jobs.db").exists()) == (0, True)
    assert done.stdout.startswith("created the tables")


def test_ledgers_of_a_project_that_differ(project: Path) -> None:
    """Settings with different ledgers are not chosen from: which is meant has to be said."""
    (project / "pyproject.toml").write_text('[tool.arqlite]\nsettings = ["toyapp.Mail", "toyapp.Pictures"]\n')
    with (project / "toyapp.py").open("a") as file:
        file.write("Mail.ledger = 'sqlite:///a.db'\nPictures.ledger = 'sqlite:///b.db'\n")

    done = run(project, "db", "upgrade", fake=False)

    assert done.returncode == 2
    assert "toyapp.Mail and toyapp.Pictures have different ledgers: name one of them" in done.stderr


def test_one_of_several_has_to_be_named(project: Path) -> None:
    """A command about one queue does not choose among the project's."""
    (project / "pyproject.toml").write_text('[tool.arqlite]\nsettings = ["toyapp.Mail", "toyapp.Pictures"]\n')

    done = run(project, "reconcile", fake=False)

    assert done.returncode == 2
    assert "There are toyapp.Mail and toyapp.Pictures: name one of them" in done.stderr
