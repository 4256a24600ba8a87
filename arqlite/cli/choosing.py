"""Which queues a worker process runs: `--queues mail:5,default`, of the settings that were named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

_FORM = "queues are written as NAME or NAME:JOBS, with commas between them: default:20,mail:5"


def queues_of(_context: click.Context, _option: click.Parameter, told: str | None) -> dict[str, int | None]:
    """Read the names of queues, each with how many jobs of it run at once, where that is said.

    The name of a queue may have a colon in it itself, as arq's has.

    Raises:
        BadParameter: they cannot be read.
    """
    found: dict[str, int | None] = {}
    for word in "".join((told or "").split()).split(",") if told is not None else ():
        name, _, count = word.rpartition(":")
        has_count = bool(name) and count.isdecimal()
        queue = name if has_count else word
        if not queue or queue in found or queue.startswith(":"):
            raise click.BadParameter(f"{'said twice: ' + queue if queue in found else _FORM}, got {told!r}")
        if has_count and int(count) < 1:
            raise click.BadParameter(f"at least one job of {queue} must run at once, got {word!r}")
        found[queue] = int(count) if has_count else None
    return found


def chosen(settings: Sequence[Any], queues: Mapping[str, int | None]) -> list[Any]:
    """The settings of some queues alone; all of them where no queue is named.

    A single class of settings runs any queue: the same functions, with cron jobs in its own queue only. Of
    several each runs its own.

    Raises:
        UsageError: none, or two, of several have a queue of this name, or it seems to be a mistyped number.
    """
    if not queues:
        return list(settings)
    from ..constants import default_queue_name
    from ..settings import get_kwargs

    told = [get_kwargs(one) for one in settings]
    own = [one.get("queue_name") or _of_pool(one) or default_queue_name for one in told]
    made = []
    for queue, limit in queues.items():
        of_it = [one for one, name in zip(told, own, strict=True) if name == queue]
        if len(of_it) > 1 or (not of_it and len(told) > 1):
            raise click.UsageError(
                f"{'several' if of_it else 'none'} of these settings have queue {queue!r}; they have"
                f" {', '.join(own)}"
            )
        if not of_it and limit is None and ":" in queue and queue != default_queue_name:
            _refuse(queue)
        kept = of_it[0] if of_it else {**told[0], "cron_jobs": None, "health_check_key": None}
        limits = {} if limit is None else {"max_jobs": limit}
        made.append({**kept, "queue_name": queue, **limits})
    return made


def _refuse(queue: str) -> None:
    """Take what is behind a colon for a number that was mistyped, where no settings know it as a name."""
    count = queue.rpartition(":")[2]
    raise click.UsageError(
        f"--queues: {count!r} in {queue!r} is no whole number of jobs; if the queue is called so, say how"
        f" many jobs of it run at once, as in {queue}:10"
    )


def _of_pool(told: Mapping[str, Any]) -> str | None:
    return getattr(told.get("redis_pool"), "default_queue_name", None)
