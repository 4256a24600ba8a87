"""The help and its sections: all commands are told, and none is imported for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_ops_toys import PATIENCE_S, environment, run, terminal

from arqlite.cli import SECTIONS, cli
from arqlite.cli.sections import Entry, Sections

COMMANDS = [(name, entry) for section in SECTIONS.values() for name, entry in section.items()]


@pytest.mark.parametrize(("name", "entry"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_summary_is_the_commands_own(name: str, entry: Entry) -> None:
    """What the help says of a command without importing it is what the command says of itself."""
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert command.get_short_help_str(1000) == entry.summary


def test_help_has_sections(project: Path) -> None:
    """The help lists the commands in sections."""
    done = run(project, "--help", fake=False)

    titles = [line[:-1] for line in done.stdout.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["Options", "Workers", "Jobs", "Queues", "Ledger", "Setup"]
    assert "  retry       Have jobs run again now." in done.stdout.splitlines()


def test_help_loads_nothing_heavy(project: Path) -> None:
    """Whoever asks for the help waits for none of the packages that commands need."""
    code = (
        "import sys\nfrom arqlite.cli import main\n"
        "try: main(args=['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'rich', 'redis', 'pydantic', 'sqlalchemy', 'croniter', 'arqlite.worker'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment(), capture_output=True, text=True,
        timeout=PATIENCE_S, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_slip_of_a_command_is_told(project: Path) -> None:
    """A word that is nearly a command is not taken for settings."""
    done = run(project, "jbos", fake=False)

    assert done.returncode == 2
    assert "there is no command 'jbos'; did you mean 'jobs'?" in done.stderr


@pytest.mark.parametrize(
    "args", [("demo",), ("stats", "--burst"), ("demo", "--help"), ("demo/run",)], ids=" ".join
)
def test_word_that_is_nothing_is_told(project: Path, args: tuple[str, ...]) -> None:
    """A word that is no command and no module is told as such, and leads to the help of all commands."""
    done = run(project, *args, fake=False)

    assert done.returncode == 2
    assert f"Error: there is no command {args[0]!r}, nor such settings: " in done.stderr
    assert "Try 'arqlite --help' for help." in done.stderr
    assert "arqlite worker" not in done.stderr
    assert "did you mean" not in done.stderr


@pytest.mark.parametrize(("word", "near"), [("enq", "'enqueue'"), ("oyapp", "toyapp.WorkerSettings")])
def test_word_that_is_nothing_is_told_with_the_nearest(project: Path, word: str, near: str) -> None:
    """Such a word is told with the nearest command, or the nearest module of the folder, if one is near."""
    done = run(project, word, fake=False)

    assert done.returncode == 2
    assert f"there is no command {word!r}" in done.stderr
    assert f"did you mean {near}?" in done.stderr


@pytest.mark.parametrize("word", ["shop", "shop.WorkerSettings", "shop:WorkerSettings"])
def test_settings_need_no_subcommand(project: Path, word: str) -> None:
    """A path, one with a colon and the name of a module are settings, as with arq, and are imported."""
    (project / "shop.py").write_text("raise SystemExit(7)\n")

    assert run(project, word, fake=False).returncode == 7


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("demo.WorkerSettings", "no module named 'demo' ("),
        ("demo:WorkerSettings", "no module named 'demo' ("),
        ("toyapp", "'toyapp' is a module without a WorkerSettings"),
    ],
)
def test_path_that_leads_nowhere_is_about_the_worker(project: Path, word: str, said: str) -> None:
    """What can only be a path, and a module that is there, are told with the usage of a worker."""
    done = run(project, word, fake=False)

    assert done.returncode == 2
    assert f"Error: {said}" in done.stderr
    assert "there is no command" not in done.stderr
    assert "Try 'arqlite worker --help' for help." in done.stderr


def test_added_command_is_listed() -> None:
    """A command that others add is in the help, and can be called."""
    group = Sections(sections={"Setup": {}}, name="arqlite")

    @group.command()
    def extra() -> None:
        """Do one more thing."""

    told = group.get_help(click.Context(group))

    assert "extra" in told
    assert "Do one more thing." in told
    assert group.get_command(click.Context(group), "extra") is extra


def test_help_in_a_terminal(project: Path) -> None:
    """The help is the same where a person reads it."""
    with terminal(project, "--help", fake=False) as shell:
        assert shell.ended() == 0

    assert "Queues:" in shell.plain
