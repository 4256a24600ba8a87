"""`arqlite version`, `completion` and `doctor` with settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_ops_toys import run, terminal
from click.testing import Result

from arqlite import VERSION


def test_version(project: Path) -> None:
    """The versions are told a line each, arqlite's first."""
    done = run(project, "version", fake=False)

    assert done.stdout.splitlines()[0].split() == ["arqlite", VERSION]
    assert "redis" in done.stdout


def test_version_as_json(project: Path) -> None:
    """JSON has them by name."""
    done = run(project, "version", "-o", "json", fake=False)

    assert json.loads(done.stdout)["arqlite"] == VERSION


def test_version_in_a_terminal(project: Path) -> None:
    """It is the same in a terminal."""
    with terminal(project, "version", fake=False) as shell:
        assert shell.ended() == 0

    assert VERSION in shell.plain


@pytest.mark.parametrize(
    ("shell", "word"),
    [("bash", "complete -o nosort"), ("zsh", "compdef"), ("fish", "complete --no-files")],
)
def test_completion_script(project: Path, shell: str, word: str) -> None:
    """Each shell is told how to complete words."""
    done = run(project, "completion", shell, fake=False)

    assert done.returncode == 0
    assert word in done.stdout
    assert "_ARQLITE_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("arqlite re", ["plain,retry", "plain,resume", "plain,reconcile"]),
        ("arqlite jobs state:dis", ["plain,state:discarded"]),
        ("arqlite jobs pri", ["plain,priority:"]),
        ("arqlite cron r", ["plain,resume", "plain,run"]),
        ("arqlite demo --bur", ["plain,--burst"]),
        ("arqlite jbos --bur", ["plain,--burst"]),
    ],
)
def test_words_are_completed(project: Path, words: str, wanted: list[str]) -> None:
    """Commands, filters and values are completed; a first word that is wrong is no error yet."""
    count = str(len(words.split()) - 1)
    done = run(project, fake=False, _ARQLITE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)

    assert done.stdout.split() == wanted


@pytest.mark.parametrize(
    ("trouble", "options", "code"),
    [
        ("none", (), 0), ("info", ("--production",), 0), ("warning", (), 0),
        ("warning", ("--production",), 1), ("error", (), 1),
    ],
)  # fmt: skip
def test_doctor_tells_how_bad_it_is(
    invoke: Callable[..., Result], trouble: str, options: tuple[str, ...], code: int
) -> None:
    """An error makes the code 1, and so does a warning in production."""
    done = invoke("doctor", "toyapp.Mail", *options, TOY_TROUBLE=trouble)

    assert done.exit_code == code


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--production",), 1)])
def test_doctor_looks_closer_for_production(
    invoke: Callable[..., Result], options: tuple[str, ...], code: int
) -> None:
    """What is fine for development only is found with `--production`, and not without."""
    done = invoke("doctor", "toyapp.Mail", *options, TOY_TROUBLE="none", TOY_EMBEDDED="1")

    assert (done.exit_code, "embedded-server" in done.stdout) == (code, code == 1)


def test_doctor_names_the_fix(project: Path) -> None:
    """A finding is told with what to do about it, below what was looked at."""
    done = run(project, "doctor", "toyapp.Mail")

    assert "redis.example:6380/3  redis 7.4.1, master" in done.stdout
    assert done.stdout.splitlines()[-3:] == [
        "warning: Redis keeps nothing (no-aof)",
        "  -> Turn on AOF.",
        "1 warning",
    ]


def test_doctor_in_a_terminal(project: Path) -> None:
    """Settings may be named by the environment."""
    with terminal(project, "doctor", ARQLITE_SETTINGS="toyapp.Mail", TOY_TROUBLE="none") as shell:
        assert shell.ended() == 0

    assert "nothing found" in shell.plain


def test_doctor_without_settings_is_the_help(project: Path) -> None:
    """Who names nothing is told what there is."""
    done = run(project, "doctor", fake=False)

    assert done.returncode == 0
    assert "--production" in done.stdout
