"""What ran, written down so that no kill can lose it: one appended line per event.

A write of one short line to a file opened with O_APPEND is all or nothing, and the page cache outlives
the process. `time.monotonic` is one clock for all processes of the machine.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRACE_VARIABLE = "CHAOS_TRACE"


@dataclass
class Run:
    """One execution of a job.

    Attributes:
        run: its own name; the job returns it, so a stored result tells whose end was accepted.
        job_id, pid, job_try: which job, in which process, as which start.
        started, ended: on the machine's monotonic clock; `ended` is None when it never returned.
        cancelled: when it was cancelled, None if it was not.
        reason: why it was cancelled, "-" if it was not.
    """

    run: str
    job_id: str
    pid: int
    job_try: int
    started: float
    ended: float | None = None
    cancelled: float | None = None
    reason: str = "-"


class Recorder:
    """Writes the lines of one process."""

    def __init__(self) -> None:
        self._file: int | None = None

    def write(self, *words: object) -> None:
        """Append one line."""
        if self._file is None:
            self._file = os.open(os.environ[TRACE_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


recorder = Recorder()


@contextmanager
def recorded(ctx: dict[Any, Any]) -> Iterator[str]:
    """Record the start and the end of a job, and a cancellation if it leaves the block by one."""
    from asyncio import CancelledError

    from arqlite.model.context import current_job

    run = os.urandom(6).hex()
    recorder.write("start", run, time.monotonic(), ctx["job_id"], os.getpid(), ctx["job_try"])
    try:
        yield run
    except CancelledError:
        job = current_job()
        recorder.write("cancel", run, time.monotonic(), job.cancel_reason if job else "-")
        raise
    recorder.write("end", run, time.monotonic())


class Trace:
    """The recorded runs, read back.

    Args:
        path: the file that the jobs append to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def runs(self) -> list[Run]:
        """Every run so far, by its start."""
        runs: dict[str, Run] = {}
        for line in self.path.read_text().splitlines():
            event, run, at, *rest = line.split()
            if event == "start":
                runs[run] = Run(run, rest[0], int(rest[1]), int(rest[2]), float(at))
            elif event == "end":
                runs[run].ended = float(at)
            else:
                runs[run].cancelled, runs[run].reason = float(at), rest[0]
        return sorted(runs.values(), key=lambda run: run.started)

    def by_job(self) -> dict[str, list[Run]]:
        """The runs of each job, by their start."""
        jobs: dict[str, list[Run]] = defaultdict(list)
        for run in self.runs():
            jobs[run.job_id].append(run)
        return jobs

    def of(self, job_id: str) -> list[Run]:
        """The runs of one job, by their start."""
        return self.by_job().get(job_id, [])

    def finished(self) -> set[str]:
        """The jobs that returned at least once."""
        return {run.job_id for run in self.runs() if run.ended is not None}
