"""The examples of the docs, run as a reader runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PATIENCE_S = 30.0


@pytest.mark.real
def test_quickstart(tmp_path: Path) -> None:
    """A worker in one terminal, the client in another: the result arrives, and Ctrl-C ends the worker."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "arqlite", "quickstart.WorkerSettings"],
        cwd=EXAMPLES,
        env=_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = _run("quickstart.py", EXAMPLES, tmp_path)
    finally:
        worker.send_signal(signal.SIGINT)
        _, log = worker.communicate(timeout=PATIENCE_S)

    assert said == "hello, Ada, at the second try\n"
    assert "greet('Ada') try=2" in log
    assert worker.returncode == 0


@pytest.mark.real
def test_two_queues(tmp_path: Path) -> None:
    """One program with two workers: each says which queue it is about, and Ctrl-C ends both."""
    with_log = (
        "import logging, runpy; logging.basicConfig(level='INFO');"
        "runpy.run_path('two_queues.py', run_name='__main__')"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", with_log],
        cwd=EXAMPLES,
        env=_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    waited_for = {"[pictures] Starting worker", "[mail] Starting worker"}
    assert program.stderr is not None
    try:
        while waited_for and (line := program.stderr.readline()):
            waited_for -= {words for words in waited_for if words in line}
    finally:
        program.send_signal(signal.SIGINT)
        _, log = program.communicate(timeout=PATIENCE_S)

    assert waited_for == set()
    assert log.count("shutdown on SIGINT") == 2
    assert program.returncode == 0


def test_ledger(tmp_path: Path) -> None:
    """The ledger's page as a program leaves a row that tells how its job ended."""
    assert _run("ledger.py", tmp_path, tmp_path) == "IMPORT SUCCESS {'imported': 3}\n"


def test_crons(tmp_path: Path) -> None:
    """The page of cron jobs as a program tells when they run next."""
    assert _run("crons.py", EXAMPLES, tmp_path).splitlines() == [
        "cron:send_reports 2024-04-01 09:00:00+02:00",
        "cron:fetch_mail 2024-04-01 09:00:00+00:00",
        "cron:warm_cache None",
        "backup 2024-03-30 02:30:00+01:00",
        "poll 2024-03-29 17:56:20+00:00",
    ]


def _run(example: str, cwd: Path, home: Path) -> str:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / example)],
        cwd=cwd,
        env=_environment(home),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    ).stdout


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "ARQLITE_ENV")}
    return kept | {"ARQLITE_HOME": str(home), "ARQLITE_EMBEDDED": "force"}
