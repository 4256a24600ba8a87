"""`arqlite import-arq`: move what a live arq has not run into a queue of arqlite."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError
from .broken import load_in_words
from .defaults import named_one
from .output import output_option, tell_json
from .worker import told_in_words

if TYPE_CHECKING:
    from ..migration.importer import Choices, Importer
    from ..migration.report import Report
    from ..settings import WorkerOptions

_SOMETHING_LEFT = 3
_LINE_EVERY_S = 5.0


@click.command("import-arq")
@click.argument("worker_settings", metavar="[WORKER_SETTINGS]", required=False)
@click.option(
    "--from", "source", metavar="REDIS_URL", help="Where arq's data is; the settings' Redis by default."
)
@click.option(
    "--queue", "queues", multiple=True, metavar="NAME",
    help="arq's queue; may be given again. The settings' queue name by default.",
)  # fmt: skip
@click.option(
    "--deserializer", metavar="IMPORT.PATH",
    help="What reads arq's jobs and results: the application's job_deserializer. Pickle by default.",
)  # fmt: skip
@click.option(
    "--dry-run", is_flag=True, help="Tell what would be done; change nothing, load no class of yours."
)
@click.option("--no-results", is_flag=True, help="Leave results where they are.")
@click.option("--wait", is_flag=True, help="Wait until arq's workers have ended what they run.")
@click.option("--force", is_flag=True, help="Take what is running, too: only once arq's workers are gone.")
@click.option("--keep-expiry", is_flag=True, help="Let jobs expire a day after they were due, as arq does.")
@click.option(
    "--unknown-functions", is_flag=True, help="Move jobs of functions that these settings lack, too."
)
@output_option()
def import_arq(
    worker_settings: str | None,
    source: str | None,
    queues: tuple[str, ...],
    deserializer: str | None,
    dry_run: bool,
    no_results: bool,
    wait: bool,
    force: bool,
    keep_expiry: bool,
    unknown_functions: bool,
    output: str,
) -> None:
    """Move the jobs that a live arq has not run into arqlite, and copy its results.

    arq's workers may go on meanwhile: what they run is left to them, and no job is run twice or lost.
    Target, queue and serializer are those of WORKER_SETTINGS (package.module.WorkerSettings). Jobs are
    unpickled here, so run it where the application's classes can be imported.

    Ends with 0 when everything was moved, 3 when something was left, 1 on trouble with Redis.
    """
    if wait and force:
        raise click.UsageError("--wait leaves running jobs to arq and --force takes them: give one")
    settings = load_in_words(named_one(worker_settings, "into which queue?"))
    own_deserializer = load_in_words(deserializer) if deserializer else None
    if own_deserializer is not None and not callable(own_deserializer):
        raise click.UsageError(f"--deserializer must name a function, got {own_deserializer!r}")

    from ..migration.importer import Choices

    choices = Choices(dry_run=dry_run, results=not no_results, wait=wait, force=force)
    with told_in_words(lambda: True):
        options = _options(settings)
    with _redis_in_words():
        report = asyncio.run(
            _import(options, source, queues, own_deserializer, choices, keep_expiry, unknown_functions)
        )
    _tell(report, output)
    if not report.is_complete:
        sys.exit(_SOMETHING_LEFT)


def _options(settings: Any) -> WorkerOptions:
    from ..settings import WorkerOptions, get_kwargs

    return WorkerOptions(**get_kwargs(settings))


async def _import(
    options: WorkerOptions,
    source: str | None,
    queues: Sequence[str],
    deserializer: Callable[[bytes], Any] | None,
    choices: Choices,
    keep_expiry: bool,
    unknown_functions: bool,
) -> Report:
    from ..connections import RedisSettings, create_pool
    from ..engine import RedisEngine
    from ..migration.convert import Converter
    from ..migration.importer import Importer
    from ..migration.source import ArqQueue
    from ..migration.wire import Reader
    from ..model.codec import Codec

    target = options.redis_pool or await create_pool(options.redis_settings)
    origin = target if source is None else await create_pool(_settings_of(source, RedisSettings))
    try:
        codec = Codec(
            options.job_serializer or target.job_serializer,
            options.job_deserializer or target.job_deserializer,
        )
        reader = Reader(deserializer, other=codec.deserializer, cautious=choices.dry_run)
        functions = None if unknown_functions else options.table()
        converter = Converter(codec, reader, functions, keep_expiry=keep_expiry, force=choices.force)
        sources = [ArqQueue(origin, queue) for queue in dict.fromkeys(queues or (options.queue,))]
        importer = Importer(sources, RedisEngine(target, options.queue), converter, reader, choices)
        return await _followed(importer)
    finally:
        await origin.aclose(close_connection_pool=True)
        await target.aclose(close_connection_pool=True)


async def _followed(importer: Importer) -> Report:
    """Run it under a progress bar where a person looks on, elsewhere with a line now and then."""
    if not sys.stderr.isatty():
        importer.progress, importer.waiting = _Lines().progress, _say_waiting
        return await importer.run()
    with click.progressbar(length=1, label="jobs", show_pos=True, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        def waiting(running: int) -> None:
            bar.label = f"waiting for {running} jobs that arq runs"
            bar.render_progress()

        importer.progress, importer.waiting = progress, waiting
        return await importer.run()


class _Lines:
    """Tells of the progress in lines, some seconds apart."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _LINE_EVERY_S

    def progress(self, done: int, total: int) -> None:
        """Say how far it is, unless that was said just now."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_EVERY_S
            click.echo(f"{done} of {total} jobs", err=True)


def _say_waiting(running: int) -> None:
    click.echo(f"waiting for {running} jobs that arq runs", err=True)


@contextlib.contextmanager
def _redis_in_words() -> Iterator[None]:
    """End with a line instead of a traceback when Redis is in trouble, or an error says it all."""
    from redis.exceptions import RedisError

    try:
        yield
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except (RedisError, OSError) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise click.ClickException(
            f"Redis cannot be reached ({reason}); nothing is lost, run it again"
        ) from error


def _settings_of(url: str, settings: Any) -> Any:
    try:
        return settings.from_dsn(url)
    except (ConfigurationError, RuntimeError, ValueError) as error:
        raise click.UsageError(f"--from: {error}") from error  # not the URL: it may have a password in it


def _tell(report: Report, output: str) -> None:
    if output == "json":
        tell_json(report.as_dict())
        return
    for line in report.lines():
        click.echo(line)
