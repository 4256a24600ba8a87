"""`arqlite db export`: rows of the ledger as CSV, JSON lines or one JSON list."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..errors import ConfigurationError
from .ages import age
from .db import db, run_on_ledger, settings_argument, url_option

if TYPE_CHECKING:
    from ..ledger import Ledger

_CONDITIONS = {
    "status": "QUEUED, RUNNING, SUCCESS, FAILED or CANCELLED",
    "state": "as `arqlite` calls it: scheduled, retryable, discarded",
    "cause": "why it failed: ERROR, TIMEOUT, LOST",
    "queue": "its queue",
    "function": "its function",
    "job_type": "its type",
    "tag": "one of its tags; given again, all of them",
    "worker": "who ran it last",
    "triggered_by": "who asked for it",
    "parent": "the job that enqueued it",
    "id": "its id",
}
_NAMES = {"tag": "tags", "id": "ids"}


def _with_conditions(command: Any) -> Any:
    for name, words in reversed(_CONDITIONS.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, multiple=True, help=f"Only jobs by this: {words}.")(command)
    return command


@db.command()
@settings_argument
@url_option
@click.option(
    "--format", "-o", "--output", "kind", type=click.Choice(["jsonl", "csv", "json"]), default="jsonl",
    show_default=True, help="An object a line, CSV, or one list of objects.",
)  # fmt: skip
@click.option("--file", "path", type=click.Path(dir_okay=False), help="The file. Otherwise standard output.")
@click.option("--columns", help="Which columns, with commas between them. Otherwise all but the queue's own.")
@click.option("--since", callback=age, metavar="AGE", help="Only jobs created no longer ago: 90m, 12h, 30d.")
@click.option("--until", callback=age, metavar="AGE", help="Only jobs created longer ago than this.")
@_with_conditions
def export(
    settings: str | None,
    url: str | None,
    kind: Any,
    path: str | None,
    columns: str | None,
    since: timedelta | None,
    until: timedelta | None,
    **given: tuple[str, ...],
) -> None:
    """Write rows of the ledger, the newest job first, as JSON lines, CSV or JSON.

    An option that is given again means either of its values; several options must all hold. However many
    rows there are, only a few hundred are in memory.
    """
    now = datetime.now(UTC)
    conditions: dict[str, Any] = {
        _NAMES.get(name, name): list(values) for name, values in given.items() if values
    }
    if since is not None:
        conditions["created_from"] = now - since
    if until is not None:
        conditions["created_to"] = now - until
    names = None if columns is None else [name.strip() for name in columns.split(",")]

    async def work(ledger: Ledger) -> None:
        await ledger.check()
        with _slips_in_words():
            pieces = ledger.export(format="csv" if kind == "csv" else "jsonl", columns=names, **conditions)
        if kind == "json":
            pieces = _as_list(pieces)
        with contextlib.ExitStack() as stack, _slips_in_words():
            if path is None:
                await _write(sys.stdout, pieces)
            else:
                await _write(stack.enter_context(_opened(path)), pieces)

    run_on_ledger(settings, url, work)


@contextlib.contextmanager
def _slips_in_words() -> Iterator[None]:
    """End as for any other wrong command line where a condition or a column cannot be."""
    try:
        yield
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


async def _as_list(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Make one list of objects that stand in lines, however many there are."""
    before = "["
    async for piece in pieces:
        for line in piece.split("\n"):
            if line:
                yield f"{before}\n{line}"
                before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _opened(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8", newline="")
    except OSError as error:
        raise click.FileError(path, error.strerror) from error


async def _write(file: TextIO, pieces: AsyncIterator[str]) -> None:
    """Write all of it, or until nobody reads any more."""
    try:
        async for piece in pieces:
            file.write(piece)
        file.flush()
    except BrokenPipeError:
        # Python would complain once more, when it flushes what is left at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
