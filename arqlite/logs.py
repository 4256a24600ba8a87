"""Logging: the configuration of the command line, lines in JSON, and which job a record comes from."""

from __future__ import annotations

import functools
import logging
from datetime import UTC, datetime
from typing import Any

from .model.context import running_job
from .telemetry.logger import EVENT_FIELDS
from .telemetry.wording import json_of

__all__ = ("JsonFormatter", "default_log_config", "install_job_fields", "job_fields", "uninstall_job_fields")

# What every record has; the rest came by `extra`.
_OF_EVERY_RECORD = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", EVENT_FIELDS}
)
_NO_JOB = {"job_id": "-", "job_function": "-", "job_queue": "-", "job_try": "-"}
_is_installed = False
_plain: Any = None
_adding: Any = None


def default_log_config(verbose: bool, *, json: bool = False) -> dict[str, Any]:
    """Make a `logging.config.dictConfig` that shows arqlite's lines on stderr.

    Args:
        verbose: whether DEBUG is shown, too.
        json: whether the lines are JSON, by `JsonFormatter`.
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
        "formatters": {
            "arqlite.standard": {"()": JsonFormatter}
            if json
            else {"format": "%(asctime)s: %(message)s", "datefmt": "%H:%M:%S"}
        },
        "loggers": {"arqlite": {"handlers": ["arqlite.standard"], "level": "DEBUG" if verbose else "INFO"}},
    }


class JsonFormatter(logging.Formatter):
    """Writes each record as one line of JSON; for any handler of any logger.

    A line has `time` (UTC, with ms), `level`, `logger` and `message`; for an event that the default logger of
    `arqlite.telemetry` writes, the event's fields in place of the message; the fields of the job that logs
    (see `install_job_fields`); what came by `extra`; and `stacktrace` where there is one. What JSON cannot
    hold becomes text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        at = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
        }
        told = record.__dict__.get(EVENT_FIELDS)
        fields.update({"message": record.getMessage()} if told is None else told)
        for name, value in record.__dict__.items():
            if name in _OF_EVERY_RECORD or name in fields:
                continue
            # An event tells its own job; it may not be the one that runs where it happens.
            if name not in _NO_JOB or (told is None and value != "-"):
                fields[name] = value
        if record.exc_info and record.exc_info[0] is not None:
            fields.setdefault("stacktrace", self.formatException(record.exc_info))
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        return json_of(fields)


def job_fields() -> dict[str, Any]:
    """Tell which job the calling code runs for: `job_id`, `job_function`, `job_queue` and `job_try`.

    Empty outside of a job. For loggers of another kind: a structlog processor adds it to its event.
    """
    job = running_job.get()
    if job is None:
        return {}
    return {
        "job_id": job.job_id,
        "job_function": job.function,
        "job_queue": job.queue_name,
        "job_try": job.job_try,
    }


def install_job_fields() -> None:
    """Give every log record `job_id`, `job_function`, `job_queue` and `job_try`; "-" outside of a job.

    Any handler's format may name them then: `%(job_id)s`. A record whose `extra` has one of these names
    keeps what it was given. `Worker.run` and the command line do this; who runs a worker inside of another
    program (`Worker.async_run`) calls it once, before the first record is formatted. A second call does
    nothing.
    """
    global _is_installed, _plain, _adding  # noqa: PLW0603 (logging itself is one per process)
    _is_installed = True
    if _adding is None:
        _plain = logging.Logger.makeRecord
        _adding = _adding_fields(_plain)
        logging.Logger.makeRecord = _adding  # type: ignore[method-assign]


def uninstall_job_fields() -> None:
    """Undo `install_job_fields`."""
    global _is_installed, _adding  # noqa: PLW0603 (as above)
    _is_installed = False
    # Somebody may have wrapped it after us; then it stays between the two, and adds nothing.
    if logging.Logger.makeRecord is _adding:
        logging.Logger.makeRecord = _plain  # type: ignore[method-assign]
        _adding = None


def _adding_fields(make: Any) -> Any:
    # Not by a record factory: `logging` refuses an `extra` that names what the factory's record has, so
    # that `extra={"job_id": ...}`, which jobs have always said, would raise inside the job.
    @functools.wraps(make)
    def make_record(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = make(self, *args, **kwargs)
        if _is_installed:
            for name, value in (job_fields() or _NO_JOB).items():
                record.__dict__.setdefault(name, value)
        return record

    return make_record
