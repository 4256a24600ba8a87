"""Times, spans and numbers as people read them, and values as JSON has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

from arqlite.cli.ages import seconds
from arqlite.cli.output import plain
from arqlite.cli.screen import printable
from arqlite.cli.wording import ago, many, size, span, spark, tally
from arqlite.console import Tally
from arqlite.model.states import JobState

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.34, "340ms"), (2.5, "2.5s"), (90, "90s"), (300, "5m"), (5400, "90m"), (129_600, "36h"),
        (259_200, "3d"), (None, ""), (timedelta(minutes=5), "5m"),
    ],
)  # fmt: skip
def test_span(value: Any, text: str) -> None:
    """A span is told in the largest unit that it has two of."""
    assert span(value) == text


def test_ago() -> None:
    """A moment is told by how far it is away, to either side."""
    assert ago(NOW - timedelta(hours=3), NOW) == "3h ago"
    assert ago(NOW + timedelta(minutes=5), NOW) == "in 5m"
    assert ago(None) == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (81_000_000, "81.0 MB"), (5 * 10**15, "5000.0 TB"), (None, "")],
)
def test_size(count: int | None, text: str) -> None:
    """Bytes are told in their largest unit."""
    assert size(count) == text


def test_numbers() -> None:
    """A number says how sure it is, and has its noun."""
    assert tally(Tally(5000, "at least")) == "at least 5,000"
    assert many(tally(Tally(1)), "job") == "1 job"
    assert many(1234, "job") == "1,234 jobs"


def test_spark() -> None:
    """A chart has a bar per number; nothing has none."""
    assert spark([0, 5, 10]) == "▁▅█"
    assert spark([0, 0]) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 日本", "plain ü 日本"), ("\x1b[31m", r"\x1b[31m"), ("a\nb", r"a\nb"), ("\x9b", r"\x9b"),
        ("\u202etxt", r"\u202etxt"), ("\ud800", r"\ud800"),
    ],
)  # fmt: skip
def test_printable(text: str, shown: str) -> None:
    """What would steer a terminal is shown; all other text stays what it is."""
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (NOW.astimezone(), "2026-11-26T12:00:00+00:00"), (timedelta(minutes=1), 60.0), (float("inf"), None),
        (JobState.DISCARDED, "discarded"), (frozenset({"b", "a"}), ["a", "b"]),
        ((1, {"a": None}), [1, {"a": None}]), (Tally(3), {"value": 3, "precision": "exact"}),
    ],
)  # fmt: skip
def test_values_as_json(value: Any, wanted: Any) -> None:
    """Whatever a view has is what JSON has."""
    assert plain(value) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("2h", 7200), ("1.5d", 129_600), ("7", 7)]
)
def test_span_is_read(text: str, wanted: float) -> None:
    """A span is read with its unit; without one it is seconds."""
    assert seconds(None, None, text) == wanted  # type: ignore[arg-type] # neither is looked at


def test_span_that_cannot_be_read() -> None:
    """What is no span says how one is written."""
    with pytest.raises(click.BadParameter, match="30s, 5m, 2h or 1d"):
        seconds(None, None, "soon")  # type: ignore[arg-type] # neither is looked at


@pytest.mark.parametrize(
    ("away", "text"),
    [
        (timedelta(minutes=119, seconds=50), "in 1h"), (timedelta(days=4, hours=22), "in 4d"),
        (timedelta(seconds=90), "in 1m"), (timedelta(seconds=1.72), "in 1.7s"),
    ],
)  # fmt: skip
def test_moment_is_as_far_as_the_dashboard_has_it(away: timedelta, text: str) -> None:
    """A moment is told in full hours and days, as the dashboard tells it."""
    assert ago(NOW + away, NOW) == text


def test_span_is_not_rounded_up() -> None:
    """No span is told longer than it was."""
    assert span(timedelta(days=4, hours=22)) == "4d"
    assert span(59.9) == "59s"
