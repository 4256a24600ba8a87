"""The command line: `arqlite path.to.WorkerSettings` as with arq, and subcommands."""

from __future__ import annotations

from typing import Any

import click

from ..version import VERSION
from .embedded import embedded
from .worker import worker

__all__ = ("cli", "main")


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
    subcommand_metavar="[WORKER_SETTINGS | COMMAND] ...",
    epilog="Run a worker: arqlite app.worker.WorkerSettings (see arqlite worker --help)",
)
@click.version_option(VERSION, "-V", "--version", prog_name="arqlite")
def cli() -> None:
    """Job queues on Redis with an SQL row for every job."""


cli.add_command(worker)
cli.add_command(embedded)


def main(**kwargs: Any) -> None:
    """Run the command line."""
    cli(prog_name="arqlite", **kwargs)
