"""Attach handlers to events, and tell the handlers. One bus per process, as loggers have."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias

from ..errors import ConfigurationError
from .events import EVENTS

logger = logging.getLogger("arqlite.telemetry")

Event: TypeAlias = Any
"""One of the dataclasses of `arqlite.telemetry.events`."""
Handler: TypeAlias = Callable[[Event], object]
Shortcut: TypeAlias = Callable[..., bool]
"""Is called with what an event would be made of; tells whether that is all that its handler needs."""
EventChoice: TypeAlias = type | str
"""A class of events, the name of one ("job.stop"), or a pattern of names ("job.*")."""

_FAILED = "telemetry handler %s failed on %s"
_KNOWN_NAMES: tuple[str, ...] = tuple(event_type.name for event_type in EVENTS)  # type: ignore[attr-defined]


class _Attached(NamedTuple):
    """Who is to be told of what."""

    types: frozenset[type]
    patterns: tuple[str, ...]
    handler: Handler
    shortcut: Shortcut | None

    def wants(self, event_type: type) -> bool:
        if event_type in self.types:
            return True
        name = getattr(event_type, "name", None)
        return isinstance(name, str) and any(fnmatchcase(name, pattern) for pattern in self.patterns)


# Both are replaced, never changed, by whoever attaches: events come from several threads.
_attaching = threading.Lock()
_attached: dict[str, _Attached] = {}
# Who is told of a type, found out when it is first asked for.
_routes: dict[type, tuple[tuple[str, Handler, Shortcut | None], ...]] = {}


def attach(
    handler_id: str,
    events: EventChoice | Iterable[EventChoice],
    handler: Handler,
    *,
    shortcut: Shortcut | None = None,
) -> None:
    """Call `handler(event)` for every event that is chosen, in the thread where it happens.

    A handler must be quick and must not raise; one that raises is logged and stays attached. A second
    `attach` under the same id replaces the first.

    Args:
        handler_id: what `detach` knows it by.
        events: one or more classes of events, names like "job.stop", or patterns like "job.*" and "*".
        handler: a plain function.
        shortcut: is asked first where the library hands out what an event is made of, see `execute_made`.

    Raises:
        ConfigurationError: no event has such a name, none is chosen, or the handler is no plain function.
    """
    for function in (handler, *([] if shortcut is None else [shortcut])):
        if not callable(function):
            raise ConfigurationError(f"handler {handler_id!r} must be a function, got {function!r}")
        if inspect.iscoroutinefunction(function):
            raise ConfigurationError(
                f"handler {handler_id!r} must be a plain function, it is called at once and nobody awaits "
                f"it; {function!r} is a coroutine function"
            )
    if not isinstance(events, str | type | Iterable):
        raise ConfigurationError(f"events must be classes of events or their names, got {events!r}")
    choices = [events] if isinstance(events, str | type) else list(events)
    if not choices:
        raise ConfigurationError(
            f"events must name at least one event, or '*' for all of them, got {events!r}"
        )
    patterns = tuple(choice for choice in choices if isinstance(choice, str))
    for pattern in patterns:
        _check(pattern)
    types = frozenset(choice for choice in choices if isinstance(choice, type))
    if len(types) + len(patterns) < len(set(choices)):
        raise ConfigurationError(f"events must be classes of events or their names, got {choices!r}")
    with _attaching:
        _replace({**_attached, handler_id: _Attached(types, patterns, handler, shortcut)})


def detach(handler_id: str) -> None:
    """Forget a handler; unknown ids are ignored."""
    with _attaching:
        _replace({other: attached for other, attached in _attached.items() if other != handler_id})


@contextlib.contextmanager
def attached(events: EventChoice | Iterable[EventChoice], handler: Handler) -> Iterator[None]:
    """Have a handler attached while the block runs; events and handler as in `attach`."""
    handler_id = f"attached:{id(handler):x}:{len(_attached)}"
    while handler_id in _attached:
        handler_id += "'"
    attach(handler_id, events, handler)
    try:
        yield
    finally:
        detach(handler_id)


def has_handlers(event_type: type) -> bool:
    """Tell whether anybody listens, so that nobody builds an event for nobody."""
    route = _routes.get(event_type)
    return bool(_find_route(event_type) if route is None else route)


def execute(event: Event) -> None:
    """Hand an event to everybody who attached to its type."""
    event_type = type(event)
    route = _routes.get(event_type)
    for handler_id, handler, _ in _find_route(event_type) if route is None else route:
        try:
            handler(event)
        except Exception:
            logger.exception(_FAILED, handler_id, event_type.__name__)


def execute_made(event_type: type, make: Callable[..., Event], *told: Any) -> None:
    """Hand an event to everybody who attached to its type, and make it only if somebody needs it.

    Args:
        event_type: its type.
        make: makes it of what is told.
        told: what it is made of; shortcuts are called with it.
    """
    event = None
    route = _routes.get(event_type)
    for handler_id, handler, shortcut in _find_route(event_type) if route is None else route:
        try:
            if shortcut is None or not shortcut(*told):
                if event is None:
                    event = make(*told)
                handler(event)
        except Exception:
            logger.exception(_FAILED, handler_id, event_type.__name__)


def _replace(attached_now: dict[str, _Attached]) -> None:
    global _attached, _routes  # noqa: PLW0603 (one bus per process)
    _attached = attached_now
    _routes = {}


def _find_route(event_type: type) -> tuple[tuple[str, Handler, Shortcut | None], ...]:
    routes = _routes  # ahead of the rest: what is found is of no use to who attaches meanwhile
    route = tuple(
        (handler_id, one.handler, one.shortcut)
        for handler_id, one in _attached.items()
        if one.wants(event_type)
    )
    routes[event_type] = route
    return route


def _check(pattern: str) -> None:
    if any(fnmatchcase(name, pattern) for name in _KNOWN_NAMES):
        return
    near = difflib.get_close_matches(pattern, _KNOWN_NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_KNOWN_NAMES)}"
    raise ConfigurationError(f"no event is named {pattern!r}; {hint}")
