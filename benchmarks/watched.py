"""Settings whose queues a dashboard watches, and the dashboard: the command that users start."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO

from arqlite import func

from . import machine
from .processes import ROOT

QUEUES = ("queue-0", "queue-1", "queue-2", "queue-3")
"""The four largest of those that `ledger_rows` writes."""


async def noop(ctx: dict[str, object]) -> None:
    """Do nothing."""


FUNCTIONS = [func(noop, name=name) for name in ("noop", *(f"function_{n}" for n in range(60)))]


def _settings(queue: str) -> type:
    return type("Watched", (), {"functions": FUNCTIONS, "queue_name": queue})


Queue0, Queue1, Queue2, Queue3 = map(_settings, QUEUES)


class Drained:
    """The queue that the drains of the benchmark are of."""

    functions = FUNCTIONS


FOUR = [f"{__name__}.Queue{number}" for number in range(len(QUEUES))]
DRAINED = [f"{__name__}.{Drained.__name__}"]


@contextlib.contextmanager
def shown(
    settings: list[str], redis_url: str, ledger_url: str, cores: list[int]
) -> Iterator[tuple[str, int]]:
    """Run `arqlite dashboard` on a free port; the block has its URL and its pid.

    Raises:
        RuntimeError: it did not start.
    """
    surroundings = {"ARQLITE_REDIS_URL": redis_url, "ARQLITE_LEDGER_URL": ledger_url}
    with machine.pinned(cores):
        process = subprocess.Popen(
            [sys.executable, "-m", "arqlite", "dashboard", *settings, "--port", "0"],
            cwd=ROOT,
            env=os.environ | surroundings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        assert process.stderr is not None
        yield _url_in(process.stderr), process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url_in(lines: IO[str]) -> str:
    told = []
    for line in lines:
        told.append(line)
        if found := re.search(r"http://[\w.]+:\d+", line):
            # Nobody else reads what it says; it must not wait for that.
            threading.Thread(target=lines.read, daemon=True).start()
            return found[0]
    raise RuntimeError("the dashboard did not start: " + "".join(told))
