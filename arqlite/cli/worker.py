"""`arqlite path.to.WorkerSettings`: run a worker, or check that one is alive."""

from __future__ import annotations

import contextlib
import logging.config
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from ..errors import ConfigurationError
from ..logs import default_log_config
from ..utils import import_string


@click.command()
@click.argument("worker_settings", metavar="WORKER_SETTINGS")
@click.option("--burst/--no-burst", default=None, help="End when the queue is empty.")
@click.option(
    "--check", is_flag=True, help="Tell by the exit code whether a worker with these settings is alive."
)
@click.option("-v", "--verbose", is_flag=True, help="Show DEBUG lines, too.")
@click.option(
    "--custom-log-dict", metavar="IMPORT.PATH", help="A logging configuration of your own, as a dict."
)
def worker(
    worker_settings: str, burst: bool | None, check: bool, verbose: bool, custom_log_dict: str | None
) -> None:
    """Run the worker that a settings class, instance or dict describes: package.module.WorkerSettings."""
    sys.path.append(os.getcwd())
    log_config = default_log_config(verbose) if custom_log_dict is None else load(custom_log_dict)
    logging.config.dictConfig(log_config)
    settings = load(worker_settings)

    from ..worker import check_health, create_worker  # here, so that `--help` need not load redis

    if check:
        with told_in_words(lambda: True):
            sys.exit(check_health(settings))
    with told_in_words(lambda: True):
        made = create_worker(settings, **({} if burst is None else {"burst": burst}))
    with told_in_words(lambda: not made.has_reached_redis):
        made.run()


@contextlib.contextmanager
def told_in_words(is_expected: Callable[[], bool]) -> Iterator[None]:
    """End the program with `Error: ...` instead of a traceback, for mistakes that are no bug.

    Settings that cannot work and a Redis that cannot be reached are none; what a hook or a service
    raises later on may be one, and keeps its traceback.
    """
    from redis.exceptions import RedisError

    try:
        yield
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except (RedisError, OSError) as error:
        if not is_expected():
            raise
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise click.ClickException(f"Redis cannot be reached ({reason})") from error
    except (RuntimeError, ValueError, ImportError) as error:
        if not is_expected():
            raise
        raise click.ClickException(str(error)) from error


def load(dotted_path: str) -> Any:
    """Import what a dotted path names; a wrong path is a usage error in words."""
    try:
        return import_string(dotted_path)
    except ModuleNotFoundError as error:
        if error.name and (dotted_path == error.name or dotted_path.startswith(f"{error.name}.")):
            raise click.UsageError(
                f"no module named {error.name!r} (looked in {os.getcwd()} and the environment)"
            ) from error
        raise
    except ImportError as error:
        raise click.UsageError(str(error)) from error
