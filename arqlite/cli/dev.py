"""`arqlite dev`: everything that a project needs to run, in one terminal."""

from __future__ import annotations

import asyncio
import logging.config
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from ..logs import default_log_config
from .broken import load_in_words
from .defaults import HOW_TO_NAME, named
from .leash import Leash
from .loading import load

DASHBOARD_PORT = 8484


@click.command(
    epilog="Ctrl-C once lets running jobs end, for their job_completion_wait, or 25 seconds where settings"
    " say nothing; twice stops at once."
)
@click.argument("worker_settings", metavar="[WORKER_SETTINGS]...", nargs=-1)
@click.option("--dashboard/--no-dashboard", default=True, help="Whether the dashboard runs, too.")
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(1, 65535),
    default=DASHBOARD_PORT,
    show_default=True,
    help="Where the dashboard is; if it is taken, the next one that is not.",
)
@click.option(
    "--watch",
    metavar="DIR",
    type=click.Path(exists=True, dir_okay=True, file_okay=False),
    default=".",
    help="Where changed Python files have worker and dashboard start anew; the current folder by default.",
)
@click.option("--stop", is_flag=True, help="End the `arqlite dev` of this project; nothing else.")
@click.option("-v", "--verbose", is_flag=True, help="Show DEBUG lines, too.")
def dev(
    worker_settings: tuple[str, ...], dashboard: bool, port: int, watch: str, stop: bool, verbose: bool
) -> None:
    """Run workers with all that they need, and start them anew when the code changes.

    Settings that name no Redis get an embedded one, those that name no ledger a SQLite file; both are in the
    folder .arqlite of the project, and nothing is written elsewhere. Other commands and programs in this
    project find them while this runs.
    """
    if stop:
        _stop()
        return
    worker_settings = named(worker_settings)
    if not worker_settings:
        raise click.UsageError(f"which settings? {_suggestion()}. Or {HOW_TO_NAME}")
    leash = Leash.of_environment()
    if leash is not None:
        from .devworker import work

        logging.config.dictConfig(default_log_config(verbose))
        work([load(path) for path in worker_settings], leash)
        return
    from ..errors import EmbeddedServerError
    from .development import Development

    sys.dont_write_bytecode = True  # the project's folder stays as it is
    logging.config.dictConfig(_own_log_config(verbose))
    logging.getLogger("arqlite.embedded").setLevel(logging.WARNING)  # what it says is said below
    found = [load_in_words(path) for path in worker_settings]
    try:
        development = Development(worker_settings, found, watch, port if dashboard else None)
    except EmbeddedServerError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(asyncio.run(development.run()))


def _own_log_config(verbose: bool) -> dict[str, Any]:
    from .merging import prefix

    config = default_log_config(verbose)
    for formatter in config["formatters"].values():
        formatter["format"] = prefix("dev") + formatter["format"]
    return config


def _suggestion() -> str:
    here = [name for name in ("tasks", "app") if Path(f"{name}.py").exists()]
    if here:
        return f"For example: arqlite dev {here[0]}.WorkerSettings"
    return "For example: arqlite dev tasks.WorkerSettings; `arqlite init` writes a tasks.py"


def _stop() -> None:
    from ..surroundings import DevSession, wait_until_ended

    found = DevSession.find()
    if found is None:
        click.echo("no arqlite dev runs in this project", err=True)
        sys.exit(1)
    os.kill(found.pid, signal.SIGTERM)
    click.echo(f"arqlite dev (process {found.pid}) was told to end; its running jobs may end first", err=True)
    if not wait_until_ended():
        raise click.ClickException(f"it has not ended yet; to stop at once: kill {found.pid}")
    click.echo("ended")
