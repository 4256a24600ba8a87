"""The command line: `arqlite path.to.WorkerSettings` as with arq, and subcommands."""

from __future__ import annotations

from typing import Any

import click

from ..logs import default_log_config
from ..version import VERSION
from .dashboard import dashboard
from .db import db
from .dev import dev
from .doctor import doctor
from .embedded import embedded
from .export import export as _export  # noqa: F401 (joins `db`)
from .import_arq import import_arq
from .init import init
from .reconcile import reconcile
from .watch import watch_reload
from .worker import worker

__all__ = ("check_health", "cli", "create_worker", "default_log_config", "main", "run_worker", "watch_reload")

_OF_WORKER = ("check_health", "create_worker", "run_worker")


def __getattr__(name: str) -> Any:
    """Give the names that arq's module has by import; a look at the help need not load the worker."""
    if name not in _OF_WORKER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .. import worker as workers

    return getattr(workers, name)


class WorkerFirst(click.Group):
    """A group whose subcommand may be left out: what is no subcommand is a worker's settings."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the `worker` subcommand where arq's users have none."""
        own_options = {"--help", "-V", "--version"}
        if args and args[0] not in self.commands and args[0] not in own_options:
            args = ["worker", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=WorkerFirst,
    subcommand_metavar="WORKER_SETTINGS... | COMMAND",
    epilog="Run a worker: arqlite app.worker.WorkerSettings; its options: arqlite worker --help",
)
@click.version_option(VERSION, "-V", "--version", prog_name="arqlite")
def cli() -> None:
    """Job queues on Redis with an SQL row for every job."""


cli.add_command(worker)
cli.add_command(dev)
cli.add_command(init)
cli.add_command(embedded)
cli.add_command(import_arq)
cli.add_command(doctor)
cli.add_command(db)
cli.add_command(reconcile)
cli.add_command(dashboard)


def main(**kwargs: Any) -> None:
    """Run the command line."""
    cli(prog_name="arqlite", **kwargs)
