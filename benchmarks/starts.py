"""``python -m benchmarks.starts``: how long the command line and the import of arqlite take from nothing.

Each of them is a fresh process, as where somebody types a command or an application starts, and beside them
starts an interpreter that does nothing: what it takes is in both figures, and arqlite cannot change it. The
three take turns, so that a slow moment of the machine is in all of them. The first start of each is not
counted: it may have to compile what it imports. The median is held against the bar.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .processes import ROOT
from .stats import Spread, spread


@dataclass(frozen=True)
class Start:
    """What is started.

    Attributes:
        text: what it is called.
        arguments: those of the interpreter.
        bar_ms: the bar, in milliseconds; None for what is only there to be compared with.
    """

    text: str
    arguments: tuple[str, ...]
    bar_ms: float | None = None


STARTS = (
    Start("python -c pass", ("-c", "pass")),
    Start("import arqlite", ("-c", "import arqlite"), 150),
    Start("arqlite --help", ("-m", "arqlite", "--help"), 200),
)


def main() -> None:
    """Read the command line, measure, and say whether the bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each, after one that is not counted")
    raise SystemExit(measure(parser.parse_args().runs))


def measure(runs: int) -> int:
    """Print the figures; 1 when a bar was missed."""
    took: dict[Start, list[float]] = {start: [] for start in STARTS}
    for start in STARTS:
        once(start)
    for _ in range(runs):
        for start, times in took.items():
            times.append(once(start))
    figures = {start: spread(times) for start, times in took.items()}
    for start, figure in figures.items():
        print(line(start, figure))
    return 0 if all(has_held(start, figure) for start, figure in figures.items()) else 1


def once(start: Start) -> float:
    """Start it, wait for its end, and tell how many milliseconds that took.

    Raises:
        CalledProcessError: it failed.
    """
    command: Sequence[str] = (sys.executable, *start.arguments)
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def has_held(start: Start, figure: Spread) -> bool:
    """Whether the median is within the bar, if there is one."""
    return start.bar_ms is None or figure.median <= start.bar_ms


def line(start: Start, figure: Spread) -> str:
    """Write the verdict, the figure and the bar."""
    told = f"{start.text:16}median {figure.median:6.1f} ms, longest {figure.high:6.1f} ms"
    if start.bar_ms is None:
        return f"      {told}"
    return f"{'PASS' if has_held(start, figure) else 'FAIL'}  {told} (bar: {start.bar_ms:.0f} ms)"


if __name__ == "__main__":
    main()
