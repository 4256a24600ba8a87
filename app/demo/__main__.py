"""The demo's command line: `scripts/demo`, or `python -m app.demo` where the environment is there already."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from app.demo.errors import DemoError
from app.demo.options import Options, configure
from arqlite.errors import ArqliteError

_PIPE_WIDTH = 120
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_path = click.Path(path_type=Path, resolve_path=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--once", is_flag=True, help="End when the jobs have ended; exit 0 only if all succeeded.")
@click.option(
    "--mailbox",
    type=_path,
    metavar="PATH",
    help="Your own mail: a folder of .eml files, an mbox file or a Maildir. It is only read.",
)
@click.option("--json", "json_file", type=_path, metavar="FILE", help="Write the summary for programs.")
@click.option(
    "--transactions",
    "transactions_file",
    type=_path,
    metavar="FILE",
    help="Write a CSV with a row for every message of the mailbox.",
)
@click.option(
    "--data-dir", type=_path, metavar="FOLDER", help="Where everything is kept [.arqlite in the checkout]."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The API's port [8000, or the next that is free]."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    help="Seconds that the jobs may take.",
)
def main(**given: Any) -> None:
    """Start an embedded Valkey, two workers and the API; fetch a mailbox and read it for money.

    Exit codes: 0 all jobs succeeded, 1 something failed, 2 it could not start with these arguments, 128 + N
    ended by signal N.
    """
    sys.exit(run(Options(**given), Path.cwd()))


def run(options: Options, cwd: Path) -> int:
    """Play the demo and return the exit code."""
    console = make_console()
    try:
        configure(options)
        return asyncio.run(_play(options, console, cwd))
    except (DemoError, ArqliteError) as error:
        console.print(f"\n  {error}\n", style="red", highlight=False, markup=False, soft_wrap=True)
        return getattr(error, "exit_code", 1)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read our output has gone; everything is ended by now
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # flushed at the interpreter's end
        return 128 + signal.SIGPIPE


class PipeAwareConsole(Console):
    """A console whose reader may leave: that is told as any error is, where rich would end the program."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, and tell it."""
        self.quiet = True
        raise BrokenPipeError


def make_console() -> Console:
    """A console for this terminal; into a pipe, lines wide enough for the tables."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # merchants have names that a terminal's encoding may lack
    return PipeAwareConsole(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


async def _play(options: Options, console: Console, cwd: Path) -> int:
    from app.demo.story import Demo  # reads the settings, which `configure` has prepared

    demo = Demo(options, console, cwd)
    playing = asyncio.ensure_future(demo.play())
    caught: list[signal.Signals] = []

    def on(number: signal.Signals) -> Callable[[], None]:
        def handle() -> None:
            caught.append(number)
            if len(caught) == 1:
                playing.cancel()
            else:
                demo.processes.kill()

        return handle

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        with suppress(ValueError, NotImplementedError):
            loop.add_signal_handler(number, on(number))
    try:
        return 0 if await playing else 1
    except asyncio.CancelledError:
        if demo.summary is not None and not options.once:
            return 0 if demo.summary.ok else 1  # the way it is meant to end
        return 128 + caught[0]


if __name__ == "__main__":
    main(prog_name="scripts/demo")
