"""What may be the matter where Redis is not at the default address: the project's `arqlite dev` has ended."""

from __future__ import annotations

from typing import Any

import click

_NAMES = ("redis_settings", "redis_pool")


def remember(found: Any) -> None:
    """Keep what a command has imported: whether it says where Redis is decides what may be the matter."""
    if context := click.get_current_context(silent=True):
        context.meta.setdefault(__name__, []).append(found)


def with_hint(text: str) -> str:
    """Add to what says that Redis is away what may be the matter, where that is known."""
    hint = hint_of(text)
    return f"{text.rstrip('.')}; {hint}" if hint else text


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
