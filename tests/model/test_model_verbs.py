"""In which states jobs are meant by what is done to them."""

from __future__ import annotations

import pytest

from arqlite.model.query import Query
from arqlite.model.verbs import MEANT_BY, is_narrowed, narrowed


@pytest.mark.parametrize(
    "text",
    [
        "state:completed",
        "status:failed",
        "state:all tag:vip",
        "id:1,2",
        "id:1 -state:completed",
        "group:0f",
        "",
    ],
)
def test_states_that_are_said_stay(text: str) -> None:
    """A query that says in which states its jobs are, or which ones they are, is left as it is."""
    query = Query.parse(text)

    assert narrowed("retry", query) is query
    assert not is_narrowed("retry", query)


@pytest.mark.parametrize(
    "text", ["tag:vip", "-state:cancelled", "-status:FAILED", "id:1*", "id:1,2*", "-id:1"]
)
def test_states_that_are_not_said(text: str) -> None:
    """A query that only says what its jobs are not is about those that have failed or were cancelled."""
    query = Query.parse(text)

    assert narrowed("retry", query) == Query.parse(f"{text} state:discarded,cancelled,retryable")
    assert is_narrowed("retry", query)


def test_what_went_well_is_deleted_and_not_retried() -> None:
    """Each verb has the states that it is about: nothing runs twice, and nothing that runs is deleted."""
    assert "completed" not in MEANT_BY["retry"]
    assert "scheduled" not in MEANT_BY["retry"]
    assert "executing" not in MEANT_BY["delete"]
    assert "completed" not in MEANT_BY["cancel"]
