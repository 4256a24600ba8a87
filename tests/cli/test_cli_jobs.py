"""`arqlite jobs` and `arqlite job`: what is listed, and how."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_ops_toys import run, terminal
from click.testing import Result

from arqlite.cli.output import tell_json


def test_jobs_are_listed_in_lines(project: Path) -> None:
    """Without a terminal a job is a line of columns, in full and without colours."""
    done = run(project, "jobs", "toyapp.Mail", "state:discarded", "-n", "10")

    head, *lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert head.split() == ["ID", "STATE", "FUNCTION", "ATTEMPT", "WHEN", "TOOK", "ARGUMENTS", "ERROR"]
    assert [line.split()[0] for line in lines] == ["job1", "job2", "job3"]
    assert "\x1b" not in done.stdout


def test_jobs_in_a_terminal(project: Path) -> None:
    """In a terminal states have colours."""
    with terminal(project, "jobs", "toyapp.Mail") as shell:
        assert shell.ended() == 0

    assert "\x1b[31mdiscarded" in shell.said
    assert "job3" in shell.plain


def test_no_color_gives_plain_lines(project: Path) -> None:
    """NO_COLOR takes the colours, and with them the table, also in a terminal."""
    with terminal(project, "jobs", "toyapp.Mail", NO_COLOR="1") as shell:
        assert shell.ended() == 0

    assert "\x1b" not in shell.said
    assert "ID    STATE" in shell.plain


def test_limit_tells_where_to_go_on(invoke: Callable[..., Result]) -> None:
    """Of more jobs than are asked for the command says how to see the others, and they are the next ones."""
    first = invoke("jobs", "toyapp.Mail", "--limit", "1")
    second = invoke("jobs", "toyapp.Mail", "--limit", "1", "--after", "1")

    assert first.stderr == "there are more: --limit N, or --after 1\n"
    assert "job1" in first.stdout
    assert "job2" in second.stdout


def test_jobs_as_csv(invoke: Callable[..., Result]) -> None:
    """CSV has all columns, and no cell that a spreadsheet would take for a formula."""
    done = invoke("jobs", "toyapp.Mail", "-o", "csv")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["id"] for row in rows] == ["job1", "job2", "job3"]
    assert rows[1]["function"] == "'=SUM(A1)"
    assert rows[0]["duration"] == "60.0"


def test_jobs_as_json(invoke: Callable[..., Result]) -> None:
    """JSON has the jobs and the cursor to go on with; times are ISO 8601, spans seconds."""
    done = invoke("jobs", "toyapp.Mail", "-o", "json", "-n", "2")

    told = json.loads(done.stdout)
    assert told["next"] == "2"
    assert told["jobs"][0]["state"] == "discarded"
    assert told["jobs"][0]["wait"] == 300.0
    assert told["jobs"][0]["enqueued_at"].endswith("+00:00")


def test_json_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever would steer a terminal, or has no bytes, is an escape in JSON, and the same text when read."""
    text = "\x1b[31m \x9b \u202e \ud800 ü"

    tell_json({"text": text})

    told = capsys.readouterr().out
    assert not any(char in told for char in "\x1b\x9b\u202e\ud800")
    assert json.loads(told) == {"text": text}


def test_long_search_says_where_to_go_on(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that takes too long ends with what was found, and is no word that there is nothing."""
    monkeypatch.setattr("arqlite.cli.jobs._LONGEST_LOOK_S", -1)

    done = invoke("jobs", "toyapp.Mail", "tag:rare", TOY_SPARSE="1")

    assert (done.exit_code, done.stderr) == (0, "none yet, and more to look at: --after further\n")


def test_jobs_are_watched(project: Path) -> None:
    """In a terminal `--watch` looks again and again, until q is pressed."""
    with terminal(project, "jobs", "toyapp.Mail", "--watch") as shell:
        shell.wait_for("job3")
        shell.type("q")
        assert shell.ended() == 0

    assert shell.said.count("\x1b[?1049h") == shell.said.count("\x1b[?1049l") == 1


def test_negated_word_is_no_option(invoke: Callable[..., Result]) -> None:
    """A word with a dash before it is a part of the filter, and not `-s`."""
    done = invoke("jobs", "toyapp.Mail", "-state:completed", "-n", "1")

    assert done.exit_code == 0
    assert "job1" in done.stdout


def test_job_is_told_in_full(project: Path) -> None:
    """A job is told with its arguments, its attempts and their errors, and its log."""
    done = run(project, "job", "toyapp.Mail", "job1")

    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert "state     discarded" in lines
    assert 'args      ["ada@example.org"]' in lines
    assert "error     ValueError: no such address" in lines
    assert any(line.startswith("attempt 1: retryable (ERROR) on web-1") for line in lines)
    assert "  12:00 sending" in lines
    assert done.stderr == "some values are not shown: they look like secrets\n"


def test_beginning_of_an_id_that_several_have(invoke: Callable[..., Result]) -> None:
    """Where several jobs begin so, they are named."""
    done = invoke("job", "toyapp.Mail", "nowhere")

    assert done.exit_code == 3
    assert "no job 'nowhere' is known" in done.stderr


def test_job_in_a_terminal(project: Path) -> None:
    """What a job failed with cannot steer the terminal of who looks at it."""
    with terminal(project, "job", "toyapp.Mail", "job1") as shell:
        assert shell.ended() == 0

    assert r"ValueError: no such address\x1b]0;owned\x07" in shell.plain
    assert "\x1b]" not in shell.said
