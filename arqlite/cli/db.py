"""`arqlite db`: the ledger's tables, for those who deploy them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import ConfigurationError, LedgerError, MissingExtra
from .ages import age, ages_by_name
from .broken import load_in_words
from .defaults import HOW_TO_NAME, look_in, named
from .output import output_option, tell_json

if TYPE_CHECKING:
    from ..ledger import Ledger, Retention

URL_VARIABLE = "ARQLITE_LEDGER_URL"

_DIALECTS = ("postgresql", "sqlite")
_COUNT_UP_TO = 100_000
_UNUSABLE = 1

settings_argument = click.argument("settings", metavar="[SETTINGS]", required=False)
url_option = click.option("--url", help=f"The database. Otherwise that of SETTINGS, or of {URL_VARIABLE}.")
_age_option = functools.partial(click.option, callback=age, metavar="AGE")


@click.group()
def db() -> None:
    """The ledger's tables: create or upgrade them, look at them, prune them.

    SETTINGS is the path of a worker's settings with a ledger, or of a Ledger: package.module.WorkerSettings.
    """


@db.command()
@settings_argument
@url_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds to wait for others.",
)
@output_option()
def upgrade(settings: str | None, url: str | None, timeout: float, output: str) -> None:
    """Create the tables, or bring them to what this version needs.

    It changes all or nothing, and may be started in any number of places at once.
    """
    told = run_on_ledger(settings, url, lambda ledger: _upgrade(ledger, timeout))
    if output == "json":
        tell_json(told)
        return
    if not told["is_changed"]:
        click.echo(f"nothing to do, the tables are at revision {told['revision']}")
    elif told["before"] is None:
        click.echo(f"created the tables, at revision {told['revision']}")
    else:
        click.echo(f"upgraded the tables from revision {told['before']} to {told['revision']}")
    if told["note"]:
        click.echo(f"note: {told['note']}", err=True)


@db.command()
@settings_argument
@url_option
@output_option()
def current(settings: str | None, url: str | None, output: str) -> None:
    """Tell at which revision the tables are, and how many rows they have.

    Ends with 0 if a worker of this version can work with them, else with 1 and the reason.
    """
    told, reason = run_on_ledger(settings, url, _look)
    if output == "json":
        tell_json(told | {"reason": reason})
    else:
        for line in _lines(told):
            click.echo(line)
        if reason:
            click.echo(reason, err=True)
    if reason:
        sys.exit(_UNUSABLE)


@db.command()
@settings_argument
@url_option
@click.option(
    "--dialect",
    type=click.Choice(_DIALECTS),
    help="For which database. Otherwise that of SETTINGS or the URL.",
)
@click.option("--from", "found", metavar="REVISION", help="Where the tables are, if there are any.")
@output_option()
def sql(settings: str | None, url: str | None, dialect: str | None, found: str | None, output: str) -> None:
    """Print the statements of an upgrade, for somebody else to run. Connects to nothing."""
    with in_words():
        from ..ledger.migrations import HEAD
        from ..ledger.migrations.running import ddl, revisions
        from ..ledger.revisions import standing_of

        if found is not None and found not in revisions():
            raise click.UsageError(f"no revision is called {found!r}; there are {', '.join(revisions())}")
        if dialect is None:
            dialect = _ledger(settings, url).engine.dialect.name
        is_needed = found is None or standing_of(found).is_upgradable
        statements = ddl(dialect, found).rstrip() if is_needed else ""
    if output == "json":
        tell_json({"dialect": dialect, "from": found, "to": HEAD, "sql": statements})
    else:
        click.echo(statements or f"-- nothing to do: {HEAD} is the last revision")


@db.command()
@settings_argument
@url_option
@click.option("--dry-run", is_flag=True, help="Tell how much would go; delete nothing.")
@_age_option("--success", help="How long jobs that succeeded stay: 90m, 12h, 30d or never.")
@_age_option("--failed", help="The same of those that failed.")
@_age_option("--cancelled", help="The same of those that were cancelled.")
@click.option(
    "--queue", "queues", callback=ages_by_name, multiple=True, metavar="NAME=AGE",
    help="The same of all jobs of a queue; may be given again.",
)  # fmt: skip
@click.option(
    "--function", "functions", callback=ages_by_name, multiple=True, metavar="NAME=AGE",
    help="The same of all jobs of a function; may be given again.",
)  # fmt: skip
@click.option("--max-rows", type=click.IntRange(min=0), help="How many ended jobs may stay at most.")
@_age_option("--minutes", help="How long the counts per minute stay.")
@_age_option("--audit", help="How long the audit stays.")
@_age_option("--idempotency", help="How long the keys of requests stay.")
@output_option()
def prune(
    settings: str | None,
    url: str | None,
    dry_run: bool,
    queues: dict[str, timedelta | None],
    functions: dict[str, timedelta | None],
    output: str,
    **rules: Any,
) -> None:
    """Delete the rows that are over, in small batches, and tell how many.

    The leader of a queue does so by itself. What is not said here is as the ledger of SETTINGS has it, or
    by default. Jobs that wait or run always stay.
    """
    context = click.get_current_context()
    given = {
        name: value
        for name, value in rules.items()
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    by_name = {"queues": queues, "functions": functions}

    async def work(ledger: Ledger) -> Counter[str]:
        return await _prune(ledger, _retention(ledger, given, by_name), dry_run)

    told = run_on_ledger(settings, url, work)
    if output == "json":
        tell_json(told)
        return
    click.echo("would go:" if dry_run else "pruned:")
    for name, count in told.items():
        click.echo(f"{name:<12}{count:>14,}")


async def _upgrade(ledger: Ledger, timeout: float) -> dict[str, Any]:
    from ..ledger.databases import shown_url
    from ..ledger.migrations import HEAD
    from ..ledger.schema import upgrade_tables

    before = await upgrade_tables(ledger.engine, timeout=timeout)
    is_changed = not before.standing.is_usable
    return {
        "database": shown_url(ledger.engine.url),
        "before": before.revision,
        "revision": HEAD if is_changed else before.revision,
        "is_changed": is_changed,
        "note": await _reason_against(ledger),
    }


async def _look(ledger: Ledger) -> tuple[dict[str, Any], str | None]:
    from ..ledger import store
    from ..ledger.databases import shown_url
    from ..ledger.migrations import HEAD
    from ..ledger.schema import look_at_tables

    async with ledger.engine.connect() as connection:
        tables = await look_at_tables(connection)
    reason = await _reason_against(ledger)
    rows: dict[str, int] = {}
    if reason is None:
        async with ledger.sessions() as session:
            rows = await store.count_rows(session, ledger.row_model, limit=_COUNT_UP_TO)
    told = {
        "database": shown_url(ledger.engine.url),
        "dialect": ledger.engine.dialect.name,
        "revision": tables.revision,
        "head": HEAD,
        "rows": rows,
    }
    return told, reason


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"database   {told['database']}"
    revision, head = told["revision"] or "none", told["head"]
    yield f"revision   {revision}" + (" (head)" if revision == head else f", this version has {head}")
    for table, count in told["rows"].items():
        known = f"{count:,}" if count < _COUNT_UP_TO else f"{count:,} or more"
        yield f"rows       {table}: {known}"


async def _reason_against(ledger: Ledger) -> str | None:
    """Why no worker of this version can work with the tables; None if it can."""
    try:
        await ledger.check()
    except LedgerError as error:
        return str(error)
    return None


async def _prune(ledger: Ledger, keep: Retention, dry_run: bool) -> Counter[str]:
    from ..ledger import AuditEntry, store
    from ..ledger.pruning import Pruning

    await ledger.check()
    pruning = Pruning(ledger.sessions, ledger.row_model, keep)
    if dry_run:
        return await pruning.count()
    told: Counter[str] = Counter()
    await pruning.run(told)
    if told.total():
        async with ledger.sessions.begin() as session:
            by = os.environ.get("USER", "")
            await store.audit(session, [AuditEntry("prune", actor=by, detail=dict(told))])
    return told


def _retention(ledger: Ledger, given: Mapping[str, Any], by_name: Mapping[str, Any]) -> Retention:
    """The ledger's rules, with what the command line says put over them."""
    from ..ledger.retention import KEEP_ALL

    if ledger.keep is None and not given and not any(by_name.values()):
        raise click.UsageError("this ledger keeps everything: say what is to go, for example --success 30d")
    kept = KEEP_ALL if ledger.keep is None else ledger.keep
    named = {name: {**getattr(kept, name), **rules} for name, rules in by_name.items()}
    changes: dict[str, Any] = {**given, **named}
    return dataclasses.replace(kept, **changes)


