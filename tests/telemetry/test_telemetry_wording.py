"""Words and JSON for whatever applications hand over: nothing of it can break a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from arqlite.telemetry.wording import json_of, shown, stack_of, words_of


class Unshowable(Exception):
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": [1, 2.5, None, True, "ü"]}, {"a": [1, 2.5, None, True, "ü"]}),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00Z"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (float("nan"), None),
        (b"\xff", "_w=="),
        ({1, 2}, [1, 2]),
        (Unshowable(), "<Unshowable: its repr raises RuntimeError>"),
        ([float("inf"), Unshowable()], [None, "<Unshowable: its repr raises RuntimeError>"]),
        ({(1, 2): Unshowable()}, {"(1, 2)": "<Unshowable: its repr raises RuntimeError>"}),
        ("\ud800", "\ud800"),
    ],
)
def test_any_value_is_written(value: Any, written: Any) -> None:
    """What JSON can hold is written as itself, the rest as text."""
    assert json.loads(json_of({"value": value})) == {"value": written}


def test_circle_is_written() -> None:
    """What contains itself ends somewhere."""
    line = json_of({"value": CIRCLE})

    assert "\n" not in line
    assert "<list>" in line


def test_bottomless_value_is_written() -> None:
    """A value that is nested deeper than Python can follow is written as far as it makes sense."""
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]

    assert "<list>" in json_of({"value": deep})


def test_line_is_one_line() -> None:
    """Text of several lines stays within its line."""
    assert "\n" not in json_of({"value": "a\nb"})


def test_errors_in_words() -> None:
    """An error is told by its type and text; one that cannot be shown, too."""
    assert words_of(ValueError("boom")) == "ValueError: boom"
    assert words_of(ValueError()) == "ValueError"
    assert words_of(Unshowable()) == "Unshowable: <its text cannot be shown: RuntimeError>"
    assert "Unshowable" in stack_of(Unshowable())
    assert shown(3) == "3"
