"""`arqlite enqueue`: a job from the shell, and its result."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ..errors import JobConflict, ResultNotFound
from .ages import seconds
from .calls import arguments_of, find, read, words_of
from .exits import INTERRUPTED, Failed
from .operating import operate
from .output import output_option, tell_json
from .screen import is_rich, printable, progress
from .targets import OfQueues, settings_option

if TYPE_CHECKING:
    from ..console import Console
    from ..jobs import Job
    from ..model.notes import Progress

_NUMBER = re.compile(r"-\.?\d")
_MARK = "\0"  # which no word of a command line can have


@dataclass(slots=True)
class Enqueued:
    """What became of a job, as it is told.

    Attributes:
        id, queue, function: which.
        is_new: whether it was enqueued now; False for one that is there already.
        state: `enqueued`, or after a wait `completed` or `failed`.
        result: what it gave.
        error: what it failed with.
        is_redacted: whether something of the result is not shown, as `arqlite job` does not show it.
    """

    id: str
    queue: str
    function: str
    is_new: bool
    state: str = "enqueued"
    result: Any = None
    error: str = ""
    is_redacted: bool = False


def _when(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"a time is written as 2026-11-20T09:00, got {value!r}") from error


class _OfNumbers(OfQueues):
    """A command whose words may be negative numbers, which click would take for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Mark what is a number and not the value of an option, so that it reads as a word."""
        takers = {
            name
            for option in self.get_params(ctx)
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        end = args.index("--") if "--" in args else len(args)
        marked = [
            _MARK + word if _NUMBER.match(word) and before not in takers else word
            for before, word in zip(["", *args], args[:end], strict=False)
        ]
        return super().parse_args(ctx, marked + args[end:])


def _unmarked(_context: click.Context, _word: click.Parameter, value: Any) -> Any:
    """Take the mark off again."""
    if isinstance(value, tuple):
        return tuple(word.removeprefix(_MARK) for word in value)
    return value and value.removeprefix(_MARK)  # a shell that completes words has none yet


@click.command(
    cls=_OfNumbers,
    epilog="ARG is read as JSON where it can be, else as text: 42, true, '[1, 2]', ada@example.org. Where the"
    " function wants a text, 42 is one. What else begins with a dash goes behind a --.",
)
@settings_option
@click.argument("function", callback=_unmarked)
@click.argument("words", metavar="[ARG]...", nargs=-1, callback=_unmarked)
@click.option(
    "--kwarg", "pairs", multiple=True, metavar="NAME=VALUE", help="An argument by name; may be given again."
)
@click.option("--json", "json_", metavar="JSON", help="Arguments as a JSON object, or as a list.")
@click.option("--in", "delay", callback=seconds, metavar="SPAN", help="Not before so long: 30s, 5m, 2h, 1d.")
@click.option(
    "--at", callback=_when, metavar="TIME", help="Not before: 2026-11-20T09:00, local without a zone."
)
@click.option("--queue", metavar="QUEUE", help="Its queue, where several run this function.")
@click.option("--priority", type=click.IntRange(0, 9), help="0, the default, runs first, 9 last.")
@click.option("--id", "job_id", metavar="ID", help="An id of your own: enqueued only if no other job has it.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="To find it by; may be given again.")
@click.option("--wait", is_flag=True, help="Wait for its end, and tell its result; end with 1 if it failed.")
@click.option("--timeout", callback=seconds, metavar="SPAN", help="With --wait: no longer than this.")
@output_option()
def enqueue(
    settings: tuple[str, ...],
    function: str,
    words: tuple[str, ...],
    pairs: tuple[str, ...],
    json_: str | None,
    queue: str | None,
    wait: bool,
    timeout: float | None,
    output: str,
    **given: Any,
) -> None:
    """Enqueue a job, and wait for its result if asked to.

    FUNCTION is the name of one that the settings have. Prints the id of the job, or with --wait its result.
    """
    if given["delay"] is not None and given["at"] is not None:
        raise click.UsageError("--in and --at both say when: give one")
    if timeout is not None and not wait:
        raise click.UsageError("--timeout is how long to --wait")
    named, (more_args, more_kwargs) = words_of(pairs), arguments_of(json_)
    waits_for: list[str] = []

    async def work(console: Console) -> Enqueued:
        place, target = find(console, function, queue)
        args, kwargs = read(target, words, named)
        pool = await console.pool(place.key)
        options = {name: value for name, value in given.items() if value not in (None, ())}
        if queue is not None:
            options["queue"] = place.queue
        try:
            job = await pool.options(**options).enqueue(target, *args, *more_args, **kwargs, **more_kwargs)
        except JobConflict as error:
            raise Failed(str(error)) from error
        told = Enqueued(job.job_id, place.key, function, not job.conflict)
        if wait:
            waits_for.append(job.job_id)
        if wait or told.is_new:
            await _warn_of_waiting(console, place.key)
        if wait:
            await _await_end(job, told, timeout)
        return told

    if doubled := named.keys() & more_kwargs.keys():
        raise click.UsageError(f"--kwarg and --json both give {min(doubled)!r}")
    with _leaving(waits_for):
        told = operate(settings, work)
    _tell(told, output, has_waited=wait)


@contextlib.contextmanager
def _leaving(waits_for: list[str]) -> Iterator[None]:
    """Ctrl-C ends the wait for jobs and not the jobs: say so."""
    try:
        yield
    except KeyboardInterrupt:
        if not waits_for:
            raise
        for job_id in map(printable, waits_for):
            click.echo(f"job {job_id} goes on: arqlite job {job_id}", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


async def _warn_of_waiting(console: Console, key: str) -> None:
    """Who enqueues a job that nobody runs should know it, and why."""
    queue = await console.queue(key)
    if queue.is_paused:
        told = printable(key)
        click.echo(f"queue {told} is paused: the job waits until arqlite resume {told}", err=True)
    if not queue.workers and not queue.error:
        click.echo(f"no worker of queue {printable(key)} is alive: the job waits until one starts", err=True)


async def _await_end(job: Job[Any], told: Enqueued, timeout: float | None) -> None:
    """Wait for the end of a job, with a progress bar where a person looks on."""
    try:
        async with asyncio.timeout(timeout):
            await _follow(job)
            result = await job.result()
        told.result, told.is_redacted = _hidden(result)
        told.state = "completed"
    except TimeoutError as error:
        info = await job.result_info()
        if info is None:
            raise Failed(
                f"job {job.job_id} has not ended in time: arqlite job {job.job_id} tells of it"
            ) from error
        told.error, told.state = _words(error), "failed"
    except ResultNotFound as error:
        raise Failed(f"job {job.job_id} has ended, and its result is not kept") from error
    except (Exception, asyncio.CancelledError) as error:
        # What a job failed with may be anything; only one that has an end has failed.
        info = await job.result_info()
        if info is None:
            raise
        told.error, told.state = _words(error), "failed"


def _hidden(result: Any) -> tuple[Any, bool]:
    """A result without what looks like a secret, and whether it had any."""
    from ..console.redaction import Hider

    hider = Hider()
    shown = hider.shown(result)
    return (shown, True) if hider.has_hidden else (result, False)


async def _follow(job: Job[Any]) -> None:
    with progress() as bar:
        task = bar.add_task(f"job {job.job_id}", total=None)
        async for step in job.follow_progress():
            bar.update(task, completed=step.current, total=step.total, description=_description(step))


def _description(step: Progress) -> str:
    return printable(step.message) or "running"


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _tell(told: Enqueued, output: str, *, has_waited: bool) -> None:
    if output == "json":
        tell_json(told)
    elif not has_waited:
        click.echo(told.id)
    elif told.state == "completed":
        _tell_result(told.result)
    if told.is_redacted:
        click.echo("some values are not shown: they look like secrets", err=True)
    if not told.is_new and not has_waited:
        click.echo("it was there already: nothing was enqueued", err=True)
    if told.state == "failed":
        raise Failed(f"job {told.id} failed: {told.error}")


def _tell_result(result: Any) -> None:
    """A text is told as it is, so that others can use it; all else as JSON."""
    if isinstance(result, str):
        click.echo(printable(result, keep_lines=True) if is_rich(sys.stdout) else result)
    else:
        tell_json(result)
