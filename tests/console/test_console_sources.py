"""Lists of several places as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arqlite.console.cursors import packed, unpacked
from arqlite.console.sources import BEGINNING, Chunk, Listed, merged
from arqlite.console.views import JobLine
from arqlite.errors import ConfigurationError
from arqlite.model.states import JobState, LedgerStatus

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def line(minute: int, name: str) -> JobLine:
    return JobLine(
        queue=name,
        id=f"{name}-{minute}",
        function="f",
        state=JobState.COMPLETED,
        status=LedgerStatus.SUCCESS,
        enqueued_at=NOW + timedelta(minutes=minute),
    )


def chunk(minutes: list[int], name: str, after: object, limit: int, *, has_order: bool) -> Chunk:
    """A part of a list: cursors are how many lines there were before."""
    begin = 0 if after == BEGINNING else int(str(after))
    part = minutes[begin : begin + limit]
    end = begin + len(part)
    following = end if end < len(minutes) else None
    listed = [Listed(line(minute, name), begin + place + 1) for place, minute in enumerate(part)]
    frontier = listed[-1].line.enqueued_at if has_order and following is not None else None
    return Chunk(listed, following, frontier, after)


_minutes = st.lists(st.integers(0, 50), unique=True, max_size=20).map(
    lambda found: sorted(found, reverse=True)
)


@given(st.dictionaries(st.sampled_from("abc"), _minutes, max_size=3), st.integers(1, 7), st.integers(1, 7))
def test_pages_have_every_job_once_and_in_order(lists: dict[str, list[int]], limit: int, part: int) -> None:
    """Whatever the lists and however small their parts, all jobs come once, the newest first."""
    cursors: dict[str, object] = dict.fromkeys(lists, BEGINNING)
    told: list[JobLine] = []
    for _ in range(200):
        open_ones = {name: after for name, after in cursors.items() if after is not None}
        if not open_ones:
            break
        chunks = {
            name: chunk(lists[name], name, after, part, has_order=True) for name, after in open_ones.items()
        }
        page, following = merged(chunks, limit)
        cursors |= following
        told += page

    every = [line(minute, name) for name, minutes in lists.items() for minute in minutes]
    assert sorted(one.id for one in told) == sorted(one.id for one in every)
    moments = [one.enqueued_at for one in told]
    assert moments == sorted(moments, reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize("cursors", [{"a": 1}, {"a": "x:y", "b": None}, {"ü": ["scan", 3, 4, "id"]}])
def test_cursor_goes_through_a_url(cursors: dict[str, object]) -> None:
    """Where lists go on is one text without letters that a URL would change."""
    text = packed(cursors)

    assert text is not None
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert unpacked(text) == cursors


def test_cursor_of_lists_that_have_ended_is_none() -> None:
    """After the last page there is no other."""
    assert packed({"a": None, "b": None}) is None
    assert packed({}) is None
    assert unpacked(None) == {}
    with pytest.raises(ConfigurationError, match="no cursor"):
        unpacked("=")
