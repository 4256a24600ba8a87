"""`arqlite jobs`: the jobs that a filter means."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .exits import OUT_OF_REACH, Nothing
from .filters import Filtering, filter_argument, parsed
from .live import watch
from .operating import operate, tell_troubles
from .output import output_option, plain, table, tell_csv, tell_json, tell_table
from .screen import is_rich
from .targets import settings_option
from .wording import ago, span

if TYPE_CHECKING:
    from ..console import Console, JobLine, JobPage, Query, Trouble

_PAGE = 200
_INTERVAL_S = 2.0
_LONGEST_LOOK_S = 30.0
_COLUMNS = (
    "id", "queue", "function", "state", "status", "cause", "arguments", "priority", "tags", "attempt",
    "max_attempts", "enqueued_at", "due_at", "started_at", "finished_at", "wait", "duration", "worker",
    "triggered_by", "parent", "error",
)  # fmt: skip


@click.command(
    cls=Filtering,
    epilog="FILTER: words that must all hold, as in the dashboard: state:discarded queue:mail,default"
    " function:send_* tag:vip arg.user_id:42 meta.tenant:acme error:TimeoutError since:2h"
    " until:2026-11-20 id:1a2b*. A comma means or, a leading - not: -state:completed. Without any, all jobs.",
)
@settings_option
@filter_argument
@click.option(
    "-n", "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
)
@click.option("--after", metavar="CURSOR", help="Go on behind a page: the `next` of -o json.")
@click.option("-w", "--watch", "is_watched", is_flag=True, help="In a terminal: look again and again.")
@output_option("csv")
def jobs(
    settings: tuple[str, ...],
    words: tuple[str, ...],
    limit: int,
    after: str | None,
    is_watched: bool,
    output: str,
) -> None:
    """List jobs, the newest first.

    From the ledger where a queue has one, else from Redis. Ends with 3 if there are none.
    """
    query = parsed(words)
    if is_watched and output == "text" and is_rich(sys.stdout):
        with contextlib.suppress(KeyboardInterrupt):
            operate(settings, lambda console: _watch(console, query, after, limit))
        return
    page = operate(settings, lambda console: _read(console, query, after, limit))
    if output == "json":
        tell_json(page)
    elif output == "csv":
        tell_csv(_COLUMNS, map(plain, page.jobs))
    elif page.jobs:
        tell_lines(page.jobs)
    if tell_troubles(page.troubles):
        raise click.exceptions.Exit(OUT_OF_REACH)
    if page.next is None and not page.jobs:
        raise Nothing("no such jobs" if words else "no jobs")
    if page.next is not None and output != "json":
        there = "there are more: --limit N, or" if page.jobs else "none yet, and more to look at:"
        click.echo(f"{there} --after {page.next}", err=True)


def tell_lines(lines: Sequence[JobLine]) -> None:
    """Print jobs, a line each."""
    columns = _columns(lines)
    tell_table(list(columns), _rows(columns))


async def _watch(console: Console, query: Query, after: str | None, limit: int) -> None:
    async def look(width: int) -> Any:
        page = await _read(console, query, after, limit)
        columns = _columns(page.jobs)
        return table(list(columns), _rows(columns), width=width) if columns else "no such jobs"

    await watch(look, _INTERVAL_S)


def _columns(lines: Sequence[JobLine]) -> dict[str, list[str]]:
    """Write jobs in columns; those that would say nothing are left out."""
    columns = {
        "id": [line.id for line in lines],
        "state": [line.state.value for line in lines],
        "queue": [line.queue for line in lines],
        "function": [line.function for line in lines],
        "attempt": [_attempt(line) for line in lines],
        "when": [
            ago(line.finished_at or line.started_at or line.due_at or line.enqueued_at) for line in lines
        ],
        "took": [span(line.duration) for line in lines],
        "arguments": [line.arguments for line in lines],
        "error": [line.error for line in lines],
    }
    if len(set(columns["queue"])) == 1:
        del columns["queue"]
    return {name: cells for name, cells in columns.items() if any(cells)}


def _rows(columns: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    return list(zip(*columns.values(), strict=True))


async def _read(console: Console, query: Query, after: str | None, limit: int) -> JobPage:
    """Read page after page until there are enough: a page may be short although more are to come.

    Few jobs among very many take long to find: after a while what was found is told, and where to go on.
    """
    from ..console import JobPage

    until = time.monotonic() + _LONGEST_LOOK_S
    found: list[JobLine] = []
    troubles: dict[Trouble, None] = {}
    cursor = after
    while True:
        page = await console.jobs(query, after=cursor, limit=min(limit - len(found), _PAGE))
        found += page.jobs
        troubles |= dict.fromkeys(page.troubles)
        cursor = page.next
        if cursor is None or len(found) >= limit or time.monotonic() > until:
            return JobPage(found, cursor, tuple(troubles))


def _attempt(line: JobLine) -> str:
    if not line.attempt:
        return ""
    return f"{line.attempt}/{line.max_attempts}" if line.max_attempts else str(line.attempt)
