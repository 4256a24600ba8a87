"""`arqlite workers`: the workers that hold a lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .exits import Nothing
from .operating import end_if_away, operate, operate_knowing, tell_troubles
from .output import output_option, tell_json, tell_table
from .targets import OfSettings, all_settings
from .wording import ago, size, span

if TYPE_CHECKING:
    from ..console import Console, Trouble, WorkerInfo

_NAMES = ("node", "pid", "queue", "state", "running", "started", "memory", "loop lag", "version", "session")
_NUMBERS = (1, 4, 6, 7)


@click.command(cls=OfSettings)
@all_settings
@output_option()
def workers(settings: tuple[str, ...], output: str) -> None:
    """List the workers that are alive, and what they do.

    Ends with 3 if there is none.
    """
    listed, away = operate_knowing(settings, lambda console: console.workers())
    found = listed.workers
    if output == "json":
        tell_json(found)
    elif found:
        tell_table(_NAMES, [_row(worker) for worker in found], _NUMBERS)
    end_if_away(away)
    if not found:
        tell_troubles(operate(settings, _troubles))
        raise Nothing("no worker is alive; arqlite app.worker.WorkerSettings starts one")


async def _troubles(console: Console) -> list[Trouble]:
    return [trouble for trouble in await console.troubles() if trouble.severity == "error"]


def _row(worker: WorkerInfo) -> list[str]:
    state = "paused" if worker.is_paused else "executing" if worker.running else "idle"
    return [
        worker.node,
        str(worker.pid or ""),
        worker.queue,
        f"{state}, leads" if worker.leads else state,
        f"{len(worker.running)}/{worker.limit}" if worker.limit else str(len(worker.running)),
        ago(worker.started_at),
        size(worker.memory),
        span(worker.loop_lag),
        worker.version,
        worker.session,
    ]
