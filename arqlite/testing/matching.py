"""Whether what was enqueued is what was expected: dicts in part, everything else as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest.mock import ANY

from pydantic_core import from_json, to_json

__all__ = ("ANY", "matches", "plain")


def matches(wanted: Any, found: Any) -> bool:
    """Tell whether a found value, as JSON has it, has all that is wanted.

    Dicts match in part, at any depth; lists as a whole; `ANY` matches whatever is there. Others are compared
    as JSON would write them: a date as its ISO text.
    """
    if wanted is ANY:
        return True
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return False
        pairs = ((_key(name), value) for name, value in wanted.items())
        return all(name in found and matches(value, found[name]) for name, value in pairs)
    return _equals(wanted, found)


def plain(value: Any) -> Any:
    """Write a value as JSON and read it again; what stands for anything stays."""
    if value is ANY:
        return ANY
    if isinstance(value, Mapping):
        return {_key(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return from_json(to_json(value))


def _equals(wanted: Any, found: Any) -> bool:
    if wanted is ANY:
        return True
    if isinstance(wanted, list | tuple):
        is_list = isinstance(found, list | tuple) and len(found) == len(wanted)
        return is_list and all(_equals(one, other) for one, other in zip(wanted, found, strict=True))
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return False
        whole = {_key(name): value for name, value in wanted.items()}
        return whole.keys() == found.keys() and all(_equals(whole[name], found[name]) for name in whole)
    written, other = plain(wanted), plain(found)
    # To Python True is 1; to JSON it is not.
    return isinstance(written, bool) == isinstance(other, bool) and bool(written == other)


def _key(name: Any) -> str:
    return name if type(name) is str else next(iter(from_json(to_json({name: None}))))
