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


def test_ledger(tmp_path: Path) -> None:
    """The ledger's page as a program leaves a row that tells how its job ended."""
    assert _run("ledger.py", tmp_path, tmp_path) == "IMPORT SUCCESS {'imported': 3}\n"


@pytest.mark.real
def test_bridge(tmp_path: Path) -> None:
    """A job enqueued as arq does runs in the worker with the bridge; its result is where arq looks."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "arqlite", "bridge.WorkerSettings"],
        cwd=EXAMPLES,
        env=_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = subprocess.run(
            [sys.executable, "-c", _PRODUCER_OF_ARQ],
            env=_environment(tmp_path), stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=True,
        ).stdout  # fmt: skip
    finally:
        worker.send_signal(signal.SIGINT)
        _, log = worker.communicate(timeout=PATIENCE_S)

    assert said == "hello, Ada\n"
    assert "took 1 jobs over from arq's queue arq:queue" in log


# What arq's `enqueue_job` and `Job.result` do, for a test that has no arq.
_PRODUCER_OF_ARQ = """
import pickle, time
import redis
from arqlite.embedded import EmbeddedServer

server = EmbeddedServer.ensure()
with redis.from_url(server.url()) as client:
    now = int(time.time() * 1000)
    body = pickle.dumps({"t": None, "f": "greet", "a": ("Ada",), "k": {}, "et": now})
    client.psetex("arq:job:a", 86_400_000, body)
    client.zadd("arq:queue", {"a": now})
    while not (result := client.get("arq:result:a")):
        assert client.zscore("arq:queue", "a") is not None
        time.sleep(0.05)
    print(pickle.loads(result)["r"])
server.release()
"""


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
