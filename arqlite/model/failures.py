"""Exceptions as data: written as text, and read back only as classes that are known beforehand.

A name read from Redis is never imported: whoever can write to Redis must not choose code to run.
"""

from __future__ import annotations

import builtins
from asyncio import CancelledError
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from .. import errors
from ..errors import ConfigurationError, JobExecutionFailed

_MESSAGE_LIMIT = 10_000

_known: dict[str, type[BaseException]] = {"asyncio.exceptions.CancelledError": CancelledError}
for _module in (builtins, errors):
    for _value in vars(_module).values():
        # Not what ends a process: a text in Redis must not make a reader exit.
        if isinstance(_value, type) and issubclass(_value, Exception):
            _known[f"{_value.__module__}.{_value.__qualname__}"] = _value


def register_exception(error_class: type[BaseException]) -> type[BaseException]:
    """Let `Job.result()` raise this class as itself; usable as a decorator.

    It is made again from its `args`, so its `__init__` must accept them.
    """
    if not (isinstance(error_class, type) and issubclass(error_class, BaseException)):
        raise ConfigurationError(f"register_exception takes an exception class, got {error_class!r}")
    _known[_path(error_class)] = error_class
    return error_class


def describe(error: BaseException) -> dict[str, Any]:
    """Turn an exception into plain data: its class, its message, its arguments if they are plain."""
    description: dict[str, Any] = {"type": _path(type(error)), "message": message_of(error)}
    if error.args and _is_plain(error.args):
        description["args"] = list(error.args)
    return description


def rebuild(description: dict[str, Any]) -> BaseException:
    """Turn such data back into an exception: its own class if that is known, else `JobExecutionFailed`."""
    path, message = str(description.get("type")), str(description.get("message", ""))
    error_class = _known.get(path)
    args = description.get("args", [message] if message else [])
    if error_class is not None and isinstance(args, list):
        try:
            return error_class(*args)
        except Exception:  # noqa: BLE001 (a class that cannot be made again is told in words)
            error_class = None
    name = path.removeprefix("builtins.")
    return JobExecutionFailed(f"{name}: {message}" if message else name)


def message_of(error: BaseException) -> str:
    """Tell what an exception says, even when its `__str__` is broken, endless or no valid Unicode."""
    try:
        return str(error)[:_MESSAGE_LIMIT].encode("utf-8", "backslashreplace").decode()
    except Exception as broken:  # noqa: BLE001 (a job may raise what cannot be shown)
        return f"<its message cannot be shown: {type(broken).__name__}>"


def _path(error_class: type[BaseException]) -> str:
    return f"{error_class.__module__}.{error_class.__qualname__}"


def _is_plain(args: tuple[Any, ...]) -> bool:
    if not all(isinstance(arg, str | int | float | bool | None) for arg in args):
        return False
    try:
        return len(to_json(args)) <= _MESSAGE_LIMIT
    except PydanticSerializationError:
        return False
