"""How a command has something done by the console, and says what was out of reach."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .exits import OUT_OF_REACH, ending_in_words
from .hints import with_advice, with_hint
from .screen import printable
from .targets import loaded
from .wording import sentence

if TYPE_CHECKING:
    from ..console import Console, QueueState, Trouble

ResultT = TypeVar("ResultT")

AWAY = ("redis-away", "ledger-away", "ledger-migrations")
"""The codes of troubles that say: this was out of reach."""


def operate(settings: Sequence[str], work: Callable[[Console], Coroutine[Any, Any, ResultT]]) -> ResultT:
    """Do something with the queues of settings; what goes wrong ends the command in words.

    Args:
        settings: paths of worker settings; none are those named before the subcommand.
        work: does it.
    """
    found = loaded(settings)

    async def main() -> ResultT:
        from ..console import Console

        async with Console(found, by=who()) as console:
            return await work(console)

    with ending_in_words():
        return asyncio.run(main())


def who() -> str:
    """Who sits at the terminal, for the audit."""
    with contextlib.suppress(KeyError, OSError):  # a container may run as a number that has no name
        return getpass.getuser()
    return ""


def operate_knowing(
    settings: Sequence[str], work: Callable[[Console], Coroutine[Any, Any, ResultT]]
) -> tuple[ResultT, Sequence[QueueState]]:
    """Do something as `operate` does, where the answer does not tell what was out of reach.

    Returns:
        What it gave, and the queues whose Redis was out of reach.
    """

    async def both(console: Console) -> tuple[ResultT, Sequence[QueueState]]:
        given = await work(console)
        return given, [queue for queue in await console.queues() if queue.error]

    return operate(settings, both)


def end_if_away(queues: Iterable[QueueState]) -> None:
    """Say which queues were out of reach, and end the command if any was."""
    told = [
        with_advice(f"{queue.key} at {queue.server} cannot be reached: {queue.error}") for queue in queues
    ]
    for line in told:
        click.echo(f"error: {printable(line)}", err=True)
    if told:
        raise click.exceptions.Exit(OUT_OF_REACH)


def tell_troubles(troubles: Iterable[Trouble]) -> bool:
    """Say on stderr what could not be asked; tells whether something was out of reach."""
    is_away = False
    for trouble in troubles:
        click.echo(f"{trouble.severity}: {printable(_sentence(trouble))}", err=True)
        is_away = is_away or trouble.code in AWAY
    return is_away


def _sentence(trouble: Trouble) -> str:
    told = sentence(trouble)
    return with_hint(told) if trouble.code == "redis-away" else told
