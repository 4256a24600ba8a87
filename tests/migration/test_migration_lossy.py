"""What JSON makes of arguments, told before it happens."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from arqlite.migration.lossy import changes


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


@dataclass
class Point:
    x: int


class User(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ((1,), "tuple -> list"),
        ({1}, "set -> list"),
        (frozenset(), "frozenset -> list"),
        (b"x", "bytes -> text"),
        (datetime.now(UTC), "datetime -> text"),
        (date(2026, 1, 1), "date -> text"),
        (timedelta(1), "timedelta -> text"),
        (Decimal(1), "Decimal -> text"),
        (uuid4(), "UUID -> text"),
        (Colour.RED, "Colour -> its value"),
        (Size.BIG, "Size -> its value"),
        (Point(1), "Point -> dict"),
        (User(name="a"), "User -> dict"),
        (OrderedDict(), "OrderedDict -> dict"),
        (defaultdict(list), "defaultdict -> dict"),
        ({1: 2}, "dict key int -> text"),
        (object(), "object -> plain data"),
    ],
)
def test_change_is_told(value: Any, told: str) -> None:
    """A value that does not stay what it is is told, also deep inside others and by name."""
    assert changes((value,), {}) == {told}
    assert changes((), {"x": [{"y": value}]}) == {told}


def test_plain_values_stay() -> None:
    """What JSON has itself is not spoken of."""
    assert changes((1, 1.5, "x", None, True, [1, [2]]), {"a": {"b": {}}}) == set()


def test_endless_value() -> None:
    """A value that contains itself is looked into for a while only."""
    endless: list[Any] = []
    endless.append(endless)

    assert changes((endless,), {}) == set()
