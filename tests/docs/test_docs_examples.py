"""The examples of the docs, run as a reader runs them."""

from __future__ import annotations

import hashlib
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


def test_ledger(tmp_path: Path) -> None:
    """The ledger's page as a program leaves a row that tells how its job ended."""
    assert _run("ledger.py", tmp_path, tmp_path) == "IMPORT SUCCESS {'imported': 3}\n"


def test_functions(tmp_path: Path) -> None:
    """The page of job functions as a program runs a job of each kind."""
    digest = hashlib.pbkdf2_hmac("sha256", b"Ada", b"salt", 1000).hex()

    assert _run("functions.py", tmp_path, tmp_path) == f"fetched Ada\nconverted Ada\n{digest}\n3\n"


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
