"""`arqlite path.to.WorkerSettings`: run workers, or check that they are alive."""

from __future__ import annotations

import asyncio
import contextlib
import logging.config
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError, LedgerError, LedgerUnavailable
from ..logs import default_log_config
from ..probes.systemd import announced
from ..speaking import speakers_named, speaking_as
from .broken import load_in_words
from .choosing import chosen, queues_of
from .defaults import HOW_TO_NAME, named
from .hints import with_advice
from .leash import Leash
from .loading import load as load
from .supervisor import MISTAKE, NUMBER, Supervisor
from .watch import watch_of

if TYPE_CHECKING:
    from ..worker import Worker

_MOST_PROCESSES = 1024


@click.command(
    epilog="Ctrl-C or SIGTERM shuts down: running jobs have job_completion_wait seconds to end, then they go"
    " back to the queue. A second one does not wait."
)
@click.argument("worker_settings", metavar="[WORKER_SETTINGS]...", nargs=-1)
@click.option("--burst/--no-burst", default=None, help="End when the queue is empty.")
@click.option("--check", is_flag=True, help="Run nothing; exit 0 if a worker of each is alive, else 1.")
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, _MOST_PROCESSES),
    help="Run N such processes; one that crashes is replaced.",
)
@click.option(
    "--watch",
    metavar="DIR",
    type=click.Path(exists=True, dir_okay=True, file_okay=False),
    help="Start anew when Python files below DIR change.",
)
@click.option(
    "--queues",
    metavar="NAME:JOBS,...",
    callback=queues_of,
    help="Run only these queues, each with so many jobs at once: default:20,mail:5. One class of settings"
    " runs any queue, with its cron jobs in its own.",
)
@click.option("--node", metavar="NAME", help="What this host is called, for pause --node and filters.")
@click.option(
    "--health-port",
    metavar="PORT",
    type=click.IntRange(0, 65_535),
    help="Answer /livez, /readyz, /startupz and /metrics there; of N processes the second one PORT + 1, and"
    " so on.",
)
@click.option(
    "--health-host",
    metavar="ADDRESS",
    help="Where to listen for those; 127.0.0.1 by default, 0.0.0.0 is all.",
)
@click.option(
    "--health-file",
    metavar="PATH",
    help="Write the same into a file each second, for arqlite health --file; of N processes the second one"
    " into PATH.2, and so on.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show DEBUG lines, too.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="How lines are written: text as arq does (the default), or one JSON object each.",
)
@click.option(
    "--custom-log-dict", metavar="PATH", help="Your own logging configuration: package.module.dict."
)
def worker(
    worker_settings: tuple[str, ...],
    burst: bool | None,
    check: bool,
    processes: int | None,
    watch: str | None,
    queues: dict[str, int | None],
    node: str | None,
    health_port: int | None,
    health_host: str | None,
    health_file: str | None,
    verbose: bool,
    log_format: str | None,
    custom_log_dict: str | None,
) -> None:
    """Run workers, as their settings describe them.

    Each of WORKER_SETTINGS is the path of a settings class, instance or dict: package.module.WorkerSettings.
    Several run in one process, each with its own queue, Redis database and limits.
    """
    leash = Leash.of_environment()
    worker_settings = named(worker_settings)
    if not worker_settings:
        raise click.UsageError(f"which settings? Name some, app.worker.WorkerSettings, or {HOW_TO_NAME}")
    logging.config.dictConfig(_log_config(verbose, log_format, custom_log_dict))
    if leash is None and not check and (processes is not None or watch is not None):
        sys.exit(_supervise(processes or 1, watch))
    loaded = [(load_in_words if check else load)(path) for path in worker_settings]
    with told_in_words(lambda: True):
        settings = chosen(loaded, queues)
    if check:
        sys.exit(_check(list(queues) or worker_settings, settings))
    told = {
        "burst": burst, "node": node, "health_port": health_port, "health_host": health_host,
        "health_file": health_file,
    }  # fmt: skip
    _run(settings, {name: value for name, value in told.items() if value is not None}, leash)


