"""Where the lists of several places ended, as one text that goes through URLs unharmed. Pure functions."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError

Cursors = Mapping[str, Any]
"""By the name of a list where to go on: anything that JSON has, None where it has ended."""


def packed(cursors: Cursors) -> str | None:
    """One text for all; None where all have ended."""
    if all(one is None for one in cursors.values()):
        return None
    told = json.dumps(["jobs", dict(cursors)], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def unpacked(after: str | None) -> Cursors:
    """Where to go on; nothing at the beginning.

    Raises:
        ConfigurationError: the text is no cursor.
    """
    if after is None:
        return {}
    try:
        told = json.loads(base64.b64decode(after + "=" * (-len(after) % 4), b"-_", validate=True))
        kind, cursors = told
        if kind != "jobs" or not isinstance(cursors, dict):
            raise ValueError(f"it is a cursor of {kind!r}")
        return cursors
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise no_cursor(after) from error


def no_cursor(after: Any) -> ConfigurationError:
    """Say that something is no cursor."""
    return ConfigurationError(f"{after!r} is no cursor of this list; begin without one")
