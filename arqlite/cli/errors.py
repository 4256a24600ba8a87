"""`arqlite errors`: failures by what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from .ages import age
from .exits import OUT_OF_REACH, Nothing
from .operating import end_if_away, operate_knowing, tell_troubles
from .output import output_option, tell_json, tell_table
from .targets import OfSettings, all_settings
from .wording import ago, span, spark

if TYPE_CHECKING:
    from ..console import ErrorGroup

_DAY = timedelta(days=1)


@click.command(
    cls=OfSettings, epilog="What one of them is made of: arqlite job ID, with the id of the newest job."
)
@all_settings
@click.option("--since", callback=age, metavar="AGE", default="24h", show_default=True, help="90m, 12h, 30d.")
@click.option("--queue", metavar="QUEUE", help="Only of this queue.")
@output_option()
def errors(settings: tuple[str, ...], since: timedelta | None, queue: str | None, output: str) -> None:
    """List failures by what they have in common.

    The most frequent first; those that are tried again count, too. Ends with 3 if there are none.
    """
    start = None if since is None else datetime.now(UTC) - since
    found, away = operate_knowing(settings, lambda console: console.errors(since=start, queue=queue))
    if output == "json":
        tell_json(found)
    elif found.groups:
        columns = _columns(found.groups)
        tell_table(list(columns), list(zip(*columns.values(), strict=True)), (0,))
    if found.looked_at and not found.are_all:
        click.echo(f"only the newest {_looked_at(found.looked_at)} looked at", err=True)
    # What a queue that is away could not answer is told with the queue, once.
    silent = {queue.key for queue in away}
    is_away = tell_troubles(trouble for trouble in found.troubles if trouble.queue not in silent)
    end_if_away(away)
    if is_away:
        raise click.exceptions.Exit(OUT_OF_REACH)
    if not found.groups:
        # A try that failed before its job succeeded leaves no failure behind: not that nothing has failed.
        raise Nothing(f"no job is failed or waiting for a retry (in the last {span(since or _DAY)})")


def _columns(groups: Sequence[ErrorGroup]) -> dict[str, list[str]]:
    """Write groups in columns; where all are of one queue, its name would say nothing."""
    columns = {
        "count": [f"{group.count:,}" for group in groups],
        "last": [ago(group.last_at) for group in groups],
        "trend": [spark(list(group.recent)) for group in groups],
        "queue": [group.queue for group in groups],
        "function": [group.function for group in groups],
        "error": [group.error_type for group in groups],
        "where": [group.place for group in groups],
        "newest job": [group.sample for group in groups],
        "message": [group.message for group in groups],
    }
    if len(set(columns["queue"])) == 1:
        del columns["queue"]
    return columns


def _looked_at(count: int) -> str:
    return "failure was" if count == 1 else f"{count:,} failures were"