def _log_config(verbose: bool, log_format: str | None, custom_log_dict: str | None) -> dict[str, Any]:
    if custom_log_dict is None:
        return default_log_config(verbose, json=log_format == "json")
    if log_format is not None:
        raise click.UsageError(
            "--log-format and --custom-log-dict exclude each other: the dict has formatters"
        )
    log_config = load(custom_log_dict)
    if not isinstance(log_config, dict):
        raise click.UsageError(f"--custom-log-dict must name a dict, {custom_log_dict} is {log_config!r}")
    return log_config


def _supervise(count: int, watched: str | None) -> int:
    try:
        watch = None if watched is None else watch_of(watched)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error

    async def run() -> int:
        supervisor = Supervisor(count, watch)
        # It knows of no settings, and so not for how long its children may go on: it asks for no more time.
        return await announced(supervisor.run(), [supervisor.signs], None, "processes")

    return asyncio.run(run())


def _check(paths: Sequence[str], settings: Sequence[Any]) -> int:
    from ..worker import check_health  # here, so that `--help` need not load redis

    if len(settings) == 1:
        with told_in_words(lambda: True):
            return check_health(settings[0])
    codes = []
    with speakers_named():
        for path, one in zip(paths, settings, strict=True):
            try:
                with speaking_as(path), told_in_words(lambda: True, path):
                    codes.append(check_health(one))
            except click.ClickException as error:  # the others want to be looked at, too
                error.show()
                codes.append(error.exit_code)
    return max(codes)


def _run(settings: Sequence[Any], options: dict[str, Any], leash: Leash | None) -> None:
    from ..fleet import create_fleet
    from ..worker import create_worker, run_in_own_loop

    if leash is None and len(settings) == 1:
        with told_in_words(lambda: True):
            made = create_worker(settings[0], **options)
        with told_in_words(lambda: not made.has_reached_redis):
            made.run()
        return
    told = click.ClickException if leash is None else Mistake
    with told_in_words(lambda: True, told=told):
        fleet = create_fleet(settings, **options)
        _part_health(fleet.workers)
    with told_in_words(lambda: fleet.failed is not None and not fleet.failed.has_reached_redis):
        run_in_own_loop(fleet.run_and_close() if leash is None else leash.run(fleet), fleet.workers)


def _part_health(workers: Sequence[Worker]) -> None:
    """Give each process of several its own port and file: the first has those that were told."""
    told = os.environ.get(NUMBER, "")
    number = int(told) if told.isdecimal() else 1
    for worker in workers:
        if worker.options.health_port:
            worker.options.health_port += number - 1
        if worker.options.health_file and number > 1:
            worker.options.health_file += f".{number}"


class Mistake(click.ClickException):
    """Tells the supervisor that another start would end the same."""

    exit_code = MISTAKE


@contextlib.contextmanager
def told_in_words(
    is_expected: Callable[[], bool], about: str = "", told: type[click.ClickException] = click.ClickException
) -> Iterator[None]:
    """End the program with `Error: ...` instead of a traceback, for mistakes that are no bug.

    Settings that cannot work, tables of the ledger that cannot be used and a Redis that cannot be reached are
    none; what a hook or a service raises later on may be one, and keeps its traceback.

    Args:
        is_expected: tells whether an error that may be a bug is none.
        about: what the error is about, where that is not clear.
        told: what the program ends with.
    """
    from redis.exceptions import RedisError

    try:
        yield
    except LedgerUnavailable:
        raise
    except (ConfigurationError, LedgerError) as error:
        raise told(_words(error, about)) from error
    except (RedisError, OSError) as error:
        if not is_expected():
            raise
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        text = f"Redis cannot be reached ({reason})" + (about and f" ({about})")
        raise told(with_advice(text)) from error
    except (RuntimeError, ValueError, ImportError) as error:
        if not is_expected():
            raise
        raise told(_words(error, about)) from error


def _words(error: Exception, about: str) -> str:
    notes = [about] if about else getattr(error, "__notes__", [])
    return str(error) + "".join(f" ({note})" for note in notes)
