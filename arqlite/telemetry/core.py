"""Attach handlers to events, and tell the handlers. One bus per process, as loggers have."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

logger = logging.getLogger("arqlite.telemetry")

Event: TypeAlias = Any
"""One of the dataclasses of `arqlite.telemetry.events`."""
Handler: TypeAlias = Callable[[Event], None]

_handlers: dict[type, dict[str, Handler]] = {}


def attach(handler_id: str, event_types: Iterable[type], handler: Callable[[Any], None]) -> None:
    """Call `handler(event)` for every event of these types, in the thread where it happens.

    A handler must be quick and must not raise; one that raises is logged and stays attached. A second
    `attach` under the same id replaces the first.
    """
    detach(handler_id)
    for event_type in event_types:
        _handlers.setdefault(event_type, {})[handler_id] = handler


def detach(handler_id: str) -> None:
    """Forget a handler; unknown ids are ignored."""
    for event_type in list(_handlers):
        _handlers[event_type].pop(handler_id, None)
        if not _handlers[event_type]:
            del _handlers[event_type]


def has_handlers(event_type: type) -> bool:
    """Tell whether anybody listens, so that nobody builds an event for nobody."""
    return event_type in _handlers


def execute(event: Event) -> None:
    """Hand an event to everybody who attached to its type."""
    for handler_id, handler in list(_handlers.get(type(event), {}).items()):
        try:
            handler(event)
        except Exception:
            logger.exception("telemetry handler %s failed on %s", handler_id, type(event).__name__)
