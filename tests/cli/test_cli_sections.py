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
