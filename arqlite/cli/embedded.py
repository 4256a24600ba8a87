"""`arqlite embedded`: look at the project's embedded server, or end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..embedded import status, stop
from ..errors import EmbeddedServerError
from .output import output_option, tell_facts, tell_json


@click.group()
def embedded() -> None:
    """The embedded Valkey of this project."""


@embedded.command("status")
@click.argument("data_dir", required=False, type=click.Path(path_type=Path))
@output_option()
def status_command(data_dir: Path | None, output: str) -> None:
    """Tell whether it runs, and where. Ends with 1 if it does not."""
    with _in_words():
        server = status(data_dir)
    if output == "json":
        tell_json({"is_running": server is not None, **(server._asdict() if server else {})})
    elif server is not None:
        told = (
            ("server", f"Valkey {server.version} ({server.binary_kind})"),
            ("pid", str(server.pid)),
            ("url", f"unix://{server.socket_path}"),
        )
        tell_facts(told)
    if server is None:
        click.echo("no embedded server runs here", err=True)
        raise SystemExit(1)


@embedded.command("stop")
@click.argument("data_dir", required=False, type=click.Path(path_type=Path))
@output_option()
def stop_command(data_dir: Path | None, output: str) -> None:
    """End it; its data is kept."""
    with _in_words():
        was_running = stop(data_dir)
    if output == "json":
        tell_json({"was_running": was_running})
    else:
        click.echo("stopped" if was_running else "no embedded server runs here")


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except EmbeddedServerError as error:
        raise click.ClickException(str(error)) from error
