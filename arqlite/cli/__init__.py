"""The command line: `arqlite path.to.WorkerSettings` as with arq, and subcommands."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import Any

import click

from ..version import VERSION
from .sections import Entry, WorkerFirst

__all__ = ("check_health", "cli", "create_worker", "default_log_config", "main", "run_worker", "watch_reload")

_ELSEWHERE = {
    **dict.fromkeys(("check_health", "create_worker", "run_worker"), "arqlite.worker"),
    "default_log_config": "arqlite.logs",
    "watch_reload": "arqlite.cli.watch",
}

SECTIONS = {
    "Workers": {
        "worker": Entry("worker", "worker", "Run workers, as their settings describe them."),
        "dev": Entry(
            "dev", "dev", "Run workers with all that they need, and start them anew when the code changes."
        ),
        "health": Entry("health", "health", "Tell whether a worker is well, by the answer of its probe."),
        "workers": Entry("workers", "workers", "List the workers that are alive, and what they do."),
        "top": Entry("top", "top", "Watch queues, workers and failures live."),
        "dashboard": Entry("dashboard", "dashboard", "Show and steer queues in a browser."),
    },
    "Jobs": {
        "enqueue": Entry("enqueue", "enqueue", "Enqueue a job, and wait for its result if asked to."),
        "jobs": Entry("jobs", "jobs", "List jobs, the newest first."),
        "job": Entry("job", "job", "Tell everything that is known of one job."),
        "retry": Entry("bulk", "retry", "Have jobs run again now."),
        "cancel": Entry("bulk", "cancel", "Cancel jobs that have not ended."),
        "delete": Entry("bulk", "delete", "Delete jobs that do not run, with their results."),
        "errors": Entry("errors", "errors", "List failures by what they have in common."),
    },
    "Queues": {
        "queues": Entry("queues", "queues", "List the queues, and what waits and runs in them."),
        "pause": Entry("steering", "pause", "Have workers claim nothing of a queue any more."),
        "resume": Entry("steering", "resume", "Let workers claim jobs of a queue again."),
        "scale": Entry("steering", "scale", "Change how many jobs of a queue may run."),
        "drain": Entry("steering", "drain", "Pause a queue and wait until nothing of it runs."),
        "cron": Entry("crons", "cron", "List cron jobs; run one now, pause or resume it."),
    },
    "Ledger": {
        # `db export` joins the group in a module of its own.
        "db": Entry("export", "db", "The ledger's tables: create or upgrade them, look at them, prune them."),
        "reconcile": Entry(
            "reconcile", "reconcile", "Compare the ledger with Redis, and make the two agree."
        ),
    },
    "Setup": {
        "init": Entry("init", "init", "Write two jobs, the settings of their worker, and a test."),
        "doctor": Entry("doctor", "doctor", "Find what is wrong before it goes wrong."),
        "config": Entry("config", "config", "What settings come to, and where each value is from."),
        "embedded": Entry("embedded", "embedded", "The embedded Valkey of this project."),
        "import-arq": Entry(
            "import_arq",
            "import_arq",
            "Move the jobs that a live arq has not run into arqlite, and copy its results.",
        ),
        "completion": Entry("completion", "completion", "Print what has a shell complete arqlite's words."),
        "version": Entry("about", "version", "Tell the versions of arqlite and of what it stands on."),
    },
}
"""All commands, as the help lists them."""


def __getattr__(name: str) -> Any:
    """Give the names that arq's module has by import; a look at the help need not load the worker."""
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE[name]), name)


@click.group(
    cls=WorkerFirst,
    sections=SECTIONS,
    subcommand_metavar="WORKER_SETTINGS... | COMMAND",
    epilog="Run a worker: arqlite app.worker.WorkerSettings; its options: arqlite worker --help",
)
@click.version_option(VERSION, "-V", "--version", prog_name="arqlite")
def cli() -> None:
    """Job queues on Redis with an SQL row for every job."""


def main(**kwargs: Any) -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What jobs bring along may be text that a terminal has no bytes for.
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="arqlite", **kwargs)
