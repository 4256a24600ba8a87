"""What is kept of each attempt that failed: written when it ends, read by whoever asks."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json, to_json

from ..utils import ms_to_datetime
from .failures import message_of
from .records import FailedAttempt

_LONGEST_MESSAGE, _LONGEST_TRACEBACK = 2_000, 8_000
_CUT = "[...]\n"


def encode_attempt(attempt: int, at_ms: int, enqueue_ms: int, error: BaseException, worker: str) -> bytes:
    """Write down a failed attempt.

    Args:
        attempt: which one it was, from 1.
        at_ms: when it was over, in ms since 1970.
        enqueue_ms: when its job was enqueued: tells it from an older job of the same id.
        error: what it failed with; of a long message the head is kept, of a long traceback the tail.
        worker: who ran it.
    """
    return to_json(
        {
            "n": attempt,
            "at": at_ms,
            "et": enqueue_ms,
            "t": type(error).__qualname__,
            "m": message_of(error)[:_LONGEST_MESSAGE],
            "tb": _traceback_of(error),
            "w": worker,
        }
    )


def decode_attempts(entries: Iterable[bytes], enqueue_ms: int) -> tuple[FailedAttempt, ...]:
    """Read the failed attempts of the job that was enqueued then; those of older jobs are left out."""
    decoded = (_decoded(entry, enqueue_ms) for entry in entries)
    return tuple(attempt for attempt in decoded if attempt is not None)


def _decoded(entry: bytes, enqueue_ms: int) -> FailedAttempt | None:
    try:
        told: dict[str, Any] = from_json(entry)
        if told["et"] != enqueue_ms:
            return None
        return FailedAttempt(
            told["n"], ms_to_datetime(told["at"]), told["t"], told["m"], told["tb"], told["w"]
        )
    except (ValueError, KeyError, TypeError):  # nobody of ours wrote it
        return None


def _traceback_of(error: BaseException) -> str:
    if error.__traceback__ is None and error.__cause__ is None:
        return ""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception as broken:  # noqa: BLE001 (an exception may be made so that it cannot be shown)
        return f"<its traceback cannot be shown: {type(broken).__name__}>"
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_TRACEBACK else _CUT + text[len(_CUT) - _LONGEST_TRACEBACK :]
