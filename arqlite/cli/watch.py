"""`--watch DIR`: changes of code, and a worker that is replaced when they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, MissingExtra
from .leash import Leash
from .supervisor import Supervisor, Watch

if TYPE_CHECKING:
    from ..typing import WorkerSettingsType


def watch_of(path: str) -> Watch:
    """Make a watch over the Python files of a folder and of all those in it.

    Left out are `.git`, `.venv`, `__pycache__`, `node_modules` and the like, and the temporary files of
    editors.

    Raises:
        MissingExtra: watchfiles is not installed.
        ConfigurationError: there is no such folder.
    """
    try:
        import watchfiles
    except ImportError as error:
        raise MissingExtra("--watch", "watch") from error
    if not Path(path).is_dir():
        raise ConfigurationError(f"cannot watch {path!r}: no such directory")

    async def changes(stop: asyncio.Event) -> AsyncIterator[set[str]]:
        async for found in watchfiles.awatch(path, watch_filter=watchfiles.PythonFilter(), stop_event=stop):
            yield {file for _, file in found}

    return changes


async def watch_reload(path: str, worker_settings: WorkerSettingsType) -> None:
    """Run a worker that is reloaded when Python files change, until a signal comes.

    It is the `--watch` of programs that start their worker themselves. The calling program is run again as
    a child process, command line and all, and the worker runs there when the child arrives at this call, as
    with the reloaders of Flask and Django. In the parent this waits: for a change, upon which the child is
    told to shut down and a new one is started, or for SIGINT or SIGTERM.

    Args:
        path: the folder to watch, with all that are in it.
        worker_settings: a settings class, an instance of one or a dict.

    Raises:
        MissingExtra: watchfiles is not installed.
        ConfigurationError: there is no such folder, or the settings cannot work.
    """
    leash = Leash.of_environment()
    if leash is None:
        await Supervisor(1, watch_of(path)).run()
        return
    from ..fleet import create_fleet
    from ..worker import leave_stubborn_jobs

    fleet = create_fleet([worker_settings])
    try:
        await leash.run(fleet)
    finally:
        await leave_stubborn_jobs(fleet.workers)
