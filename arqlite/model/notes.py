"""What a job tells of itself while it runs: how far it is, and lines. To bytes and back, always in bounds."""

from __future__ import annotations

import logging
import math
import operator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from ..errors import DeserializationError
from ..utils import ms_to_datetime, truncate
from .records import JobDef

# A message longer than this loses its middle: a traceback says most at its end.
LONGEST_MESSAGE = 4000
_KEPT_HEAD = 1000
_LONGEST_PROGRESS_MESSAGE = 1000
_TOO_LARGE = 10**100
JOB_LOGGER = "arqlite.job"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job said it is.

    Attributes:
        current: what is done.
        total: what there is to do in all; None when that is not known.
        message: what it is doing.
        at: when it said so, by its worker's clock (aware).
    """

    current: int | float
    total: int | float | None
    message: str
    at: datetime

    @property
    def fraction(self) -> float | None:
        """The share that is done, from 0 to 1; None without a total."""
        if not self.total or self.total < 0:
            return None
        return min(max(self.current / self.total, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a job logged.

    Attributes:
        at: when, by its worker's clock (aware).
        level: as in `logging`: 20 is INFO.
        logger: the name of the logger; `arqlite.job` for `ctx["log"]`.
        message: the text, with the traceback if there was one.
        attempt: which start of the job said so, from 1.
    """

    at: datetime
    level: int
    logger: str
    message: str
    attempt: int

    @property
    def level_name(self) -> str:
        """The level in words."""
        return logging.getLevelName(self.level)


class Report(NamedTuple):
    """A progress as it was reported: nothing is looked at before it is stored."""

    current: Any
    total: Any
    message: Any
    at_ms: int


def encode_progress(report: Report, attempt: int) -> bytes:
    """Write a progress.

    Raises:
        TypeError: it is no number, or has no such text; the message says which.
        OverflowError: a number is larger than anything that can be counted.
    """
    current = _number("current", report.current)
    total = None if report.total is None else _number("total", report.total)
    message = truncate(_text(report.message), _LONGEST_PROGRESS_MESSAGE)
    return _json([current, total, message, report.at_ms, attempt])


def encode_line(at_ms: int, level: int, logger: str, message: str, attempt: int) -> bytes:
    """Write a line of a job's log; the middle of a long message is left out."""
    if len(message) > LONGEST_MESSAGE:
        left_out = len(message) - LONGEST_MESSAGE
        tail = message[_KEPT_HEAD - LONGEST_MESSAGE :]
        message = f"{message[:_KEPT_HEAD]} … {left_out} characters left out … {tail}"
    return _json([at_ms, level, logger, message, attempt])


def decode_progress(raw: bytes, enqueue_ms: int, job: JobDef, *, of_any_run: bool = False) -> Progress | None:
    """Read a progress; None when it is that of an older job of the same id, or of an earlier run of this one.

    Args:
        raw: what `encode_progress` wrote.
        enqueue_ms: when the job was enqueued that wrote it.
        job: the job as it is now.
        of_any_run: whether an earlier run's will do, as where it is not known which was the last.

    Raises:
        DeserializationError: these bytes are none.
    """
    if not raw or not _is_of(enqueue_ms, job):
        return None
    try:
        current, total, message, at_ms, attempt = from_json(raw)
        progress = Progress(current, total, message, ms_to_datetime(at_ms))
    except Exception as error:
        raise DeserializationError("unable to deserialize the job's progress") from error
    return progress if of_any_run or attempt == job.job_try else None


def decode_lines(raw: list[bytes], lost: int, enqueue_ms: int, job: JobDef) -> list[LogLine]:
    """Read the lines of a job; empty when they are those of an older job of the same id.

    Where lines are not kept any more, a first one says how many.

    Raises:
        DeserializationError: these bytes are none.
    """
    if not raw or not _is_of(enqueue_ms, job):
        return []
    try:
        lines = [
            LogLine(ms_to_datetime(at_ms), level, logger, message, attempt)
            for at_ms, level, logger, message, attempt in map(from_json, raw)
        ]
    except Exception as error:
        raise DeserializationError("unable to deserialize the job's log") from error
    if lost:
        text = f"{lost} more lines are not kept: a job keeps its newest, and of a flood not all"
        lines.insert(0, LogLine(lines[0].at, logging.WARNING, JOB_LOGGER, text, lines[0].attempt))
    return lines


def _is_of(enqueue_ms: int, job: JobDef) -> bool:
    return job.enqueue_time == ms_to_datetime(enqueue_ms)


def _number(name: str, value: Any) -> int | float:
    try:
        if hasattr(value, "__index__"):
            return _whole(name, int(operator.index(value)))
        number = float(value)
    except OverflowError:
        raise
    except Exception as error:
        raise TypeError(f"{name} must be a number, got a {type(value).__name__}") from error
    if not math.isfinite(number):
        raise TypeError(f"{name} must be a finite number, got {number}")
    return number


def _whole(name: str, number: int) -> int:
    if abs(number) >= _TOO_LARGE:
        raise OverflowError(f"{name} is too large a number")
    return number


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else str(value)
    except Exception as error:
        raise TypeError(f"message cannot be shown: its __str__ raises {type(error).__name__}") from error


def _json(values: list[Any]) -> bytes:
    try:
        return to_json(values)
    except ValueError:  # half a surrogate pair is a text in Python, and nowhere else
        return to_json([_utf8(value) if isinstance(value, str) else value for value in values])


def _utf8(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
