"""What an earlier job takes over: what may be replaced, as far as it was said."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite import call
from arqlite.model.calls import checked
from arqlite.model.replacing import replacement
from arqlite.model.unique import REPLACEABLE


@pytest.mark.parametrize(
    ("names", "options", "changes", "priority", "when"),
    [
        (REPLACEABLE, {}, {"a": (1,), "k": {"b": 2}}, None, None),
        (["args"], {"priority": 5, "delay": 5}, {"a": (1,), "k": {"b": 2}}, None, None),
        (["priority"], {"priority": 5}, {"p": 5}, 5, None),
        (["priority"], {"priority": 0}, {"p": None}, 0, None),
        (["priority"], {}, {}, None, None),
        (["max_attempts"], {"max_attempts": 3}, {"ma": 3}, None, None),
        (["meta", "tags"], {"meta": {"x": 1}, "tags": ["A"]}, {"m": {"x": 1}, "g": ("a",)}, None, None),
        (["meta", "tags"], {"meta": {}, "tags": []}, {"m": None, "g": None}, None, None),
        (["scheduled_at"], {"delay": 5}, {"at": 77, "x": None}, None, "+5"),
        (["scheduled_at"], {"expires": 5}, {}, None, None),
    ],
)
def test_replacement(
    names: list[str], options: dict[str, Any], changes: dict[str, Any], priority: int | None, when: str | None
) -> None:
    """Only what is listed and was said of the new job is taken over; arguments are always said."""
    taken = replacement(names, call("f", 1, b=2), checked(**options), {"at": 77}, "+5")

    assert taken == (changes, priority, when)
