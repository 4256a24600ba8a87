"""What may be changed of a job after it was enqueued, checked as it was then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError
from . import checks
from .calls import LOWEST_PRIORITY
from .filters import closest

UPDATABLE = ("args", "kwargs", "max_attempts", "meta", "priority", "scheduled_at", "tags")
_KEYS = {"args": "a", "kwargs": "k", "max_attempts": "ma", "meta": "m", "priority": "p", "tags": "g"}


def checked_changes(given: Any) -> dict[str, Any]:
    """Check the changes of a job and bring them into their plain form; `scheduled_at` in ms since 1970.

    Raises:
        ConfigurationError: they are no dict, are empty, name what cannot be changed, or cannot work.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"the changes of a job must be a dict, or a function that returns one, got {given!r}"
        )
    if not given:
        raise ConfigurationError(f"there is nothing to change; what can be is {', '.join(UPDATABLE)}")
    for name in given:
        if name not in UPDATABLE:
            raise ConfigurationError(f"{name!r} of a job cannot be changed; {closest(str(name), UPDATABLE)}")
    return {name: _checked(name, value) for name, value in given.items()}


def changed(envelope: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Make a job's envelope what the checked changes say."""
    written = dict(envelope)
    for name, value in changes.items():
        if name == "scheduled_at":
            written["at"] = value
        elif value:
            written[_KEYS[name]] = value
        else:  # what is empty is not written, as with a new job
            written.pop(_KEYS[name], None)
    return written


def _checked(name: str, value: Any) -> Any:
    match name:
        case "args":
            checks.instance("args", value, (list, tuple), "a list or a tuple")
            return tuple(value)
        case "kwargs":
            checks.instance("kwargs", value, Mapping, "a dict")
            return dict(value)
        case "max_attempts":
            return checks.count(name, value, 1)
        case "priority":
            if checks.count(name, value, 0) > LOWEST_PRIORITY:
                raise ConfigurationError(
                    f"priority must be 0 (first) to {LOWEST_PRIORITY} (last), got {value!r}"
                )
            return value
        case "tags":
            return checks.tags(value)
        case "meta":
            return checks.meta(value)
        case _:
            return checks.moment_ms(name, value)