def run_on_ledger(
    settings: str | None, url: str | None, work: Callable[[Ledger], Coroutine[Any, Any, Any]]
) -> Any:
    """Do something with the ledger that the command line names, and tell in words what goes wrong."""

    found: list[Ledger] = []

    async def main() -> Any:
        ledger = _ledger(settings, url)
        found.append(ledger)
        try:
            return await work(ledger)
        finally:
            await ledger.engine.dispose()  # also one of the application's own, which nobody else will close
            await let_threads_end()

    with in_words(lambda: found[0] if found else None):
        return asyncio.run(main())


async def let_threads_end() -> None:
    """Wait for the threads of connections that could not be opened: they answer while there is a loop."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 1)


def _ledger(settings: str | None, url: str | None) -> Ledger:
    """The ledger that the command line names."""
    if settings is not None and url is not None:
        raise click.UsageError("--url and SETTINGS both name a database: give one")
    from sqlalchemy import make_url

    from ..ledger import Ledger
    from ..ledger.databases import DIALECTS, with_async_driver
    from ..surroundings import ledger_url

    if settings is not None:
        return _ledger_of(settings)
    if found := url or os.environ.get(URL_VARIABLE):
        if make_url(with_async_driver(found)).get_backend_name() not in DIALECTS:
            raise click.UsageError(f"a ledger is in {' or '.join(DIALECTS)}")
        return Ledger(found)
    if paths := named():
        return _ledger_of_all(paths)
    if found := ledger_url():
        return Ledger(found)
    raise click.UsageError(
        f"which database? Give --url, or SETTINGS with a ledger, or set {URL_VARIABLE};"
        f" for SETTINGS {HOW_TO_NAME}"
    )


def _ledger_of_all(paths: Sequence[str]) -> Ledger:
    """The one ledger of several settings.

    Raises:
        UsageError: they have none, or several.
    """
    found = {str(ledger.url): ledger for ledger in map(_ledger_of, paths)}
    if len(found) == 1:
        return next(iter(found.values()))
    raise click.UsageError(f"{' and '.join(paths)} have different ledgers: name one of them")


def _ledger_of(path: str) -> Ledger:
    from ..ledger import Ledger
    from ..ledger.given import ledger_of
    from ..settings import get_kwargs, with_default_ledger

    look_in(Path.cwd())
    found = load_in_words(path)
    if isinstance(found, Ledger):
        return found
    given = with_default_ledger(get_kwargs(found)).get("ledger")
    if given is None:
        raise click.UsageError(f"{path} has no ledger, and is none")
    return ledger_of(given)


@contextlib.contextmanager
def in_words(ledger: Callable[[], Ledger | None] = lambda: None) -> Iterator[None]:
    """End with a line instead of a traceback where a person, not a program, has to do something.

    Args:
        ledger: hands out the ledger that this is about, if it is known by now.
    """
    try:
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError

        from ..ledger.databases import shown_url
        from ..ledger.outage import words_of
    except MissingExtra as error:
        raise click.ClickException(str(error)) from error
    except ImportError as error:
        raise click.ClickException(str(MissingExtra("The SQL ledger", "ledger"))) from error
    try:
        yield
    except (ConfigurationError, LedgerError) as error:
        raise click.ClickException(str(error)) from error
    except ArgumentError as error:
        raise click.UsageError(f"no database has such a URL: {error}") from error
    except ModuleNotFoundError as error:
        raise click.ClickException(f"the database's driver is not installed: {error}") from error
    except (SQLAlchemyError, OSError) as error:
        found = ledger()
        at = "" if found is None else f" {shown_url(found.url)}"
        raise click.ClickException(f"the database{at} cannot be used ({words_of(error)})") from error
