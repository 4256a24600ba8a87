"""`arqlite top`: queues, workers and failures, live in the terminal."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from .exits import OUT_OF_REACH
from .live import watch
from .operating import AWAY, operate
from .output import output_option, plain, table, tell_json
from .queues import NAMES, NUMBERS, described, rows
from .screen import is_rich, printable, screen
from .targets import OfSettings, all_settings
from .wording import ago, sentence, span, spark

if TYPE_CHECKING:
    from ..console import Console, ErrorGroup, Overview, Trouble, WorkerInfo

_CHART = "last hour"
_OF_WORKERS = ("node", "pid", "queue", "runs", "state", "jobs")
_OF_ERRORS = ("fails", "last", "queue", "function", "error")
_COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


@click.command(cls=OfSettings, epilog="q or Ctrl-C ends it.")
@all_settings
@click.option(
    "--interval", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, metavar="SECONDS",
    help="How often to look.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Look once; so it is where there is no terminal.")
@output_option()
def top(settings: tuple[str, ...], interval: float, once: bool, output: str) -> None:
    """Watch queues, workers and failures live."""
    if output == "text" and not once and is_rich(sys.stdout):
        with contextlib.suppress(KeyboardInterrupt):
            operate(settings, lambda console: _watch(console, interval))
        return
    overview = operate(settings, lambda console: console.overview())
    if output == "json":
        tell_json(plain(overview) | {"queues": [described(queue) for queue in overview.queues]})
    else:
        screen().print(frame(overview, screen().width))
    if any(trouble.code in AWAY for trouble in overview.troubles):
        raise click.exceptions.Exit(OUT_OF_REACH)


async def _watch(console: Console, interval: float) -> None:
    async def look(width: int) -> Any:
        return frame(await console.overview(), width)

    await watch(look, interval)


def frame(overview: Overview, width: int) -> Any:
    """Make what one look shows on a screen so wide."""
    from rich.console import Group
    from rich.text import Text

    shown: list[Any] = [Text(_headline(overview), style="bold"), Text(_chart(overview)), Text("")]
    if overview.troubles:
        shown += [_warned(trouble) for trouble in overview.troubles] + [Text("")]
    shown.append(
        table((*NAMES, _CHART), rows(overview.queues, with_chart=True), frozenset(NUMBERS), width=width)
    )
    if workers := [worker for queue in overview.queues for worker in queue.workers]:
        shown += [Text(""), table(_OF_WORKERS, map(_worker, workers), frozenset((1, 3)), width=width)]
    if overview.errors:
        shown += [Text(""), table(_OF_ERRORS, map(_error, overview.errors), frozenset((0,)), width=width)]
    return Group(*shown)


def _warned(trouble: Trouble) -> Any:
    from rich.text import Text

    return Text(printable(f"{trouble.severity}: {sentence(trouble)}"), style=_COLOURS[trouble.severity])


def _worker(worker: WorkerInfo) -> tuple[str, ...]:
    state = "paused" if worker.is_paused else "executing" if worker.running else "idle"
    runs = f"{len(worker.running)}/{worker.limit}"
    return worker.node, str(worker.pid or ""), worker.queue, runs, state, " ".join(worker.running)


def _error(group: ErrorGroup) -> tuple[str, ...]:
    error = f"{group.error_type}: {group.message}"
    return f"{group.count:,}", ago(group.last_at), group.queue, group.function, error


def _headline(overview: Overview) -> str:
    is_known = any(not queue.error for queue in overview.queues)
    is_exact = overview.now_is_exact
    ready, running = (
        _least(f"{count:,}", is_exact=is_exact) if is_known else "-"
        for count in (overview.ready, overview.running)
    )
    told = [f"ready {ready}", f"running {running}"]
    if overview.failed is not None:
        told.append(f"failed {_least(f'{overview.failed:,}', is_exact=overview.past_is_exact)} in 24h")
    if overview.oldest is not None:
        told.append(f"oldest waits {_least(span(overview.oldest), is_exact=is_exact)}")
    return "  ".join([f"arqlite {datetime.now().astimezone():%H:%M:%S}", *told])


def _least(said: str, *, is_exact: bool) -> str:
    """A number in words; where something could not be asked it is what is known at least."""
    return said if is_exact else f"at least {said}"


def _chart(overview: Overview) -> str:
    ended = [point.completed + point.failed + point.cancelled for point in overview.points]
    return f"{spark(ended)} {max(ended):,}/min at most" if any(ended) else ""
