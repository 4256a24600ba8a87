"""The default logger: every event as a line, in JSON or to be read by people."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from ..errors import ConfigurationError
from .core import Event, attach, detach
from .events import (
    EVENTS,
    JobException,
    LedgerAway,
    LedgerWritten,
    LoopBlocked,
    QueueShutdown,
    RedisFailed,
    ServiceFailed,
    ServiceStarted,
    ServiceStopped,
)
from .wording import json_of, shown, stack_of, words_of

Category = Literal["job", "worker", "loop", "queue", "cron", "leader", "ledger", "redis", "service"]

HANDLER_ID = "arqlite.default_logger"
EVENT_FIELDS = "arqlite_event"
"""Where a record of an event has its fields, as a dict; for formatters and handlers of your own."""

_CATEGORIES: dict[str, list[type]] = {}
for _event_type in EVENTS:
    _CATEGORIES.setdefault(_event_type.name.partition(".")[0], []).append(  # type: ignore[attr-defined]
        _event_type
    )
_US_PER_MS = 1000


def attach_default_logger(
    level: int | str = logging.INFO,
    *,
    json: bool = True,
    events: Literal["all"] | Category | Iterable[Category] = "all",
    queue: str | Iterable[str] | None = None,
    logger: logging.Logger | str | None = None,
    include_args: bool = False,
) -> None:
    """Log every event of this process; a second call replaces the first.

    Failures (`job.exception`, `service.exception`) are logged as ERROR, a blocked event loop, jobs that a
    shutdown found running and a ledger that is away as WARNING, what services and the ledger do every few
    moments, and each failed attempt to reach Redis, as DEBUG, and the rest at `level`.
    A service that keeps failing in the same way is told once, until it succeeds.

    Args:
        level: of the lines that are no trouble.
        json: whether a line is JSON; else it is for people.
        events: which of "job", "worker", "loop", "queue", "cron", "leader", "ledger", "redis" and "service".
        queue: only events of this queue, or of these; None is all.
        logger: where the lines go; None is the logger "arqlite.events".
        include_args: whether the arguments of jobs are shown. They may be secret, so not unless asked for.

    Raises:
        ConfigurationError: there is no such level or category, or the queue is no text.
    """
    wanted = tuple(_CATEGORIES) if events == "all" else _texts("events", events)
    for category in wanted:
        if category not in _CATEGORIES:
            raise ConfigurationError(
                f'events must be "all" or some of {", ".join(_CATEGORIES)}; got {category!r}'
            )
    log = logger if isinstance(logger, logging.Logger) else logging.getLogger(logger or "arqlite.events")
    queues = None if queue is None else frozenset(_texts("queue", queue))
    told = EventLogger(log, _level_of(level), json=json, queues=queues, include_args=include_args)
    attach(HANDLER_ID, [one for category in wanted for one in _CATEGORIES[category]], told)


def detach_default_logger() -> None:
    """End what `attach_default_logger` began; without it this does nothing."""
    detach(HANDLER_ID)


class EventLogger:
    """A handler that logs what it is told; `attach_default_logger` attaches one."""

    def __init__(
        self,
        logger: logging.Logger,
        level: int,
        *,
        json: bool,
        queues: Collection[str] | None,
        include_args: bool,
    ) -> None:
        self._logger = logger
        self._level = level
        self._json = json
        self._queues = queues
        self._include_args = include_args
        self._failing: dict[tuple[str, str], type] = {}

    def __call__(self, event: Event) -> None:
        """Log an event, if it is wanted."""
        # What belongs to no queue in particular is not another's.
        if self._queues is not None and event.queue and event.queue not in self._queues:
            return
        level = self._level_of(event)
        if not level or not self._logger.isEnabledFor(level):
            return
        fields = fields_of(event, include_args=self._include_args)
        if self._json:
            self._logger.log(level, "%s", _Line(fields, json_of), extra={EVENT_FIELDS: fields})
        else:
            stack = getattr(event, "error", None) if level == logging.ERROR else None
            self._logger.log(
                level, "%s", _Line(fields, text_of), exc_info=stack, extra={EVENT_FIELDS: fields}
            )

    def _level_of(self, event: Event) -> int:
        """Tell how important an event is; 0 is not at all."""
        match event:
            case JobException():
                return logging.ERROR
            case ServiceFailed():
                return 0 if self._keeps_failing(event) else logging.ERROR
            case ServiceStopped():
                self._failing.pop((event.queue, event.service), None)
                return logging.DEBUG
            case ServiceStarted():
                return logging.DEBUG
            case LoopBlocked() | LedgerAway():
                return logging.WARNING
            case LedgerWritten() | RedisFailed():
                return logging.DEBUG
            case QueueShutdown():
                return logging.WARNING if event.orphaned else 0
            case _:
                return self._level

    def _keeps_failing(self, event: ServiceFailed) -> bool:
        who, kind = (event.queue, event.service), type(event.error)
        was = self._failing.get(who)
        self._failing[who] = kind
        return was is kind


class _Line:
    """A line that is written when it is shown; most formatters of JSON take the fields instead."""

    __slots__ = ("_fields", "_write")

    def __init__(self, fields: Mapping[str, Any], write: Callable[[Mapping[str, Any]], str]) -> None:
        self._fields = fields
        self._write = write

    def __str__(self) -> str:
        return self._write(self._fields)


def fields_of(event: Event, *, include_args: bool = False) -> dict[str, Any]:
    """Tell an event as a dict: what the JSON logger writes.

    Durations are in microseconds, moments in ms since 1970. Results are left out, and so are arguments unless
    asked for; the job as its queue stores it has them, too, and is never told.
    """
    fields: dict[str, Any] = {"source": "arqlite", "event": event.name}
    for name in _names_of(event.__class__):
        value = getattr(event, name)
        match name:
            case "result" | "record" | "memory":
                continue
            case "args" | "kwargs":
                if include_args:
                    fields[name] = value
            case "duration_ms" | "queue_time_ms" | "elapsed_ms":
                fields[name.removesuffix("_ms")] = round(value * _US_PER_MS)
            case "error":
                fields[name] = None if value is None else words_of(value)
            case "meta":
                fields[name] = dict(value)
            case _:
                fields[name] = value
    if isinstance(event, JobException | ServiceFailed):
        fields["stacktrace"] = stack_of(event.error)
    return fields


def text_of(fields: Mapping[str, Any]) -> str:
    """Tell the fields of an event as a line for people: `job.stop send id=42 queue=mail state=completed`."""
    parts = [str(fields["event"])]
    for name, value in fields.items():
        if name in _UNSHOWN or value is None or value in ("", (), {}):
            continue
        if name in ("duration", "queue_time", "elapsed"):
            parts.append(f"{name}={value / 1_000_000:.3f}s")
        elif isinstance(value, str) and value.isprintable() and " " not in value:
            parts.append(f"{name}={value}")
        else:
            parts.append(f"{name}={shown(value)}")
    return " ".join(parts)


# The line has its own time, and the traceback follows it.
_UNSHOWN = frozenset(
    {
        *("source", "event", "stacktrace", "stack", "at_ms", "enqueue_ms", "scheduled_ms", "started_ms"),
        *("priority", "counted_attempt", "crashes"),
    }
)


@functools.cache
def _names_of(event_type: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(event_type))


def _texts(name: str, one_or_many: str | Iterable[str]) -> tuple[str, ...]:
    texts = (one_or_many,) if isinstance(one_or_many, str) else one_or_many
    if not isinstance(texts, Iterable):
        raise ConfigurationError(f"{name} must be a text or a list of texts, got {texts!r}")
    texts = tuple(texts)
    for one in texts:
        if not isinstance(one, str):
            raise ConfigurationError(f"each of {name} must be a text, got {one!r}")
    return texts


def _level_of(level: int | str) -> int:
    number = logging.getLevelName(level.upper()) if isinstance(level, str) else level
    if isinstance(number, bool) or not isinstance(number, int):
        raise ConfigurationError(
            f'level must be a level of logging, like logging.INFO or "INFO"; got {level!r}'
        )
    return number
