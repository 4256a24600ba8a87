"""Worker processes, started as users start them, and ended as fate ends them."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from chaos_jobs import OPTIONS_VARIABLE, URL_VARIABLE
from chaos_trace import TRACE_VARIABLE
from chaos_wait import until

from arqlite.connections import ArqRedis

_START_S = 20.0


class Fleet:
    """The worker processes of a test.

    Args:
        url: where they find their queue; may be changed for those started later.
        pool: how the test sees that they are there; never through a broken network.
        folder: for their trace and their logs.

    Attributes:
        processes: those started and not yet waited for, by pid.
        killed: when each of the killed ones was killed, by pid, on the monotonic clock.
    """

    def __init__(self, url: str, pool: ArqRedis, folder: Path) -> None:
        self.url = url
        self.pool = pool
        self.folder = folder
        self.trace_path = folder / "trace"
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.killed: dict[int, float] = {}

    def hire(self, **options: Any) -> int:
        """Start a worker and return its pid at once."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])]),
            URL_VARIABLE: self.url,
            OPTIONS_VARIABLE: json.dumps(options),
            TRACE_VARIABLE: str(self.trace_path),
        }
        with (self.folder / f"worker-{len(self.processes) + len(self.killed)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "arqlite", "chaos_jobs.WorkerSettings"],
                env=environment, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.processes[process.pid] = process
        return process.pid

    async def start(self, count: int = 1, **options: Any) -> list[int]:
        """Start workers and wait until each of them holds a lease."""
        pids = [self.hire(**options) for _ in range(count)]
        for pid in pids:
            session = functools.partial(self.session_of, pid)
            await until(session, _START_S, f"worker {pid} at work\n{self.logs()}")
        return pids

    async def session_of(self, pid: int) -> str | None:
        """The newest session of a worker, None if it has none."""
        sessions: Any = await self.pool.zrange("aq:{arq:queue}:live", 0, -1)
        return next((name.decode() for name in sessions if name.decode().split(":")[1] == str(pid)), None)

    def kill(self, pid: int) -> None:
        """End a worker with SIGKILL."""
        self.signal(pid, signal.SIGKILL)
        self.killed[pid] = time.monotonic()
        self.processes.pop(pid).wait()

    def signal(self, pid: int, signum: signal.Signals) -> None:
        """Send a worker a signal."""
        os.kill(pid, signum)

    def is_alive(self, pid: int) -> bool:
        """Whether a worker has not ended."""
        return self.processes[pid].poll() is None

    async def exit_code(self, pid: int, within: float) -> int:
        """Wait for a worker's end and return its exit code."""
        process = self.processes[pid]
        await until(lambda: process.poll() is not None, within, f"worker {pid} ended\n{self.logs()}")
        return int(process.returncode)

    def logs(self) -> str:
        """What all workers said."""
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))

    def dismiss(self) -> None:
        """End those that are left, by their pid."""
        for pid, process in self.processes.items():
            if process.poll() is None:
                os.kill(pid, signal.SIGKILL)
            process.wait()
