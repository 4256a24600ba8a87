"""`arqlite retry`, `cancel` and `delete`: something is done to all jobs that a filter means."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from redis.exceptions import RedisError

from ..model.verbs import MEANT_BY, Verb, narrowed
from .exits import OUT_OF_REACH, Failed, Nothing, Wrong
from .filters import Doing, filter_argument, parsed
from .operating import end_if_away, operate, tell_troubles
from .output import output_option, tell_json
from .screen import is_rich, printable, progress
from .targets import settings_option
from .wording import many, tally

if TYPE_CHECKING:
    from ..console import AskedToEnd, Console, Done, Query, QueueState, Tally, Trouble


_LOOKS_AGAIN_S = (0.1, 0.2, 0.3, 0.4)
"""After so many seconds each those that were asked to end are looked at again: within one in all."""

_MOST_IDS = 5
_WHY_NONE: Mapping[Verb, str] = {
    "retry": "one that runs, or may start, is not retried",
    "cancel": "one that has ended is not cancelled",
    "delete": "one that runs is not deleted, and rows stay until they are pruned",
}


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
    return click.command(cls=Doing, epilog="FILTER is told at: arqlite jobs --help")(function)


@_bulk
def retry(settings: tuple[str, ...], words: tuple[str, ...], yes: bool, output: str) -> None:
    """Have jobs run again now.

    Where FILTER names no state, that is those that failed or were cancelled, or wait for their next try.
    """
    _do(RETRY, settings, words, yes, output)


@_bulk
def cancel(settings: tuple[str, ...], words: tuple[str, ...], yes: bool, output: str) -> None:
    """Cancel jobs that have not ended.

    Of those that run their workers are asked to, which end tasks, and other jobs only with allow_abort_jobs =
    True. After a second at most it is told which run still; ends with 1 if some run on.
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

    async def work(console: Console) -> tuple[Done, Sequence[AskedToEnd]]:
        from ..console.bulk import feasible, states_in_words

        counted = feasible(action.verb, query)
        if counted is None:
            can = f"one can {action.verb} jobs that are {states_in_words(action.verb)}"
            raise Nothing(f"no jobs to {action.verb}: {query}; {can}")
        count = await console.count(counted)
        if not count.value and count.precision == "exact":
            end_if_away(await _away(console, query))
            raise Nothing(f"no jobs to {action.verb}: {query}")
        _ask(action, count, yes)
        told = await _all(action, console, query, count)
        return told, await _still_running(console, told.asked)

    told, running = operate(settings, work)
    is_away = tell_troubles(told.troubles)
    if not told.matched and is_away:
        raise click.exceptions.Exit(OUT_OF_REACH)
    if not told.matched:
        if not told.is_all:
            raise Nothing(f"no jobs to {action.verb} were found among those that were looked at: {query}")
        raise Nothing(f"no jobs to {action.verb} are left in Redis: {query}; {_WHY_NONE[action.verb]}")
    if output == "json":
        tell_json({"action": action.verb, "query": str(query), **_counts(action, told, running)})
    else:
        click.echo(_in_words(action, told, running))
    if is_away:
        raise click.exceptions.Exit(OUT_OF_REACH)
    if not (told.done or told.asked) or not told.is_all:
        left = "the others changed meanwhile, or are in no state for it"
        raise Failed(f"{action.done} {told.done:,} of {told.matched:,} jobs: {left}")
    _tell_running(running)


def _in_words(action: Action, told: Done, running: Sequence[AskedToEnd]) -> str:
    done = f"{action.done} {many(told.done, 'job')}"
    if not told.asked:
        return done
    if len(told.asked) == 1:
        asked = "asked the worker of 1 job that runs to cancel it"
        rest = "it runs still" if running else "it runs no more"
    else:
        asked = f"asked the workers of {many(len(told.asked), 'job')} that run to cancel them"
        count = "none" if not running else f"{len(running):,}"
        rest = f"{count} of them run still" if len(running) != 1 else "1 of them runs still"
    return f"{f'{done}, ' if told.done else ''}{asked}: {rest}"


def _tell_running(running: Sequence[AskedToEnd]) -> None:
    """Say why jobs run that were to be cancelled, as far as that is known."""
    if on := [one for one in running if one.runs_on]:
        raise Failed(
            f"{_which(on)} on: a worker with allow_abort_jobs=False cancels only tasks while they run; set"
            " allow_abort_jobs = True in its settings"
        )
    if running:
        click.echo(f"{_which(running)} still: a job may clean up before it ends", err=True)


def _which(running: Sequence[AskedToEnd]) -> str:
    """Name jobs: `2 jobs (a, b) run`."""
    ids = [printable(one.id) for one in running[:_MOST_IDS]]
    more = ", ..." if len(running) > _MOST_IDS else ""
    return f"{many(len(running), 'job')} ({', '.join(ids)}{more}) {'runs' if len(running) == 1 else 'run'}"


async def _still_running(console: Console, asked: Sequence[AskedToEnd]) -> Sequence[AskedToEnd]:
    """Those that run still, after a moment in which their workers may end them; all of them where nobody
    can be asked.
    """
    running = asked
    for pause_s in _LOOKS_AGAIN_S:
        if all(one.runs_on for one in running):
            break
        await asyncio.sleep(pause_s)
        try:
            running = await console.still_running(asked)
        except (RedisError, OSError):
            break
    return running


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
    asked: dict[tuple[str, str], AskedToEnd] = {}
    act = action.on(console)
    with progress() as bar:
        task = bar.add_task(action.verb, total=count.value or None)
        while True:
            step = await act(query)
            matched, done = max(matched, done + step.matched), done + step.done
            troubles.update(dict.fromkeys(step.troubles))
            asked.update(((one.queue, one.id), one) for one in step.asked)
            bar.update(task, completed=done, total=max(count.value, done))
            # Those that run on would be found again, and again.
            if step.is_all or not step.done:
                return Done(matched, done, step.is_all, tuple(troubles), tuple(asked.values()))


def _counts(action: Action, told: Done, running: Sequence[AskedToEnd]) -> dict[str, Any]:
    counted: dict[str, Any] = {"matched": told.matched, "done": told.done, "is_all": told.is_all}
    if action is CANCEL:
        counted |= {"asked": len(told.asked), "running": list(running)}
    return {**counted, "troubles": list(told.troubles)} if told.troubles else counted
