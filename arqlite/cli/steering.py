"""`arqlite pause`, `resume`, `scale` and `drain`: how queues are worked on."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .ages import seconds
from .exits import Failed
from .operating import operate
from .output import output_option, tell_json
from .screen import is_rich, screen
from .targets import OfQueues, settings_option
from .wording import many, span

if TYPE_CHECKING:
    from ..console import Console

_RATE = re.compile(r"(\d+)/(\d+(?:\.\d+)?)?([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_queues_argument = click.argument("keys", metavar="QUEUE...", nargs=-1, required=True)
_node_option = click.option("--node", metavar="NAME", help="Only on this node.")


@click.command(cls=OfQueues)
@settings_option
@_queues_argument
@_node_option
@output_option()
def pause(settings: tuple[str, ...], keys: tuple[str, ...], node: str | None, output: str) -> None:
    """Have workers claim nothing of a queue any more.

    Running jobs finish, new ones are kept. It lasts until `arqlite resume`, whoever restarts meanwhile.
    """

    async def work(console: Console) -> None:
        for key in keys:
            await console.pause(key, node=node)

    operate(settings, work)
    _tell("paused", keys, node, output)


@click.command(cls=OfQueues)
@settings_option
@_queues_argument
@_node_option
@output_option()
def resume(settings: tuple[str, ...], keys: tuple[str, ...], node: str | None, output: str) -> None:
    """Let workers claim jobs of a queue again."""

    async def work(console: Console) -> None:
        for key in keys:
            await console.resume(key, node=node)

    operate(settings, work)
    _tell("resumed", keys, node, output)


@click.command(cls=OfQueues)
@settings_option
@click.argument("limits", metavar="QUEUE[=N]...", nargs=-1, required=True)
@click.option("--global", "global_", metavar="N", help="At most N jobs at once over all workers.")
@click.option("--rate", metavar="N/SPAN", help="At most N starts in a time, over all workers: 100/m, 5/10s.")
@_node_option
@output_option()
def scale(
    settings: tuple[str, ...],
    limits: tuple[str, ...],
    global_: str | None,
    rate: str | None,
    node: str | None,
    output: str,
) -> None:
    """Change how many jobs of a queue may run.

    QUEUE=N is how many jobs each worker runs at once. `default` in the place of a number gives a limit back
    to the settings of the workers, `none` takes it away. What is said here goes before the settings until
    then.
    """
    common = _given(global_limit=_count(global_, "--global"), rate_limit=_rate(rate))
    wanted = [_limit(text, has_common=bool(common)) for text in limits]

    async def work(console: Console) -> None:
        for key, own in wanted:
            await console.scale(key, node=node, **own, **common)

    operate(settings, work)
    if output == "json":
        tell_json(
            [
                {"queue": key, "node": node}
                | {name: _typed(value) for name, value in {**own, **common}.items()}
                for key, own in wanted
            ]
        )
        return
    for key, own in wanted:
        words = ", ".join(f"{name} {_worded(value)}" for name, value in {**own, **common}.items())
        click.echo(f"scaled {key}{_at(node)}: {words}")


@click.command(cls=OfQueues)
@settings_option
@_queues_argument
@click.option("--timeout", callback=seconds, metavar="SPAN", help="Wait no longer: 30s, 5m. Else for ever.")
@output_option()
def drain(settings: tuple[str, ...], keys: tuple[str, ...], timeout: float | None, output: str) -> None:
    """Pause a queue and wait until nothing of it runs.

    It stays paused. Ends with 1 if jobs run still when the time is up, and names them.
    """

    async def work(console: Console) -> list[Sequence[str]]:
        with _waiting(keys):
            return list(await asyncio.gather(*(console.drain(key, timeout=timeout) for key in keys)))

    left = dict(zip(keys, operate(settings, work), strict=True))
    if output == "json":
        tell_json([{"queue": key, "running": list(ids)} for key, ids in left.items()])
    else:
        for key, ids in left.items():
            click.echo(f"{'runs still' if ids else 'drained'} {key}{': ' if ids else ''}{' '.join(ids)}")
        for key in (key for key, ids in left.items() if not ids):
            click.echo(f"{key} stays paused until arqlite resume {key}", err=True)
    if running := sum(map(len, left.values())):
        raise Failed(f"after {span(timeout)} {many(running, 'job')} had not ended; the queue stays paused")


def _tell(done: str, keys: Sequence[str], node: str | None, output: str) -> None:
    if output == "json":
        tell_json([{"queue": key, "node": node, "action": done} for key in keys])
        return
    for key in keys:
        click.echo(f"{done} {key}{_at(node)}")


def _waiting(keys: Sequence[str]) -> Any:
    """Show that something is waited for, where a person looks on."""
    shown = screen(sys.stderr)
    shown.quiet = not is_rich(sys.stderr)
    return shown.status(f"waiting for the last jobs of {', '.join(keys)}")


def _limit(text: str, *, has_common: bool) -> tuple[str, dict[str, Any]]:
    """Read QUEUE=N; a queue may have equals signs in its name."""
    key, separator, number = text.rpartition("=")
    if separator:
        return key, _given(limit=_count(number, text))
    if has_common:
        return text, {}
    raise click.UsageError(f"it is written as QUEUE=N, got {text!r}", click.get_current_context())


_UNSAID = object()


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not _UNSAID}


def _count(text: str | None, about: str) -> Any:
    match text:
        case None:
            return _UNSAID
        case "default":
            return None
        case "none":
            return float("inf")
    if not text.isdecimal():
        raise click.UsageError(
            f"{about}: a limit is a whole number, default or none, got {text!r}", click.get_current_context()
        )
    return int(text)


def _rate(text: str | None) -> Any:
    if text is None or text in ("default", "none"):
        return _count(text, "--rate")
    match = _RATE.fullmatch(text)
    if match is None:
        raise click.UsageError(
            f"a rate is written as 100/m or 5/10s, got {text!r}", click.get_current_context()
        )
    return int(match[1]), float(match[2] or 1) * _UNIT_S[match[3]]


def _typed(value: Any) -> Any:
    """A limit as it is typed: JSON has no infinity."""
    return "default" if value is None else "none" if value == float("inf") else value


def _worded(value: Any) -> str:
    if value is None:
        return "as the settings say"
    if value == float("inf"):
        return "none"
    return f"{value[0]} in {span(value[1])}" if isinstance(value, tuple) else str(value)


def _at(node: str | None) -> str:
    return "" if node is None else f" on {node}"
