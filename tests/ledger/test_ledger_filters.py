"""Conditions on rows, checked before anything is asked; cursors; no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.inspector import JobFilter
from arqlite.ledger import Count, LedgerFilter, LedgerStatus
from arqlite.ledger.cursors import Key, cursor_of, key_of
from arqlite.ledger.figures import MOST_POINTS, window

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"statsu": "FAILED"}, "there is no condition 'statsu' of rows; did you mean 'status'"),
        ({"status": "FAILD"}, "there is no status 'FAILD'; did you mean 'FAILED'"),
        ({"cause": "nothing"}, "there is no cause 'nothing'"),
        ({"state": "done"}, "there is no state 'done'"),
        ({"queue": None}, "queue must not be empty"),
        ({"queue": []}, "queue must not be empty"),
        ({"worker": ""}, "worker must not be empty"),
        ({"queue": "a\0"}, "queue must be a text"),
        ({"parent": "\ud800"}, "parent must be a text"),
        ({"args": ("a\ud800b",)}, "args must have texts without halves of characters"),
        ({"kwargs": {"to": [{"\ud800": 1}]}}, "kwargs must have texts without halves of characters"),
        ({"meta": {"trace": ("x", "\ud800")}}, "meta must have texts without halves of characters"),
        ({"tags": "a\0"}, "tags must be a text"),
        ({"ids": [str(n) for n in range(501)]}, "ids may name 500 values"),
        ({"queue": [str(n) for n in range(501)]}, "queue may name 500 values"),
        ({"user_id": "7"}, "user_id must be a whole number"),
        ({"user_id": 2**63}, "user_id must be a whole number"),
        ({"user_id": True}, "user_id must be a whole number"),
        ({"id_prefix": 7}, "id_prefix must be a text"),
        ({"created_from": datetime(2026, 1, 1)}, "created_from must be a datetime with a time zone"),  # noqa: DTZ001
        ({"created_from": NOON, "created_to": NOON}, "created_from must be before created_to"),
        (
            {"status": "SUCCESS", "state": "discarded"},
            "no job has the status SUCCESS and the state discarded",
        ),
        ({"kwargs": {}}, "kwargs must not be empty"),
    ],
)
def test_wrong_conditions_are_refused(conditions: dict[str, Any], message: str) -> None:
    """A condition that can hold for no row, or that a slip has made, is told in words."""
    with pytest.raises(ConfigurationError, match=message):
        LedgerFilter.of(**conditions)


def test_filter_and_conditions_are_not_mixed() -> None:
    """One says which rows are meant."""
    with pytest.raises(ConfigurationError, match="not both"):
        LedgerFilter.of(LedgerFilter.of(queue="a"), queue="b")


def test_states_say_which_statuses() -> None:
    """A filter of jobs by their states is one of rows by their statuses, too."""
    assert LedgerFilter.of(JobFilter.of(state=["completed", "retryable"])).statuses == (
        LedgerStatus.QUEUED,
        LedgerStatus.SUCCESS,
    )
    assert LedgerFilter.of().statuses is None
    assert LedgerFilter.of(user_id=0).user_ids == (0,)


@pytest.mark.parametrize("job_id", ["a", "ä~/+?&=", '"\\', "\N{OLD PERSIAN SIGN A}" * 100])
def test_cursors_go_round(job_id: str) -> None:
    """A cursor has only characters that need no quoting anywhere, and means the very place it was made of."""
    key = Key(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), job_id, "mail")

    cursor = cursor_of("at", key)

    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert key_of("at", cursor) == key


def test_cursors_of_other_lists_are_refused() -> None:
    """A cursor of a list by id means no place in one by time."""
    with pytest.raises(ConfigurationError, match="no cursor of this list"):
        key_of("at", cursor_of("id", Key(NOON, "a", "b")))


def test_windows_are_whole_minutes() -> None:
    """The minutes that hold the time are all in it; by default it is the last day."""
    day = window(None, None, None, NOON.replace(second=1))

    assert day.until - day.since == 24 * 60 + 1
    with pytest.raises(ConfigurationError, match="since must be before until"):
        window(NOON, NOON, None, NOON)
    with pytest.raises(ConfigurationError, match=f"more than {MOST_POINTS} steps of a minute"):
        window(NOON.replace(year=2025), None, "minute", NOON)
    with pytest.raises(ConfigurationError, match="per must be one of"):
        window(None, None, "week", NOON)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (Count(0), "0"),
        (Count(12_345), "12,345"),
        (Count(100_000, "at least"), "100k+"),
        (Count(9_876_543, "about"), "~9.88M"),
        (Count(999, "about"), "~999"),
    ],
)
def test_counts_in_words(count: Count, words: str) -> None:
    """A count says how sure it is."""
    assert str(count) == words
