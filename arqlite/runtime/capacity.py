"""How many more jobs of each function a worker may start; what it has no room for is held."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ..engine import Room
from ..model.functions import Function
from .run import Run

_CPU_POOL = "cpu"
_LONGEST_REACH = 100


class Capacity:
    """Counts the runs of functions with a limit. A worker without any pays for nothing of this.

    A hold has the name of its function. Other workers may have put jobs there although this one has no
    limit for that function; then it takes them like any others.

    Args:
        functions: what the worker can run, by name.
        max_jobs: how many jobs it runs at once; a function may have as many anyhow.
        cpu_processes: how many processes all `cpu` functions share.

    Attributes:
        has_limits: whether any function may have fewer jobs than the worker.
    """

    def __init__(self, functions: Mapping[str, Function], max_jobs: int, cpu_processes: int) -> None:
        self._functions = functions
        self._max_jobs = max_jobs
        self._cpu_processes = cpu_processes
        self._limits: dict[str, int] = {}
        self._cpu: set[str] = set()
        self._runs: dict[str, set[Run]] = {}
        self._cpu_runs: set[Run] = set()
        self._held: list[str] = []
        self._offered: dict[str, int] = {}
        self._limited_elsewhere: set[str] = set()
        self._claimed = self._refused = 0
        self.has_limits = False
        self.resize(max_jobs, ())

    def resize(self, max_jobs: int, runs: Iterable[Run]) -> None:
        """The worker runs so many jobs at once from now on; `runs` are those it has."""
        self._max_jobs = max_jobs
        is_cpu_short = self._cpu_processes < max_jobs
        self._limits = {
            name: function.max_jobs
            for name, function in self._functions.items()
            if function.max_jobs is not None and function.max_jobs < max_jobs
        }
        self._cpu = {name for name, function in self._functions.items() if function.cpu and is_cpu_short}
        self._runs = {name: set() for name in {*self._limits, *self._cpu}}
        self._cpu_runs = set()
        self.has_limits = bool(self._runs)
        for run in runs:
            self._count(run)

    @property
    def wants_more(self) -> bool:
        """Whether there is room for a job that is held."""
        return any(self.room(name) > 0 for name in self._held)

    def room(self, name: str) -> int:
        """How many more jobs of a function may start."""
        room = self._max_jobs
        if name in self._limits:
            room = self._limits[name] - len(self._runs[name])
        if name in self._cpu:
            room = min(room, self._cpu_processes - len(self._cpu_runs))
        return room

    def reach(self, want: int) -> int:
        """Tell how many jobs to claim, so that `want` can start.

        Where all of the last turn had to be held, there may be thousands of them before the first that can
        start: it is looked for in ever larger steps. A few jobs behind it are claimed in vain then.
        """
        steps = 2 * self._claimed if self._claimed and self._refused == self._claimed else 0
        self._claimed = self._refused = 0
        return max(want, min(steps, _LONGEST_REACH)) if want > 0 else want

    def rooms(self) -> Sequence[Room] | None:
        """Tell what the next turn may take out of holds; None without a limit and without holds."""
        if not self._runs and not self._held:
            return None
        cpu_left = self._cpu_processes - len(self._cpu_runs)
        self._offered = {name: self.room(name) for name in self._held}
        return [
            Room(name, most, _CPU_POOL, cpu_left) if name in self._cpu else Room(name, most)
            for name, most in self._offered.items()
        ]

    def hear(self, holds: Sequence[bytes]) -> None:
        """Take in which holds there are after a turn; what came with the turn is judged by it."""
        if not holds and not self._held:
            return
        names = (name.decode(errors="replace") for name in holds)
        self._held = [name for name in names if name in self._functions]
        self._limited_elsewhere.update(name for name in self._held if name not in self._runs)

    def holds_to_wait_for(self) -> Collection[str] | None:
        """Name the holds that an idle worker wants to be woken for; None if it need not know of any."""
        if not self._runs and not self._limited_elsewhere:
            return None
        return [name for name in (*self._runs, *self._limited_elsewhere) if self.room(name) > 0]

    def admits(self, run: Run) -> bool:
        """Tell whether a job that was just claimed may start, and count it if so."""
        name = run.function
        self._claimed += 1
        if name not in self._runs:
            return True
        is_its_turn = self._comes_in_order(name)
        if not is_its_turn or self.room(name) <= 0:
            self._refused += 1
            return False
        self._count(run)
        return True

    def hold_of(self, run: Run) -> str:
        """Name the hold of a job that has no room or no slot here; empty if its function has no limit."""
        return run.function if run.function in self._runs else ""

    def pass_over(self, name: str) -> None:
        """A job of this function was claimed, and does not start for other reasons."""
        self._comes_in_order(name)

    def release(self, run: Run) -> None:
        """A job ended, or was given back."""
        runs = self._runs.get(run.function)
        if runs is not None:
            runs.discard(run)
            self._cpu_runs.discard(run)

    def _count(self, run: Run) -> None:
        if run.function in self._runs:
            self._runs[run.function].add(run)
            if run.function in self._cpu:
                self._cpu_runs.add(run)

    def _comes_in_order(self, name: str) -> bool:
        # A turn brings the eldest jobs first, but no more held ones than were asked for. Room that came
        # while it was under way belongs to those that are held still.
        if name not in self._held:
            return True
        left = self._offered.get(name, 0)
        self._offered[name] = left - 1
        return left > 0
