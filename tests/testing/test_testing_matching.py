"""What counts as a match."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from unittest import mock

import pytest

from arqlite.testing import ANY
from arqlite.testing.matching import matches


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"map": {"int": 2, "list": [3, 4]}}, {"map": {"int": 2, "list": [3, 4], "more": 1}, "else": None}),
        ([3, 4], [3, 4]),
        ((3, 4), [3, 4]),
        ({"at": date(2030, 1, 2)}, {"at": "2030-01-02"}),
        ({"at": datetime(2030, 1, 2, tzinfo=UTC)}, {"at": "2030-01-02T00:00:00Z"}),
        ({"colour": Colour.RED}, {"colour": "red"}),
        ({1: "one"}, {"1": "one"}),
        ({"a": ANY}, {"a": None}),
        ({"a": mock.ANY}, {"a": {"b": 1}}),
        ({"a": {"b": ANY}}, {"a": {"b": 1, "c": 2}}),
        ([ANY, 2], [1, 2]),
        ([{"a": ANY}], [{"a": 1}]),
        (1, 1.0),
    ],
)
def test_match(wanted: Any, found: Any) -> None:
    """Dicts match in part at any depth, lists as a whole, values as JSON has them, and ANY what is there."""
    assert matches(wanted, found)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": ANY}, {"b": 1}),
        ({"a": {"b": ANY}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": 1}),
        ([3], [3, 4]),
        ([3, 4], [4, 3]),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        (True, 1),
        (1, "1"),
        ({"a": None}, {}),
    ],
)
def test_mismatch(wanted: Any, found: Any) -> None:
    """A missing key, another value, a part of a list, or another kind is no match."""
    assert not matches(wanted, found)
