"""`arqlite errors`: failures by what they have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_ops_toys import FakeConsole, run, terminal
from click.testing import Result

from arqlite.console import ErrorGroups, Trouble


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
    """Where there are no failures the command says so, and of which time; a try that failed may have been."""
    done = invoke("errors", "toyapp.Mail", "--queue", "mail", TOY_EMPTY="1")

    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        "only the newest failure was looked at",
        "no job is failed or waiting for a retry (in the last 24h)",
    ]


@pytest.mark.parametrize(
    ("looked_at", "said"), [(0, ""), (20_000, "only the newest 20,000 failures were looked at\n")]
)
def test_part_is_told(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, looked_at: int, said: str
) -> None:
    """Where not all was looked at the command says how much; none is no part."""

    async def errors(console: FakeConsole, **_: object) -> ErrorGroups:
        return ErrorGroups([], looked_at, are_all=False)

    monkeypatch.setattr(FakeConsole, "errors", errors)

    told = "no job is failed or waiting for a retry (in the last 24h)\n"
    assert invoke("errors", "toyapp.Mail").stderr == said + told


def test_ledger_that_is_away_is_told(invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ledger is away nobody knows that nothing failed: the command says so, and ends with 4."""
    away = Trouble("error", "ledger-away", "the ledger at sqlite:///jobs.db is away", "start its database")

    async def errors(console: FakeConsole, **_: object) -> ErrorGroups:
        return ErrorGroups([], 0, are_all=True, troubles=(away,))

    monkeypatch.setattr(FakeConsole, "errors", errors)
    done = invoke("errors", "toyapp.Mail")

    assert done.exit_code == 4
    assert done.stderr == "error: the ledger at sqlite:///jobs.db is away; start its database\n"


def test_queue_that_is_away_is_told_once(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that is away is told once, though both the queue and the question tell of it."""
    away = Trouble("error", "redis-away", "the Redis of queue pictures does not answer", queue="pictures")

    async def errors(console: FakeConsole, **_: object) -> ErrorGroups:
        return ErrorGroups([], 0, are_all=True, troubles=(away,))

    monkeypatch.setattr(FakeConsole, "errors", errors)
    done = invoke("errors", "toyapp.Pictures", TOY_HALF_AWAY="1")

    assert (done.exit_code, done.stderr.count("\n")) == (4, 1)
