"""`arqlite top`: once for pipes, live for people."""

from __future__ import annotations

import io
import json
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_ops_toys import run, terminal
from rich.console import Console as Rich

from arqlite.cli.top import frame
from arqlite.console import Overview, QueueState


def test_one_frame_without_a_terminal(project: Path) -> None:
    """Without a terminal it looks once, and ends."""
    done = run(project, "top", "toyapp.Mail")

    assert done.returncode == 0
    assert "ready 12  running 2  failed 5 in 24h  oldest waits 90s" in done.stdout
    assert "error: no worker is alive (mail); start one" in done.stdout
    assert "ValueError: no such address" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("errors", "changes", "told"),
    [
        (["", "refused"], {"now_is_exact": False},
         "ready at least 12  running at least 2  failed 5 in 24h  oldest waits at least 90s"),
        ([""], {"past_is_exact": False}, "ready 12  running 2  failed at least 5 in 24h  oldest waits 90s"),
        (["refused"], {"now_is_exact": False, "failed": None, "oldest": None}, "ready -  running -"),
    ],
    ids=["a queue", "a ledger", "everything"],
)  # fmt: skip
def test_headline_where_something_is_away(errors: list[str], changes: dict[str, Any], told: str) -> None:
    """Numbers that lack those of a queue or ledger that is away are not told as if they were all."""
    queues = [QueueState(key="q", name="q", server="x", error=error) for error in errors]
    seen = Overview(
        ready=12, running=2, failed=5, oldest=timedelta(seconds=90), points=(), queues=queues, errors=(),
        troubles=(),
    )  # fmt: skip
    shown = io.StringIO()

    Rich(file=shown, width=200).print(frame(replace(seen, **changes), 200))

    assert shown.getvalue().splitlines()[0].partition("  ")[2] == told


def test_q_ends_it(project: Path) -> None:
    """In a terminal it goes on until somebody presses q, and leaves the terminal as it was."""
    with terminal(project, "top", "toyapp.Mail", "--interval", "0.2") as shell:
        shell.wait_for("oldest waits 90s")
        shell.type("q")
        assert shell.ended() == 0

    assert shell.said.count("\x1b[?1049h") == shell.said.count("\x1b[?1049l") == 1


def test_interrupt_ends_it(project: Path) -> None:
    """Ctrl-C is a way to end it, and no failure."""
    with terminal(project, "top", "toyapp.Mail", "--interval", "60") as shell:
        shell.wait_for("oldest waits 90s")
        shell.process.send_signal(signal.SIGINT)
        assert shell.ended() == 0

    assert "Traceback" not in shell.plain


def test_once_in_a_terminal(project: Path) -> None:
    """With `--once` it looks once, in colours."""
    with terminal(project, "top", "toyapp.Mail", "--once") as shell:
        assert shell.ended() == 0

    assert "\x1b[?1049h" not in shell.said
    assert "oldest waits 90s" in shell.plain


def test_overview_as_json(project: Path) -> None:
    """JSON is one look."""
    done = run(project, "top", "toyapp.Mail", "-o", "json")

    assert json.loads(done.stdout)["ready"] == 12
