"""What the run stood on, and which cores it was given."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path


def cores() -> list[int]:
    """List the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def split_cores() -> tuple[list[int], list[int]]:
    """Give the server the first core and the clients the second; all get everything when there is one."""
    mine = cores()
    if len(mine) < 2 or not hasattr(os, "sched_setaffinity"):
        return mine, mine
    return mine[:1], mine[1:2]


@contextlib.contextmanager
def pinned(to: list[int]) -> Iterator[None]:
    """Run on these for a while: a child started meanwhile inherits them with its first instruction."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_model() -> str:
    """Name the processor as the kernel names it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load() -> float:
    """Tell the load average of the last minute: other work on the machine makes every figure noisier."""
    return os.getloadavg()[0]


def pinning(*, owns_server: bool) -> str:
    """Say which core did what."""
    server, clients = split_cores()
    if server == clients:
        return "none"
    place = f"server on core {server[0]}" if owns_server else "server as it was"
    return f"{place}, clients on core {clients[0]}; producers beside a worker on any core"


def describe() -> dict[str, str]:
    """Say what the figures were made on."""
    return {
        "cpu": cpu_model(),
        "cores": str(len(cores())),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def cpu_s(pid: int) -> float:
    """Tell the processor time of a process and all its children; 0 on systems that do not tell."""
    clock = os.sysconf("SC_CLK_TCK")
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            own, parent, times = _stat(folder)
            if own == pid:
                ticks += sum(times)
            elif parent == pid:
                ticks += sum(times[:2])
    return ticks / clock


def _stat(process: Path) -> tuple[int, int, tuple[int, ...]]:
    """Read a process's id, its parent's, and its ticks: user, system, and both of its children that ended."""
    # The name stands in brackets and may hold anything, brackets too.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return int(process.name), int(fields[1]), tuple(int(ticks) for ticks in fields[11:15])
