"""Limits, rates and times as people write them into a form or a URL."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from ..errors import ConfigurationError

DEFAULT: Final = "default"
"""Gives a limit back to the settings of the workers."""
NONE: Final = "none"
"""Is no limit, whatever the settings say."""

_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?")


def limit_of(name: str, text: str, *, may_be_endless: bool = True) -> int | float | None:
    """Read a limit: a number, `default`, or `none`.

    Args:
        name: what it is called, for the error.
        text: what was written.
        may_be_endless: whether it may be `none`.

    Returns:
        The number; None for `default`; infinity for `none`.

    Raises:
        ConfigurationError: it is something else.
    """
    word = text.strip().lower()
    if word == DEFAULT:
        return None
    if word == NONE and may_be_endless:
        return float("inf")
    if not word.isascii() or not word.isdigit() or not int(word):
        known = f"a whole number of at least 1, {DEFAULT!r}" + (f" or {NONE!r}" if may_be_endless else "")
        raise ConfigurationError(f"{name} must be {known}, got {text!r}")
    return int(word)


def rate_of(text: str) -> tuple[int, float] | float | None:
    """Read a rate: `100/60s`, `100 per minute`, `default`, or `none`.

    Raises:
        ConfigurationError: it is something else.
    """
    word = text.strip().lower()
    if word in (DEFAULT, NONE):
        return limit_of("rate", word)
    allowed, separator, period = (part.strip() for part in re.sub(r"\s+per\s+", "/", word).partition("/"))
    period = {"second": "1s", "minute": "1m", "hour": "1h", "day": "1d"}.get(period, period)
    span = _SPAN.fullmatch(period)
    if not separator or not allowed.isdigit() or not int(allowed) or span is None:
        raise ConfigurationError(
            f"rate must be so many in so long, as 100/60s, or {DEFAULT!r} or {NONE!r}, got {text!r}"
        )
    return int(allowed), float(span[1]) * _UNITS[span[2] or ""]


def moment_of(name: str, text: str) -> datetime | None:
    """Read a moment: `2026-11-20`, `2026-11-20T12:00:00Z`, or how long ago it was: `24h`.

    Returns:
        None for an empty text.

    Raises:
        ConfigurationError: it is something else.
    """
    word = text.strip()
    if not word:
        return None
    try:
        if (span := _SPAN.fullmatch(word)) is not None and span[2]:
            return datetime.now(UTC) - timedelta(seconds=float(span[1]) * _UNITS[span[2]])
        moment = datetime.fromisoformat(word)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{name} must be a time as 2026-11-20T12:00:00Z, or how long ago as 24h, got {text!r}"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
