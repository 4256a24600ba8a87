"""`arqlite cron`: cron jobs, when they come next, and what is done to them by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from ..model.slips import meant
from .exits import Failed, Nothing
from .operating import end_if_away, operate, operate_knowing
from .output import output_option, plain, tell_json, tell_table
from .targets import GroupOfQueues, OfQueues, settings_option
from .wording import ago

if TYPE_CHECKING:
    from ..console import Console, CronLine
    from ..model.cronjob import CronJob

_NAMES = ("name", "queue", "schedule", "zone", "state", "last", "next", "function")
_TICK = timedelta(seconds=1)
_queue_option = click.option(
    "--queue", metavar="QUEUE", help="Its queue, where several have one of this name."
)


@click.group(cls=GroupOfQueues, invoke_without_command=True, subcommand_metavar="[COMMAND]...")
@settings_option
@click.option(
    "--next", "count", type=click.IntRange(1, 1000), metavar="N", help="Tell the next N times of each, too."
)
@output_option()
@click.pass_context
def cron(ctx: click.Context, settings: tuple[str, ...], count: int | None, output: str) -> None:
    """List cron jobs; run one now, pause or resume it.

    Ends with 3 if there are none.
    """
    if ctx.invoked_subcommand is None:
        _list(settings, count or 0, output)


@cron.command(cls=OfQueues)
@settings_option
@click.argument("name")
@_queue_option
@output_option()
def run(settings: tuple[str, ...], name: str, queue: str | None, output: str) -> None:
    """Enqueue a job of a cron job now."""

    async def work(console: Console) -> tuple[CronLine, str]:
        line = await _named(console, name, queue)
        return line, (await console.run_cron(line.queue, line.name)).job_id

    line, job_id = operate(settings, work)
    if output == "json":
        tell_json({"queue": line.queue, "name": line.name, "id": job_id})
    else:
        click.echo(job_id)


@cron.command(cls=OfQueues)
@settings_option
@click.argument("name")
@_queue_option
@output_option()
def pause(settings: tuple[str, ...], name: str, queue: str | None, output: str) -> None:
    """Let the times of a cron job pass without a job."""
    _switch(settings, name, queue, output, "paused", lambda console: console.pause_cron)


@cron.command(cls=OfQueues)
@settings_option
@click.argument("name")
@_queue_option
@output_option()
def resume(settings: tuple[str, ...], name: str, queue: str | None, output: str) -> None:
    """Let a cron job go on."""
    _switch(settings, name, queue, output, "resumed", lambda console: console.resume_cron)


def _switch(
    settings: Sequence[str],
    name: str,
    queue: str | None,
    output: str,
    done: str,
    verb: Callable[[Console], Callable[[str, str], Coroutine[Any, Any, bool]]],
) -> None:
    async def work(console: Console) -> tuple[CronLine, bool]:
        line = await _named(console, name, queue)
        return line, await verb(console)(line.queue, line.name)

    line, is_changed = operate(settings, work)
    if output == "json":
        tell_json({"queue": line.queue, "name": line.name, "action": done, "is_changed": is_changed})
    else:
        click.echo(f"{done} {line.name}" if is_changed else f"{line.name} was {done} already")


async def _named(console: Console, name: str, queue: str | None) -> CronLine:
    """Find the cron job of a name; of one that was given none its function will do."""
    if queue is not None:
        await console.queue(queue)  # which says what is near where there is none
    lines = [line for line in (await console.crons()).crons if queue in (None, line.queue)]
    found = [line for line in lines if line.name == name] or [
        line for line in lines if line.name == f"cron:{name}"
    ]
    if len(found) == 1:
        return found[0]
    if found:
        queues = ", ".join(line.queue for line in found)
        raise Failed(f"several queues have a cron job {name!r}: say --queue, one of {queues}")
    names = [line.name for line in lines]
    hint = meant(name, names, {}) or (f"there are {', '.join(names)}" if names else "there are none")
    raise Nothing(f"there is no cron job {name!r}; {hint}")


def _list(settings: Sequence[str], count: int, output: str) -> None:
    async def work(console: Console) -> list[tuple[CronLine, list[datetime]]]:
        own = _of_settings(console)
        lines = (await console.crons()).crons
        return [(line, _coming(line, own.get((line.queue, line.name)), count)) for line in lines]

    found, away = operate_knowing(settings, work)
    if output == "json":
        tell_json([plain(line) | ({"coming": coming} if count else {}) for line, coming in found])
    elif found:
        tell_table(_NAMES, [_row(line) for line, _ in found])
        for line, coming in found if count else ():
            _tell_coming(line, coming)
    end_if_away(away)
    if not found:
        raise Nothing("no cron jobs are known: the workers of a queue tell of theirs when they start")


def _row(line: CronLine) -> list[str]:
    schedule = f"{line.schedule} ({line.words})" if line.words not in ("", line.schedule) else line.schedule
    state = "paused" if line.is_paused else "on"
    last, coming = ago(line.last_at) or "never", ago(line.next_at) or "-"
    return [line.name, line.queue, schedule, line.timezone, state, last, coming, line.function]


def _tell_coming(line: CronLine, coming: Sequence[datetime]) -> None:
    if not coming:
        click.echo(f"\n{line.name}: {'paused' if line.is_paused else 'no more times are known'}")
        return
    click.echo(f"\n{line.name}:")
    for moment in coming:
        click.echo(
            f"  {moment.astimezone():%a %Y-%m-%d %H:%M:%S %Z}  {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        )


def _of_settings(console: Console) -> dict[tuple[str, str], CronJob]:
    """Cron jobs as the settings have them: they can tell all their times."""
    from ..cron import zone
    from ..model.wallclock import SystemZone

    found = {}
    for place in console.places:
        # A cron job that says no zone of its own has its times read in that of its worker.
        own = zone(place.settings.get("timezone")) or SystemZone()
        for job in place.settings.get("cron_jobs") or ():
            found[place.key, job.name] = dataclasses.replace(job, timezone=job.timezone or own)
    return found


def _coming(line: CronLine, job: CronJob | None, count: int) -> list[datetime]:
    """Tell the next times; of a cron job that is not in the settings only the first is known."""
    if line.is_paused or not count or line.next_at is None:
        return []
    found: list[datetime] = []
    moment = line.next_at
    while len(found) < count:
        found.append(moment)
        later = None if job is None else job.first_from(moment + _TICK)
        if later is None:
            break
        moment = later
    return found
