"""`arqlite cron`: when cron jobs come, and what is done to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cli_ops_toys import FakeConsole, run, terminal
from click.testing import Result

from arqlite.console import CronList


def test_crons_are_listed(project: Path) -> None:
    """A cron job is told with its schedule in words."""
    done = run(project, "cron", "toyapp.Mail")

    assert done.returncode == 0
    assert "nightly  mail   30 3 * * * (every day at 03:30)  Europe/Prague  on     never" in done.stdout


def test_next_times(project: Path) -> None:
    """The next times are told in the local zone and in UTC."""
    done = run(project, "cron", "toyapp.Mail", "--next", "3", TZ="America/New_York")

    assert done.stdout.splitlines()[-3:] == [
        "  Thu 2026-11-26 21:30:00 EST  2026-11-27 02:30:00 UTC",
        "  Fri 2026-11-27 21:30:00 EST  2026-11-28 02:30:00 UTC",
        "  Sat 2026-11-28 21:30:00 EST  2026-11-29 02:30:00 UTC",
    ]


def test_next_times_as_json(invoke: Callable[..., Result]) -> None:
    """JSON has the next times, too."""
    done = invoke("cron", "toyapp.Mail", "--next", "2", "-o", "json")

    [nightly] = json.loads(done.stdout)
    assert [text[:16] for text in nightly["coming"]] == ["2026-11-27T02:30", "2026-11-28T02:30"]


def test_cron_is_run_now(project: Path) -> None:
    """A cron job can be run by hand; the id of its job is told."""
    done = run(project, "cron", "run", "toyapp.Mail", "nightly")

    assert (done.returncode, done.stdout) == (0, "mail-nightly-1\n")


def test_cron_in_a_terminal(project: Path) -> None:
    """It is the same in a terminal."""
    with terminal(project, "cron", "pause", "toyapp.Mail", "nightly") as shell:
        assert shell.ended() == 0

    assert "paused nightly" in shell.plain


def test_cron_that_was_resumed_already(invoke: Callable[..., Result]) -> None:
    """Where nothing was to be done the command says so."""
    done = invoke("cron", "resume", "toyapp.Mail", "nightly")

    assert (done.exit_code, done.stdout) == (0, "nightly was resumed already\n")


@pytest.mark.parametrize("name", ["clean", "cron:clean"])
def test_cron_is_found_by_its_function(invoke: Callable[..., Result], name: str) -> None:
    """A cron job that was given no name is called `cron:` and its function; the function will do."""
    done = invoke("cron", "run", "toyapp.Mail", name, TOY_CRON="1")

    assert (done.exit_code, done.stdout) == (0, "mail-cron:clean-1\n")


def test_name_goes_before_function(invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one cron job has the name and another one only its function, the name is meant."""
    seen = FakeConsole.crons

    async def crons(console: FakeConsole) -> CronList:
        [line] = (await seen(console)).crons
        return CronList([replace(line, name="cron:nightly"), line])

    monkeypatch.setattr(FakeConsole, "crons", crons)

    assert invoke("cron", "run", "toyapp.Mail", "nightly").stdout == "mail-nightly-1\n"


def test_slip_of_a_name(invoke: Callable[..., Result]) -> None:
    """A cron job that is not there ends with 3, and the one that is near is named."""
    done = invoke("cron", "run", "toyapp.Mail", "nigtly")

    assert (done.exit_code, done.stderr) == (3, "there is no cron job 'nigtly'; did you mean 'nightly'?\n")


def test_unknown_queue(invoke: Callable[..., Result]) -> None:
    """A queue that is not there is a mistake of its own."""
    done = invoke("cron", "run", "toyapp.Mail", "nightly", "--queue", "mial")

    assert done.exit_code == 2
    assert "there is no queue 'mial'" in done.stderr
