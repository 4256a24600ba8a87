"""The display: lines that move in a terminal, one line per event anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from app.demo.client import Accepted
from app.demo.display import LiveDisplay, PlainDisplay, make_display
from app.demo.following import FollowedJob

MakeConsole = Callable[..., Console]


@pytest.mark.parametrize(
    ("is_terminal", "environment", "kind"),
    [
        (True, {}, LiveDisplay),
        (True, {"NO_COLOR": "1"}, PlainDisplay),
        (True, {"CI": "true"}, PlainDisplay),
        (True, {"NO_COLOR": "", "CI": ""}, LiveDisplay),
        (False, {}, PlainDisplay),
    ],
)
def test_only_a_willing_terminal_gets_moving_lines(
    make_console: MakeConsole, is_terminal: bool, environment: dict[str, str], kind: type
) -> None:
    """A pipe, NO_COLOR and CI get plain lines."""
    assert type(make_display(make_console(is_terminal=is_terminal), environment)) is kind


def test_plain_lines_tell_each_change_once(make_console: MakeConsole) -> None:
    """A job that is looked at ten times in a state is told of once."""
    console = make_console()
    display = PlainDisplay(console)
    job = _job("QUEUED")

    display.show([job])
    for _ in range(10):
        job.seen = {"status": "RUNNING"}
        display.show([job])
    job.seen = {"status": "SUCCESS", "duration_ms": 412}
    display.show([job])

    assert _printed(console).split("\n") == [
        "  EMAIL_FETCH       email  QUEUED",
        "  EMAIL_FETCH       email  RUNNING",
        "  EMAIL_FETCH       email  SUCCESS in 0.41 s",
        "",
    ]


def test_live_display_shows_how_far_a_job_is(make_console: MakeConsole) -> None:
    """A running job shows what is done of how much."""
    console = make_console(is_terminal=True)
    display = LiveDisplay(console)
    job = _job("RUNNING")
    job.done, job.total = 40, 136

    display.show([job])
    display.close()

    assert "40/136 e-mails" in _printed(console)


def test_live_display_leaves_only_what_stays(make_console: MakeConsole) -> None:
    """The moving lines are erased at the end, a part that is up stays, and closing twice is harmless."""
    console = make_console(is_terminal=True)
    display = LiveDisplay(console)

    display.begin("starting the API")
    display.ready("API", "http://127.0.0.1:8000", 1.5)
    display.close()
    display.close()

    printed = _printed(console)
    assert "http://127.0.0.1:8000" in printed
    assert printed.rindex("\x1b[2K") > printed.rindex("API")


def _job(status: str, **seen: Any) -> FollowedJob:
    return FollowedJob(
        title="EMAIL_FETCH", queue="email", accepted=Accepted("1", "/1"), seen={"status": status, **seen}
    )


def _printed(console: Console) -> str:
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # the fixture's file is a StringIO
