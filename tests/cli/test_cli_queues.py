"""`arqlite queues`, `workers`, and what is done to queues."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cli_ops_toys import run, terminal
from click.testing import Result

from arqlite.cli.hints import ADVICE
from arqlite.cli.queues import NAMES, rows
from arqlite.console import QueueState, WorkerInfo


def noted(project: Path) -> list[str]:
    return (project / "notes").read_text().splitlines()


def test_queues_are_listed(project: Path) -> None:
    """A queue is told with what waits, runs and limits it."""
    done = run(project, "queues", "toyapp.Mail")

    assert done.returncode == 0
    assert done.stdout.splitlines()[1].split() == [
        "mail", "paused", "1,234", "2/7", "0", "0", "0", "90s", "1", "7", "each,", "20", "in", "all,", "3",
        "of", "100", "per", "60", "s",
    ]  # fmt: skip


def test_queue_whose_workers_are_paused() -> None:
    """Of workers that are all paused it is said that nothing can run, and of none nothing at all."""
    worker = WorkerInfo(queue="q", session="s", node="n", pid=1, limit=7, is_paused=True)
    paused = QueueState(key="q", name="q", server="x", executing=2, workers=(worker,))

    running = [row[NAMES.index("running")] for row in rows([paused, replace(paused, workers=())])]

    assert running == ["2/0", "2"]


def test_queue_out_of_reach(invoke: Callable[..., Result]) -> None:
    """One Redis that is away hides no other queue; the code tells of it."""
    done = invoke("queues", "toyapp.Mail", "toyapp.Pictures", TOY_HALF_AWAY="1")

    assert done.exit_code == 4
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["mail", "paused"],
        ["pictures", "error"],
    ]
    away = "error: pictures at redis.example:6380/3 cannot be reached: ConnectionError"
    assert done.stderr == f"{away}; {ADVICE}\n"


def test_queue_out_of_reach_has_no_numbers(invoke: Callable[..., Result]) -> None:
    """Of a queue that could not be asked no number is told: zero would be a lie."""
    done = invoke("queues", "toyapp.Pictures", TOY_HALF_AWAY="1")

    assert done.stdout.splitlines()[1].split() == ["pictures", "error", *"--------"]


@pytest.mark.parametrize("command", [("queues",), ("top", "--once")], ids=" ".join)
def test_json_of_queue_out_of_reach(invoke: Callable[..., Result], command: tuple[str, ...]) -> None:
    """In JSON the numbers of a queue that could not be asked are null; those of others are there."""
    settings = {"ARQLITE_SETTINGS": "toyapp.Mail toyapp.Pictures"}
    told = json.loads(invoke(*command, "-o", "json", TOY_HALF_AWAY="1", **settings).stdout)
    mail, pictures = told["queues"] if isinstance(told, dict) else told

    assert (mail["available"], mail["executing"]) == (1234, 2)
    assert {
        pictures[name] for name in ("available", "executing", "scheduled", "retryable", "suspended", "slots")
    } == {None}


def test_queues_in_a_terminal(project: Path) -> None:
    """In a narrow terminal the name of a queue is told in full."""
    with terminal(project, "queues", "toyapp.Mail", COLUMNS="60") as shell:
        assert shell.ended() == 0

    assert "mail" in shell.plain


def test_workers_are_listed(project: Path) -> None:
    """A worker is told with what it does, and which one leads."""
    done = run(project, "workers", "toyapp.Mail")

    assert done.returncode == 0
    assert "web-1   77  mail   executing, leads      1/7  3h ago   81.0 MB       2ms" in done.stdout


def test_no_worker_says_what_to_do(invoke: Callable[..., Result]) -> None:
    """Where none is alive the command says what that means, and how to start one."""
    done = invoke("workers", "toyapp.Mail", TOY_EMPTY="1")

    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        "error: no worker is alive (mail); start one",
        "no worker is alive; arqlite app.worker.WorkerSettings starts one",
    ]


@pytest.mark.parametrize(
    ("args", "note", "told"),
    [
        (("pause", "mail"), "pause mail None by True", "paused mail"),
        (("resume", "mail", "--node", "web-1"), "resume mail web-1", "resumed mail on web-1"),
        (("drain", "mail"), "drain mail None", "drained mail"),
        (("scale", "mail=20"), "scale mail None {'limit': 20}", "scaled mail: limit 20"),
        (
            ("scale", "mail=default", "--node", "web-1"),
            "scale mail web-1 {'limit': None}",
            "scaled mail on web-1: limit as the settings say",
        ),
        (
            ("scale", "mail", "--global", "none", "--rate", "5/10s"),
            "scale mail None {'global_limit': inf, 'rate_limit': (5, 10.0)}",
            "scaled mail: global_limit none, rate_limit 5 in 10s",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_queue_is_steered(project: Path, args: tuple[str, ...], note: str, told: str) -> None:
    """What is asked for is done, in the name of who asks, and told."""
    done = run(project, args[0], "toyapp.Mail", *args[1:], TOY_NOTES=str(project / "notes"))

    assert (done.returncode, done.stdout) == (0, f"{told}\n")
    assert noted(project) == [note]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("mail",), "it is written as QUEUE=N, got 'mail'"),
        (("mail=many",), "a limit is a whole number, default or none, got 'many'"),
        (("mail=2", "--rate", "fast"), "a rate is written as 100/m or 5/10s, got 'fast'"),
    ],
)
def test_scale_says_how_it_is_written(
    invoke: Callable[..., Result], args: tuple[str, ...], message: str
) -> None:
    """A limit that cannot be read ends with 2, and says how one is written."""
    done = invoke("scale", "toyapp.Mail", *args)

    assert done.exit_code == 2
    assert message in done.stderr


def test_scale_as_json_has_no_infinity(invoke: Callable[..., Result]) -> None:
    """JSON has limits as they are typed."""
    done = invoke("scale", "toyapp.Mail", "mail=default", "--global", "none", "-o", "json")

    assert json.loads(done.stdout) == [
        {"queue": "mail", "node": None, "limit": "default", "global_limit": "none"}
    ]


def test_drained_queue_is_told_to_be_paused(invoke: Callable[..., Result]) -> None:
    """Who drained a queue hears that it stays paused, and what ends that."""
    done = invoke("drain", "toyapp.Mail", "mail")

    assert (done.stdout, done.stderr) == ("drained mail\n", "mail stays paused until arqlite resume mail\n")


def test_drain_names_what_runs_still(invoke: Callable[..., Result]) -> None:
    """When the time is up the jobs that run are named, and the code is 1."""
    done = invoke("drain", "toyapp.Mail", "mail", "--timeout", "1s")

    assert (done.exit_code, done.stdout) == (1, "runs still mail: job9\n")
    assert "1 job had not ended; the queue stays paused" in done.stderr
