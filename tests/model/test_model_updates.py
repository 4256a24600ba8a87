"""What may be changed of a job that is enqueued."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.model.updates import changed, checked_changes


def test_changes_in_their_plain_form() -> None:
    """Each change becomes what is written of it."""
    moment = datetime(2030, 1, 1, tzinfo=UTC)

    assert checked_changes(
        {
            "args": [1],
            "kwargs": {"a": 1},
            "max_attempts": 3,
            "meta": {"m": 1},
            "priority": 9,
            "scheduled_at": moment,
            "tags": [" A ", "a"],
        }
    ) == {
        "args": (1,),
        "kwargs": {"a": 1},
        "max_attempts": 3,
        "meta": {"m": 1},
        "priority": 9,
        "scheduled_at": int(moment.timestamp() * 1000),
        "tags": ("a",),
    }


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"state": "available"}, "'state' of a job cannot be changed"),
        ({"tag": ["x"]}, "did you mean 'tags'"),
        ({"queue": "x"}, "there are args, kwargs, max_attempts, meta, priority, scheduled_at, tags"),
        ({}, "there is nothing to change"),
        ("x", "must be a dict, or a function that returns one, got 'x'"),
        (None, "must be a dict, or a function that returns one, got None"),
        ({"priority": 10}, "priority must be 0 .first. to 9 .last., got 10"),
        ({"priority": -1}, "priority must be a whole number of at least 0"),
        ({"max_attempts": 0}, "max_attempts must be a whole number of at least 1"),
        ({"args": {"a": 1}}, "args must be a list or a tuple"),
        ({"kwargs": [1]}, "kwargs must be a dict"),
        ({"tags": "x"}, "tags must be a list of texts"),
        ({"meta": {1: 2}}, "meta must be a dict whose keys are texts"),
        ({"scheduled_at": 5}, "scheduled_at must be a datetime"),
    ],
)
def test_changes_that_cannot_be(changes: Any, complaint: str) -> None:
    """What cannot be changed, or cannot be so, is refused in words."""
    with pytest.raises(ConfigurationError, match=complaint):
        checked_changes(changes)


def test_changes_are_written() -> None:
    """What changes is written over what was, what is empty is left out, the rest stays."""
    before = {"f": "send", "et": 5, "a": [1], "k": {"b": 2}, "p": 3, "g": ["x"], "n": "nonce", "x": 9}
    changes = {"args": (2,), "kwargs": {}, "priority": 0, "tags": (), "scheduled_at": 7, "max_attempts": 4}

    after = changed(before, changes)

    assert after == {"f": "send", "et": 5, "a": (2,), "n": "nonce", "x": 9, "at": 7, "ma": 4}
    assert before["a"] == [1]
