"""What an argument becomes on its way through JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

_PLAIN = (str, int, float, bool, type(None))
_TEXT = (bytes, bytearray, date, time, timedelta, Decimal, UUID, PurePath)
_DEEPEST = 20


def changes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> set[str]:
    """Name what will not be the same type any more after JSON, each as `tuple -> list`."""
    found: set[str] = set()
    for value in (*args, *kwargs.values()):
        found.update(_changes_of(value, 0))
    return found


def _changes_of(value: Any, depth: int) -> Iterator[str]:
    if type(value) in _PLAIN or depth > _DEEPEST:
        return
    becomes = _becomes(value)
    if becomes is not None:
        yield f"{type(value).__name__} -> {becomes}"
    if isinstance(value, dict):
        odd = {type(key).__name__ for key in value if type(key) is not str}
        yield from (f"dict key {name} -> text" for name in sorted(odd))
        inner: Any = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        inner = value
    else:
        return
    for item in inner:
        yield from _changes_of(item, depth + 1)


def _becomes(value: Any) -> str | None:
    if type(value) in (list, dict):
        return None
    if isinstance(value, Enum):
        return "its value"
    if isinstance(value, _TEXT):
        return "text"
    if isinstance(value, tuple | set | frozenset | list):
        return "list"
    if isinstance(value, dict) or dataclasses.is_dataclass(value) or hasattr(value, "model_dump"):
        return "dict"
    if isinstance(value, float | int | str):
        return "number" if not isinstance(value, str) else "text"
    return "plain data"
