"""`arqlite queues`: the queues, and what waits and runs in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from .operating import end_if_away, operate
from .output import output_option, plain, tell_json, tell_table
from .targets import OfSettings, all_settings
from .wording import span, spark

if TYPE_CHECKING:
    from ..console import QueueState

NAMES = (
    "queue",
    "state",
    "ready",
    "running",
    "scheduled",
    "retrying",
    "waiting",
    "oldest",
    "workers",
    "limits",
)
NUMBERS = (2, 3, 4, 5, 6, 7, 8)
# What only a queue's Redis knows.
_ASKED_FOR = ("available", "scheduled", "retryable", "suspended", "executing", "slots")


@click.command(cls=OfSettings)
@all_settings
@output_option()
def queues(settings: tuple[str, ...], output: str) -> None:
    """List the queues, and what waits and runs in them.

    `running` is of as many as can run at once: of the workers that are not paused, within the limit of the
    queue. `waiting` waits for other jobs.
    """
    found = operate(settings, lambda console: console.queues())
    if output == "json":
        tell_json([described(queue) for queue in found])
    else:
        tell_table(NAMES, rows(found), NUMBERS)
    end_if_away(queue for queue in found if queue.error)


def rows(found: Sequence[QueueState], *, with_chart: bool = False) -> list[list[str]]:
    """Write queues as rows of `NAMES`, at the end what ended in each minute if that is asked for."""
    return [_row(queue) + ([spark(list(queue.ended))] if with_chart else []) for queue in found]


def described(queue: QueueState) -> dict[str, Any]:
    """A queue for JSON; of one that could not be asked its numbers are not known."""
    told: dict[str, Any] = plain(queue)
    return told | dict.fromkeys(_ASKED_FOR) if queue.error else told


def _row(queue: QueueState) -> list[str]:
    if queue.error:
        return [queue.key, "error", *["-"] * (len(NAMES) - 2)]
    return [
        queue.key,
        "paused" if queue.is_paused else "open",
        f"{queue.available:,}",
        f"{queue.executing:,}/{queue.slots:,}" if queue.workers else f"{queue.executing:,}",
        f"{queue.scheduled:,}",
        f"{queue.retryable:,}",
        f"{queue.suspended:,}",
        span(queue.oldest) or "-",
        str(len(queue.workers)),
        ", ".join(_limits(queue)) or "-",
    ]


def _limits(queue: QueueState) -> Iterator[str]:
    if queue.limit is not None:
        yield f"{queue.limit} each"
    if queue.global_limit is not None:
        yield f"{queue.global_limit.words} in all"
    if queue.rate_limit is not None:
        used = "" if queue.rate_used is None else f"{queue.rate_used} of "
        yield f"{used}{queue.rate_limit.words}"
    for node, limit in queue.node_limits.items():
        yield f"{limit} on {node}"
    for node, is_paused in queue.node_pauses.items():
        yield f"{'paused' if is_paused else 'resumed'} on {node}"
