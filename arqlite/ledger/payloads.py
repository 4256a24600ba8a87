"""What of a Python value goes into a row: outputs, and errors in words. Pure functions."""

from __future__ import annotations

import traceback
from typing import Any

from pydantic_core import to_jsonable_python

MESSAGE_LENGTH = 2_000
TRACEBACK_LENGTH = 16_000


def jsonable(value: Any, what: str = "output") -> Any:
    """The value as plain JSON types; NaN and the infinities, which JSON lacks, become null.

    Raises:
        TypeError: the value cannot be told in JSON; the message names its type.
    """
    try:
        return to_jsonable_python(value, inf_nan_mode="null")
    except Exception as error:
        raise TypeError(f"the {what} of type {type(value).__qualname__} is no JSON: {error}") from error


def jsonable_or_text(value: Any) -> Any:
    """The value as plain JSON types, with text in the place of what JSON cannot hold."""
    try:
        return to_jsonable_python(value, inf_nan_mode="null", serialize_unknown=True, bytes_mode="base64")
    except Exception:  # noqa: BLE001 (a recorder of other people's results takes whatever they are)
        return _shorten(_text_of(value), MESSAGE_LENGTH)


def describe_error(error: BaseException) -> dict[str, str]:
    """`{type, message, traceback}`, bounded, and without the values of local variables."""
    return {
        "type": type(error).__name__,
        "message": _shorten(_text_of(error), MESSAGE_LENGTH),
        "traceback": _shorten(_traceback_of(error), TRACEBACK_LENGTH),
    }


def _traceback_of(error: BaseException) -> str:
    try:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    except Exception as failure:  # noqa: BLE001 (an exception's own __str__ or __cause__ may raise anything)
        return f"<no traceback: {type(failure).__name__} while formatting it>"


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception as failure:  # noqa: BLE001 (as above)
        return f"<no text: {type(failure).__name__} in __str__>"


def _shorten(text: str, length: int) -> str:
    """Keep both ends: a traceback begins with where and ends with what."""
    if len(text) <= length:
        return text
    head = length // 3
    tail = length - head
    return f"{text[:head]}\n… {len(text) - length} characters left out …\n{text[-tail:]}"
