"""The page of the query grammar, held to the grammar."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arqlite.model.query import NAMES, Query
from arqlite.model.states import Cause, JobState, LedgerStatus

PAGE = Path(__file__).resolve().parents[2] / "docs" / "filters.md"
EXAMPLES = sorted(
    one
    for one in set(re.findall(r"`(-?(?:[a-z]+|arg|meta)(?:\.[a-z.]+)?:[^`]+)`", PAGE.read_text()))
    if not one.endswith(":")
)


def test_every_word_is_told() -> None:
    """The table has every word that may stand before a colon, and no other."""
    told = re.findall(r"^\| `([\w.]+):` \|", PAGE.read_text(), re.MULTILINE)

    assert told == [*NAMES, "arg.NAME", "meta.NAME"]


def test_every_state_and_cause_is_told() -> None:
    """Whoever looks for the name of a state, a status or an end finds it."""
    text = PAGE.read_text()

    ends = set(Cause) - {Cause.RETRY, Cause.SNOOZE}
    assert [one for one in (*JobState, *LedgerStatus, *ends) if f"`{one}`" not in text] == []


def test_page_has_examples() -> None:
    """The examples below are found in the page."""
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_read(line: str) -> None:
    """What the page shows can be asked."""
    assert Query.parse(line)
