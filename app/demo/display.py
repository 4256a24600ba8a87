"""What the person sees while it happens: a live display in a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from app.demo.following import FollowedJob
from app.demo.words import STYLES, icon, outcome, span

_FRAMES_PER_SECOND = 12
_BAR_WIDTH = 24


class Display(Protocol):
    """Where the demo tells how far it is."""

    def begin(self, what: str) -> None:
        """Something takes a moment."""

    def ready(self, name: str, detail: str, seconds: float | None) -> None:
        """A part is up."""

    def show(self, jobs: Sequence[FollowedJob]) -> None:
        """The jobs were looked at."""

    def close(self) -> None:
        """Nothing more will happen; may be called twice."""


def make_display(console: Console, environment: Mapping[str, str] = os.environ) -> Display:
    """The live display for a terminal that can, unless NO_COLOR or CI ask for plain lines."""
    wants_plain = bool(environment.get("NO_COLOR")) or bool(environment.get("CI"))
    if console.is_terminal and not console.is_dumb_terminal and not wants_plain:
        return LiveDisplay(console)
    return PlainDisplay(console)


class PlainDisplay:
    """One line for each thing that happened."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, str] = {}

    def begin(self, what: str) -> None:
        """Say nothing: what is ready says so itself."""

    def ready(self, name: str, detail: str, seconds: float | None) -> None:
        """A part is up."""
        self._console.print(part_line(name, detail, seconds))

    def show(self, jobs: Sequence[FollowedJob]) -> None:
        """A line for each change of state."""
        for job in jobs:
            if self._told.get(job.accepted.job_id) != job.status:
                self._told[job.accepted.job_id] = job.status
                line = f"  {job.title:<17} {job.queue:<6} {job.status}"
                self._console.print(
                    line if job.is_open else f"{line} in {span(job.seconds)}", highlight=False
                )

    def close(self) -> None:
        """Nothing is left to do."""


class LiveDisplay:
    """Lines that stay for what is ready, and below them lines that move for what is not."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._jobs: Sequence[FollowedJob] = ()
        self._spinner = Spinner("dots", style="cyan")
        self._job_spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
        )

    def begin(self, what: str) -> None:
        """Something takes a moment."""
        self._what = what
        self._live.start()

    def ready(self, name: str, detail: str, seconds: float | None) -> None:
        """A part is up."""
        self._what = ""
        self._console.print(part_line(name, detail, seconds))

    def show(self, jobs: Sequence[FollowedJob]) -> None:
        """Draw them from now on."""
        self._what = ""
        self._jobs = jobs
        self._live.start()

    def close(self) -> None:
        """Give the terminal back; what moved disappears."""
        self._live.stop()

    def _render(self) -> RenderableType:
        if self._jobs:
            return Group(Text(), _jobs_in_motion(self._jobs, self._job_spinner))
        if not self._what:
            return Text()
        self._spinner.update(text=Text(self._what, style="dim"))
        return Padding(self._spinner, (0, 0, 0, 2))


def part_line(name: str, detail: str, seconds: float | None) -> Text:
    """A part that is up: its name, what there is to know, how long it took if that is known."""
    line = Text("  ")
    line.append(f"{name:<13} ", style="bold")
    line.append(f"{detail:<44} ")
    if seconds is not None:
        line.append(f"ready in {span(seconds)}", style="dim")
    return line


def _jobs_in_motion(jobs: Sequence[FollowedJob], spinner: Spinner) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=3, justify="right")
    for _ in range(5):
        grid.add_column(no_wrap=True)
    for job in jobs:
        grid.add_row(
            spinner if job.is_open else icon(job),
            Text(f"{job.title:<16}", style="bold"),
            Text(job.queue, style="dim"),
            Text(f"{job.status:<9}", style=STYLES[job.status]),
            _bar(job),
            Text(_progress(job), style="dim"),
        )
    return grid


def _bar(job: FollowedJob) -> RenderableType:
    if not job.is_open:
        return ProgressBar(total=1, completed=1, width=_BAR_WIDTH)
    if job.total is None:
        return ProgressBar(total=1, pulse=True, width=_BAR_WIDTH)
    return ProgressBar(total=max(job.total, 1), completed=job.done or 0, width=_BAR_WIDTH)


def _progress(job: FollowedJob) -> str:
    if not job.is_open:
        return outcome(job)
    if job.done is None:
        return span(job.seconds)
    of_all = f"/{job.total}" if job.total is not None else ""
    return f"{job.done}{of_all} e-mails, {span(job.seconds)}"
