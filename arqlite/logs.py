"""Logging: the configuration of the command line, lines in JSON, and which job a record comes from."""

from __future__ import annotations

import functools
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from .model.context import running_job
from .telemetry.logger import EVENT_FIELDS
from .telemetry.wording import json_of

__all__ = (
    "JsonFormatter",
    "add_fields",
    "default_log_config",
    "install_job_fields",
    "job_fields",
    "line_fields",
    "trace_fields",
    "uninstall_job_fields",
)

# What every record has; the rest came by `extra`.
_OF_EVERY_RECORD = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", EVENT_FIELDS}
)
_NO_JOB = {"job_id": "-", "job_function": "-", "job_queue": "-", "job_try": "-"}
_NO_TRACE = {"trace_id": "-", "span_id": "-"}
# A line of JSON says it as events do.
_AS_EVENTS_SAY = {"job_function": "function", "job_queue": "queue", "job_try": "attempt"}
_is_installed = False
_plain: Any = None
_adding: Any = None


def default_log_config(verbose: bool, *, json: bool = False) -> dict[str, Any]:
    """Make a `logging.config.dictConfig` that shows arqlite's lines on stderr.

    Args:
        verbose: whether DEBUG is shown, too.
        json: whether the lines are JSON, by `JsonFormatter`; then those of all other loggers are shown, too,
            from INFO on.
    """
    level = "DEBUG" if verbose else "INFO"
    handled = {"handlers": ["arqlite.standard"], "level": "INFO" if json else level}
    loggers = {"arqlite": {"level": level}} if json else {"arqlite": handled}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "arqlite.standard": {
                "level": level,
                "class": "logging.StreamHandler",
                "formatter": "arqlite.standard",
            }
        },
        "formatters": {
            "arqlite.standard": {"()": JsonFormatter}
            if json
            else {"format": "%(asctime)s: %(message)s", "datefmt": "%H:%M:%S"}
        },
        "loggers": loggers,
        **({"root": handled} if json else {}),
    }


class JsonFormatter(logging.Formatter):
    """Writes each record as one line of JSON; for any handler of any logger.

    A line has `time` (UTC, with ms), `level`, `logger` and `message`; for an event that the default logger of
    `arqlite.telemetry` writes, the event's fields in place of the message; of the job that logs `job_id`,
    `queue`, `function` and `attempt`, as events have them, and the ids of its trace (see
    `install_job_fields`); what came by `extra`; and `stacktrace` where there is one. What JSON cannot hold
    becomes text.
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
            if name not in _NO_JOB and name not in _NO_TRACE:
                fields[name] = value
            # An event tells its own job; it may not be the one that runs where it happens.
            elif told is None and value != "-":
                fields.setdefault(_AS_EVENTS_SAY.get(name, name), value)
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


def line_fields() -> dict[str, Any]:
    """Tell what a line is to say of the job that the calling code runs for, in the words of events: `job_id`,
    `queue`, `function` and `attempt`, and what `trace_fields` tells; empty where there is neither.
    """
    told = {_AS_EVENTS_SAY.get(name, name): value for name, value in job_fields().items()}
    return told | trace_fields()


def trace_fields() -> dict[str, str]:
    """Tell `trace_id` and `span_id` of the span that is open where this is called: of OpenTelemetry, else of
    Sentry. Empty without one, and where neither is in use.
    """
    # Without the attribute, another thread is just importing it.
    if (
        current_span := getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
    ) is not None:
        context = current_span().get_span_context()
        if context.is_valid:
            return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    current_span = getattr(sys.modules.get("sentry_sdk"), "get_current_span", None)
    span = None if current_span is None else current_span()
    return {} if span is None else {"trace_id": str(span.trace_id), "span_id": str(span.span_id)}


def install_job_fields() -> None:
    """Give every log record `job_id`, `job_function`, `job_queue` and `job_try`, and `trace_id` and `span_id`
    where the job is followed; "-" outside of a job, and of a span.

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


def add_fields(record: logging.LogRecord) -> None:
    """Give a record the fields that `install_job_fields` promises, if that was called; its own ones stay."""
    if _is_installed:
        told = {**_NO_TRACE, **(job_fields() or _NO_JOB), **trace_fields()}
        for name, value in told.items():
            record.__dict__.setdefault(name, value)


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
        add_fields(record)
        return record

    return make_record
