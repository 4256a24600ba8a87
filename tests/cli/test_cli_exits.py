"""How commands end: a code that a script can ask for, a line that a person can read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_ops_toys import PATIENCE_S, arqlite_command, environment, run
from click.testing import Result
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import NoPermissionError
from sqlalchemy.exc import OperationalError

from arqlite.cli.exits import Ending, ending_in_words
from arqlite.cli.hints import ADVICE
from arqlite.errors import (
    ConfigurationError,
    InvalidArguments,
    JobNotFound,
    LedgerUnavailable,
    MissingExtra,
)

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
    """A Redis that is away ends each command with 4 and one line, which says what to do."""
    done = invoke(*args, TOY_AWAY="1")

    assert done.exit_code == 4
    assert done.stdout == ""
    assert done.stderr.startswith("Error: Redis cannot be reached (ConnectionError: Error 111")
    assert done.stderr.endswith(f"; {ADVICE}\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "args",
    [
        ("queues",), ("workers",), ("cron",), ("errors",), ("job", "nowhere"), ("jobs", "id:nowhere*"),
        ("top", "--once"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_one_of_several_is_away(invoke: Callable[..., Result], args: tuple[str, ...]) -> None:
    """Where one Redis of several is away the code is 4: that nothing was found there is not known."""
    done = invoke(*args, ARQLITE_SETTINGS="toyapp.Mail toyapp.Pictures", TOY_HALF_AWAY="1")

    assert done.exit_code == 4
    assert "pictures" in done.output


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


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigurationError("max_jobs must be 1"), 2, "max_jobs must be 1"),
        (InvalidArguments("f(): too many", function="f"), 2, "f(): too many"),
        (MissingExtra("The SQL ledger", "ledger"), 1, 'needs extra packages: pip install "arqlite[ledger]"'),
        (JobNotFound("no job a"), 1, "no job a"),
        (LedgerUnavailable("away"), 4, "the ledger is out of reach (away)"),
        (
            OperationalError("SELECT 1", {}, OSError("refused")),
            4,
            "the ledger cannot be used (OperationalError:",
        ),
        (RedisAway("Error 111"), 4, "Redis cannot be reached (ConnectionError: Error 111)"),
        (TimeoutError(), 4, "Redis cannot be reached (TimeoutError)"),
        (NoPermissionError("no permissions"), 4, "Redis lets nobody in like this (NoPermissionError:"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_error_ends_in_words(error: Exception, code: int, said: str) -> None:
    """What a person has to do something about ends with a code and a line."""
    with pytest.raises(Ending) as raised, ending_in_words():
        raise error

    assert raised.value.exit_code == code
    assert said in raised.value.message


@pytest.mark.parametrize("error", [KeyError("a bug"), BrokenPipeError()], ids=["bug", "pipe"])
def test_other_errors_go_on(error: Exception) -> None:
    """A bug keeps its traceback, and that nobody reads any more is for click."""
    with pytest.raises(type(error)), ending_in_words():
        raise error


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


def test_own_class_of_an_error_is_not_told() -> None:
    """A class of the library's own says nothing to people; what it was that failed is in its words."""

    class _Shut(RedisAway):
        pass

    with pytest.raises(Ending) as caught, ending_in_words():
        raise _Shut("ConnectionError: Error 111 connecting to redis.example:6380")

    assert caught.value.message == (
        f"Redis cannot be reached (ConnectionError: Error 111 connecting to redis.example:6380); {ADVICE}"
    )
