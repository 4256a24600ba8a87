"""`arqlite embedded`: look at the project's embedded server, or end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..embedded import status, stop
from ..errors import EmbeddedServerError


@click.group()
def embedded() -> None:
    """The embedded Valkey of this project."""


@embedded.command("status")
@click.argument("data_dir", required=False, type=click.Path(path_type=Path))
def status_command(data_dir: Path | None) -> None:
    """Tell whether it runs, and where."""
    with _in_words():
        server = status(data_dir)
    if server is None:
        click.echo("no embedded server runs here")
        raise SystemExit(1)
    click.echo(str(server))


@embedded.command("stop")
@click.argument("data_dir", required=False, type=click.Path(path_type=Path))
def stop_command(data_dir: Path | None) -> None:
    """End it; its data is kept."""
    with _in_words():
        was_running = stop(data_dir)
    click.echo("stopped" if was_running else "no embedded server runs here")


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except EmbeddedServerError as error:
        raise click.ClickException(str(error)) from error
