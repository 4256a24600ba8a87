"""What a job tells of itself, to bytes and back: in bounds, of this job, of its latest run."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from arqlite.errors import DeserializationError
from arqlite.model.notes import (
    LONGEST_MESSAGE,
    LogLine,
    Progress,
    Report,
    decode_lines,
    decode_progress,
    encode_line,
    encode_progress,
)
from arqlite.model.records import JobDef
from arqlite.utils import ms_to_datetime

BORN = 1_700_000_000_123
AT = ms_to_datetime(BORN + 1)


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __float__(self) -> float:
        raise RuntimeError("no number")


class NoIndex:
    def __index__(self) -> int:
        raise RuntimeError("no index")


def job(job_try: int | None = 1, enqueue_ms: int = BORN) -> JobDef:
    return JobDef("f", (), {}, job_try, ms_to_datetime(enqueue_ms), None, "a")


def there_and_back(current: Any, total: Any = None, message: Any = "") -> Progress | None:
    return decode_progress(encode_progress(Report(current, total, message, BORN + 1), 1), BORN, job())


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ((3, 10, "rendering"), (3, 10, "rendering")),
        ((0.5,), (0.5, None, "")),
        ((Decimal("1.5"), Fraction(3, 1), 42), (1.5, 3.0, "42")),
        ((10**30, None, "gr\udc80n"), (10**30, None, "gr\\udc80n")),
        ((True, -1, None), (1, -1, "None")),
    ],
)
def test_progress_is_read_as_it_was_told(told: tuple[Any, ...], read: tuple[Any, ...]) -> None:
    """Whatever is a number arrives as one, and a message as text that JSON can hold."""
    assert there_and_back(*told) == Progress(*read, at=AT)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (("three",), "current must be a number, got a str"),
        ((1, []), "total must be a number, got a list"),
        ((math.nan,), "current must be a finite number, got nan"),
        ((1, math.inf), "total must be a finite number, got inf"),
        ((NoIndex(),), "current must be a number, got a NoIndex"),
        ((10**5000,), "current is too large a number"),
        ((Broken(),), "current must be a number, got a Broken"),
        ((1, 2, Broken()), "message cannot be shown: its __str__ raises RuntimeError"),
    ],
)
def test_what_is_no_progress_is_refused(told: tuple[Any, ...], words: str) -> None:
    """What is no finite number, or has no text, is refused in words."""
    with pytest.raises((TypeError, OverflowError)) as caught:
        there_and_back(*told)

    assert str(caught.value) == words


def test_long_messages_are_cut() -> None:
    """A progress keeps the start of a long message; a line of the log keeps its start and its end."""
    progress = there_and_back(1, None, "x" * 5000)
    [line] = decode_lines([encode_line(BORN, 20, "app", "a" * 9000 + "end", 1)], 0, BORN, job())

    assert progress is not None
    assert len(progress.message) == 1000
    assert line.message.startswith("a" * 1000 + " … 5003 characters left out … a")
    assert line.message.endswith("end")
    assert len(line.message) < LONGEST_MESSAGE + 50


@pytest.mark.parametrize(
    ("current", "total", "share"),
    [(3, 12, 0.25), (0, 4, 0.0), (9, 4, 1.0), (-1, 4, 0.0), (3, None, None), (3, 0, None), (3, -2, None)],
)
def test_fraction(current: float, total: float | None, share: float | None) -> None:
    """The share that is done lies between nothing and all, and is unknown without a total."""
    assert Progress(current, total, "", datetime.now(UTC)).fraction == share


def test_progress_of_others_is_not_shown() -> None:
    """What an older job of the id told, or an earlier run of this one, is not how far this run is."""
    raw = encode_progress(Report(1, 2, "", BORN), attempt=2)

    assert decode_progress(raw, BORN, job(2)) is not None
    assert decode_progress(raw, BORN, job(3)) is None
    assert decode_progress(raw, BORN, job(2, BORN + 1)) is None
    assert decode_progress(raw, BORN, job(3), of_any_run=True) is not None
    assert decode_progress(raw, BORN, job(3, BORN + 1), of_any_run=True) is None
    assert decode_progress(b"", BORN, job()) is None


def test_lines_are_read_as_they_were_logged() -> None:
    """Lines of all runs are read in their order; those of an older job of the id are not."""
    raw = [
        encode_line(BORN + 1, 20, "app", "first", 1),
        encode_line(BORN + 1, 40, "app.db", "sec\udc80nd", 2),
    ]

    assert decode_lines(raw, 0, BORN, job(2)) == [
        LogLine(AT, 20, "app", "first", 1),
        LogLine(AT, 40, "app.db", "sec\\udc80nd", 2),
    ]
    assert decode_lines(raw, 0, BORN, job(2, BORN + 1)) == []
    assert decode_lines([], 3, BORN, job()) == []
    assert LogLine(AT, 40, "app", "", 1).level_name == "ERROR"


def test_lost_lines_are_told() -> None:
    """A first line says how many lines are not kept."""
    lines = decode_lines([encode_line(BORN + 1, 20, "app", "last", 1)], 1234, BORN, job())

    assert [(line.level, line.logger) for line in lines] == [
        (logging.WARNING, "arqlite.job"),
        (logging.INFO, "app"),
    ]
    assert lines[0].message.startswith("1234 more lines are not kept")


def test_foreign_bytes_are_told() -> None:
    """Bytes that arqlite did not write are refused as such."""
    with pytest.raises(DeserializationError, match="progress"):
        decode_progress(b"{}", BORN, job())
    with pytest.raises(DeserializationError, match="log"):
        decode_lines([b"nonsense"], 0, BORN, job())
