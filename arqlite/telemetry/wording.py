"""Errors and foreign values as text and JSON. Whatever an application hands over, nothing here raises."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from typing import Any

_DEEPEST = 8


def words_of(error: BaseException) -> str:
    """Tell an error as a traceback's last line does: `TypeError: boom`."""
    text = _text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def stack_of(error: BaseException) -> str:
    """Write an error's traceback, its causes included, and without the values of local variables."""
    try:
        return "".join(traceback.format_exception(error)).rstrip()
    except Exception as broken:  # noqa: BLE001 (an exception's own `__str__` may raise anything)
        return f"{type(error).__name__} <its traceback cannot be shown: {type(broken).__name__}>"


def json_of(fields: Mapping[str, Any]) -> str:
    """Write one line of JSON; what JSON cannot hold becomes text, NaN and the infinities become null."""
    # Here, since the command line loads this module before it knows whether it has to log anything.
    from pydantic_core import to_json

    try:
        return to_json(fields, inf_nan_mode="null", bytes_mode="base64").decode()
    except Exception:  # noqa: BLE001 (unknown types, circles, keys that are no text, odd text, broken reprs)
        return json.dumps(_plain(fields, _DEEPEST), allow_nan=False)


def shown(value: object) -> str:
    """Show a value as `repr` does."""
    try:
        return repr(value)
    except Exception as broken:  # noqa: BLE001 (a job may be given what cannot be shown)
        return f"<{type(value).__name__}: its repr raises {type(broken).__name__}>"


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list | tuple | set | frozenset | Mapping):
        if depth == 0:  # also the way out of a circle
            return f"<{type(value).__name__}>"
        if isinstance(value, Mapping):
            return {_key(key): _plain(inner, depth - 1) for key, inner in value.items()}
        return [_plain(inner, depth - 1) for inner in value]
    try:
        from pydantic_core import to_jsonable_python

        plain = to_jsonable_python(value, inf_nan_mode="null", bytes_mode="base64")
        json.dumps(plain, allow_nan=False)
    except Exception:  # noqa: BLE001 (as above)
        return shown(value)
    return plain


def _key(key: object) -> str:
    return str(key) if isinstance(key, str | int | float | bool | None) else shown(key)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 (as above)
        return f"<its text cannot be shown: {type(broken).__name__}>"
