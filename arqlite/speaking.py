"""Whose log line it is where several workers speak in one process."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_speaker: ContextVar[str] = ContextVar("arqlite_speaker", default="")


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
        # An event tells its queue, and its line may have to stay JSON.
        if name and not hasattr(record, "arqlite_event"):
            mark = f"[{name}] "
            # A `%` of the name is none of the format's.
            record.msg = (mark.replace("%", "%%") if record.args else mark) + str(record.msg)
        return True


def _is_of_arqlite(logger_name: str) -> bool:
    return logger_name.partition(".")[0] == "arqlite"
