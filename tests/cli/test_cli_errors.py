"""`arqlite errors`: failures by what they have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli_ops_toys import run, terminal
from click.testing import Result


def test_errors_are_listed(project: Path) -> None:
    """A group is told with how often, where, and the newest job of it."""
    done = run(project, "errors", "toyapp.Mail", "--since", "2h", TOY_NOTES=str(project / "notes"))

    assert done.returncode == 0
    assert "ValueError  app.mail:12 in send  job1        no such address" in done.stdout
    assert (project / "notes").read_text() == "errors of None since 2h\n"


def test_errors_in_a_terminal(project: Path) -> None:
    """It is the same in a terminal."""
    with terminal(project, "errors", "toyapp.Mail") as shell:
        assert shell.ended() == 0

    assert "41" in shell.plain


def test_nothing_failed(invoke: Callable[..., Result]) -> None:
    """Where nothing failed the command says of which time it speaks."""
    done = invoke("errors", "toyapp.Mail", "--queue", "mail", TOY_EMPTY="1")

    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        "only the newest 1 failures were looked at",
        "nothing failed in the last 24h",
    ]
