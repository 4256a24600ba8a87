"""How commands end: a code that a script can ask for, a line that a person can read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_ops_toys import PATIENCE_S, arqlite_command, environment, run
from click.testing import Result

COMMANDS = [
    ("queues", "toyapp.Mail"), ("jobs", "toyapp.Mail"), ("job", "toyapp.Mail", "job1"),
    ("workers", "toyapp.Mail"), ("errors", "toyapp.Mail"), ("cron", "toyapp.Mail"),
    ("cron", "run", "toyapp.Mail", "nightly"), ("top", "toyapp.Mail", "--once"),
    ("retry", "toyapp.Mail", "state:discarded", "--yes"), ("pause", "toyapp.Mail", "mail"),
    ("resume", "toyapp.Mail", "mail"), ("drain", "toyapp.Mail", "mail"), ("scale", "toyapp.Mail", "mail=2"),
    ("doctor", "toyapp.Mail"),
]  # fmt: skip
FINDERS = [
    ("jobs", "toyapp.Mail"), ("job", "toyapp.Mail", "job1"), ("workers", "toyapp.Mail"),
    ("errors", "toyapp.Mail"), ("cron", "toyapp.Mail"), ("cron", "run", "toyapp.Mail", "nightly"),
    ("retry", "toyapp.Mail", "state:discarded", "--yes"), ("cancel", "toyapp.Mail", "tag:vip", "--yes"),
    ("delete", "toyapp.Mail", "tag:vip", "--yes"),
]  # fmt: skip


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_redis_away_is_told(invoke: Callable[..., Result], args: tuple[str, ...]) -> None:
    """A Redis that is away ends each command with 4 and one line."""
    done = invoke(*args, TOY_AWAY="1")

    assert done.exit_code == 4
    assert done.stdout == ""
    assert done.stderr.startswith("Error: Redis cannot be reached (ConnectionError: Error 111")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("args", FINDERS, ids=" ".join)
def test_nothing_matched(invoke: Callable[..., Result], args: tuple[str, ...]) -> None:
    """Where there is nothing to tell or to do the code is 3, and that is no `Error:`."""
    done = invoke(*args, TOY_EMPTY="1")

    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr
    assert "Error:" not in done.stderr


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_all_commands_speak_json(invoke: Callable[..., Result], args: tuple[str, ...]) -> None:
    """With `-o json` the result of each command is one JSON text on stdout."""
    done = invoke(*args, "-o", "json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)


@pytest.mark.parametrize("args", COMMANDS[1:9], ids=" ".join)
def test_jobs_cannot_steer_the_terminal(invoke: Callable[..., Result], args: tuple[str, ...]) -> None:
    """Escape sequences in arguments and errors are shown, and not obeyed."""
    done = invoke(*args)

    assert "\x1b" not in done.output
    assert "\x07" not in done.output


def test_bad_filter_is_told(project: Path) -> None:
    """A filter that cannot be read ends with 2, and says what is near."""
    done = run(project, "jobs", "toyapp.Mail", "state:discrded")

    assert done.returncode == 2
    assert "there is no state 'discrded'; did you mean 'discarded'?" in done.stderr


def test_unknown_queue_is_told(project: Path) -> None:
    """A queue that is not there ends with 2, and says what is near."""
    done = run(project, "pause", "toyapp.Mail", "mial")

    assert (done.returncode, done.stderr) == (2, "Error: there is no queue 'mial'; did you mean 'mail'?\n")


def test_reader_that_leaves_is_no_traceback(project: Path) -> None:
    """Where nobody reads any more, as behind `| head`, the command ends quietly."""
    with subprocess.Popen(
        arqlite_command("config", "show", "--all", "toyapp.Mail"), cwd=project, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        process.wait(PATIENCE_S)

    assert "Traceback" not in said
