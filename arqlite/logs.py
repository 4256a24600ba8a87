"""The logging configuration of the command line."""

from __future__ import annotations

from typing import Any


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
