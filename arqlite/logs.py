"""The logging configuration of the command line, and whose line it is where several workers speak."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_speaker: ContextVar[str] = ContextVar("arqlite_speaker", default="")


def default_log_config(verbose: bool) -> dict[str, Any]:
    """Make a `logging.config.dictConfig` that shows arqlite's lines on stderr.

    Args:
        verbose: whether DEBUG is shown, too.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "arqlite.standard": {
                "level": "DEBUG" if verbose else "INFO",
                "class": "logging.StreamHandler",
                "formatter": "arqlite.standard",
            }
        },
        "formatters": {"arqlite.standard": {"format": "%(asctime)s: %(message)s", "datefmt": "%H:%M:%S"}},
        "loggers": {"arqlite": {"handlers": ["arqlite.standard"], "level": "DEBUG" if verbose else "INFO"}},
    }


@contextlib.contextmanager
def speaking_as(name: str) -> Iterator[None]:
    """Let the lines of what the block does, and of the tasks that it starts, begin with a name.

    Only while `speakers_named` lasts; an empty name changes nothing.
    """
    token = _speaker.set(name)
    try:
        yield
    finally:
        _speaker.reset(token)


@contextlib.contextmanager
def speakers_named() -> Iterator[None]:
    """Show the name of the speaker in arqlite's lines while the block runs."""
    loggers = [
        logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if _is_of_arqlite(name)
    ]
    naming = _Naming()
    for logger in loggers:
        logger.addFilter(naming)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(naming)


class _Naming(logging.Filter):
    """Puts the speaker in front of a line; no line is held back."""

    def filter(self, record: logging.LogRecord) -> bool:
        name = _speaker.get()
        if name:
            mark = f"[{name}] "
            # A `%` of the name is none of the format's.
            record.msg = (mark.replace("%", "%%") if record.args else mark) + str(record.msg)
        return True


def _is_of_arqlite(logger_name: str) -> bool:
    return logger_name.partition(".")[0] == "arqlite"
