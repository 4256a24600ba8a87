"""What to do where Redis is away; at the default address the project's `arqlite dev` may have ended."""

from __future__ import annotations

from typing import Any, Final

import click

ADVICE: Final = "start it or make it reachable, or correct its address in the settings or ARQLITE_REDIS_URL"
"""What to do where nothing better is known."""

_NAMES = ("redis_settings", "redis_pool")


def remember(found: Any) -> None:
    """Keep what a command has imported: whether it says where Redis is decides what may be the matter."""
    if context := click.get_current_context(silent=True):
        context.meta.setdefault(__name__, []).append(found)


def with_hint(text: str) -> str:
    """Add to what says that Redis is away, and what to do, what may be the matter, where that is known."""
    hint = hint_of(text)
    return f"{text.rstrip('.')}; {hint}" if hint else text


def with_advice(text: str) -> str:
    """Add to what says that Redis is away, and nothing more, what to do."""
    return f"{text.rstrip('.')}; {hint_of(text) or ADVICE}"


def hint_of(text: str) -> str:
    """What may be the matter where Redis is away; empty where nobody knows.

    Args:
        text: says so, with the address.
    """
    from ..connections import RedisSettings
    from ..surroundings import missing_dev

    default = RedisSettings()
    if f"{default.host}:{default.port}" not in text:
        return ""
    context = click.get_current_context(silent=True)
    settings = context.meta.get(__name__, ()) if context else ()
    return "" if any(_names_redis(one) for one in settings) else missing_dev()


def _names_redis(found: Any) -> bool:
    told = found if isinstance(found, dict) else {name: getattr(found, name, None) for name in _NAMES}
    return any(told.get(name) is not None for name in _NAMES)
