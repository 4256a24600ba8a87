"""`arqlite retry`, `cancel` and `delete`: something is done to all jobs that a filter means."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..model.verbs import MEANT_BY, Verb, narrowed
from .exits import OUT_OF_REACH, Failed, Nothing, Wrong
from .filters import Filtering, filter_argument, parsed
from .operating import end_if_away, operate, tell_troubles
from .output import output_option, tell_json
from .screen import is_rich, progress
from .targets import settings_option
from .wording import many, tally

if TYPE_CHECKING:
    from ..console import Console, Done, Query, QueueState, Tally, Trouble


@dataclass(frozen=True, slots=True)
class Action:
    """What is done to jobs.

    Attributes:
        verb, done: what it is called before, and after.
    """

    verb: Verb
    done: str

    def on(self, console: Console) -> Callable[[Query], Coroutine[Any, Any, Done]]:
        """What does it."""
        method: Callable[[Query], Coroutine[Any, Any, Done]] = getattr(console, self.verb)
        return method


RETRY = Action("retry", "retried")
CANCEL = Action("cancel", "cancelled")
DELETE = Action("delete", "deleted")


def _bulk(function: Any) -> click.Command:
    for option in (
        output_option(),
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        filter_argument,
        settings_option,
    ):
        function = option(function)
    return click.command(cls=Filtering, epilog="FILTER is told at: arqlite jobs --help")(function)


@_bulk
def retry(settings: tuple[str, ...], words: tuple[str, ...], yes: bool, output: str) -> None:
    """Have jobs run again now.

    Where FILTER names no state, that is those that failed or were cancelled, or wait for their next try.
    """
    _do(RETRY, settings, words, yes, output)


@_bulk
def cancel(settings: tuple[str, ...], words: tuple[str, ...], yes: bool, output: str) -> None:
    """Cancel jobs that have not ended.

    Those that run are told to stop.
    """
    _do(CANCEL, settings, words, yes, output)


@_bulk
def delete(settings: tuple[str, ...], words: tuple[str, ...], yes: bool, output: str) -> None:
    """Delete jobs that do not run, with their results.

    Rows of a ledger stay, until they are pruned.
    """
    _do(DELETE, settings, words, yes, output)


def _do(action: Action, settings: Sequence[str], words: Sequence[str], yes: bool, output: str) -> None:
    query = parsed(words)
    if not query:
        raise click.UsageError(
            f"{action.verb} which jobs? Say a filter, state:{MEANT_BY[action.verb][0]} for one",
            click.get_current_context(),
        )
    query = narrowed(action.verb, query)

    async def work(console: Console) -> Done:
        count = await console.count(query)
        if not count.value and count.precision == "exact":
            end_if_away(await _away(console, query))
            raise Nothing(f"no jobs to {action.verb}: {query}")
        _ask(action, count, yes)
        return await _all(action, console, query, count)

    told = operate(settings, work)
    is_away = tell_troubles(told.troubles)
    if not told.matched and is_away:
        raise click.exceptions.Exit(OUT_OF_REACH)
    if not told.matched:
        if not told.is_all:
            raise Nothing(f"no jobs to {action.verb} were found among those that were looked at: {query}")
        raise Nothing(f"no jobs to {action.verb} are left in Redis: {query}; rows stay until they are pruned")
    if output == "json":
        tell_json({"action": action.verb, "query": str(query), **_counts(told)})
    else:
        click.echo(f"{action.done} {many(told.done, 'job')}")
    if is_away:
        raise click.exceptions.Exit(OUT_OF_REACH)
    if not told.done or not told.is_all:
        left = "the others changed meanwhile, or are in no state for it"
        raise Failed(f"{action.done} {told.done:,} of {told.matched:,} jobs: {left}")


async def _away(console: Console, query: Query) -> list[QueueState]:
    """The queues that are meant and cannot be asked: jobs may be there of which no row tells."""
    meant = {place.key for place in console.places_meant(query)}
    return [queue for queue in await console.queues() if queue.error and queue.key in meant]


def _ask(action: Action, count: Tally, yes: bool) -> None:
    """Say how many there are, and have a person agree."""
    # Where counting stopped before it found one, there may be any number.
    meant = many(tally(count), "job") if count.value else "an unknown number of jobs"
    if yes:
        if not is_rich(sys.stderr):
            click.echo(f"{action.verb}: {meant}", err=True)
        return
    if not sys.stdin.isatty():
        raise Wrong(f"this would {action.verb} {meant}, and nobody can be asked: say --yes")
    with _interruptible():
        if not click.confirm(f"{action.verb} {meant}?", err=True):
            raise click.Abort


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C end the question at once: the event loop, which stands still, would first note it down."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _all(action: Action, console: Console, query: Query, count: Tally) -> Done:
    """Do it, as many jobs in one call as may be, until none are left."""
    from ..console import Done

    matched = done = 0
    troubles: dict[Trouble, None] = {}
    act = action.on(console)
    with progress() as bar:
        task = bar.add_task(action.verb, total=count.value or None)
        while True:
            step = await act(query)
            matched, done = max(matched, done + step.matched), done + step.done
            troubles.update(dict.fromkeys(step.troubles))
            bar.update(task, completed=done, total=max(count.value, done))
            if step.is_all or not step.done:
                return Done(matched, done, step.is_all, tuple(troubles))


def _counts(told: Done) -> dict[str, Any]:
    counted = {"matched": told.matched, "done": told.done, "is_all": told.is_all}
    return {**counted, "troubles": list(told.troubles)} if told.troubles else counted
