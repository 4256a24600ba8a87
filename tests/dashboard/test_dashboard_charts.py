"""Charts: SVG that is well formed, tells the same in words, and needs no style of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from dashboard_toys import job_line
from markupsafe import Markup

from arqlite.console import Point
from arqlite.dashboard import charts
from arqlite.model.states import JobState

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def read(chart: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(chart).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def heights(chart: Markup, kind: str) -> list[float]:
    return [float(bar.get("height", 0)) for bar in read(chart).iter(f"{SVG}rect") if bar.get("class") == kind]


def test_bars_are_as_tall_as_their_numbers() -> None:
    """Each part of a bar has the share of the axis that its number has."""
    points = [Point(at=NOW, completed=6, failed=2), Point(at=NOW + timedelta(minutes=1))]

    chart = charts.stacked_bars(points, height=100)

    assert charts.ceiling(8) == 8
    assert (heights(chart, "c-completed"), heights(chart, "c-failed")) == ([75.0], [25.0])


def test_bars_tell_their_step_in_words() -> None:
    """Who points at a bar, or listens to the page, hears its numbers."""
    chart = charts.stacked_bars([Point(at=NOW, completed=6, failed=2)])

    titles = [title.text for title in read(chart).iter(f"{SVG}title")]
    assert titles == ["2026-11-20 09:30 UTC: 6 completed, 2 failed"]
    assert read(chart).get("aria-label") == "8 ended, at most 8 in one step"


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 2), (1, 2), (3, 4), (5, 6), (9, 10), (11, 20), (61, 80), (999, 1_000), (4_001, 6_000)],
)
def test_axis_ends_with_a_number_that_reads_well(value: int, top: int) -> None:
    """The top of an axis, and half of it, are whole and short numbers."""
    assert charts.ceiling(value) == top


@pytest.mark.parametrize("values", [[], [0, 0], [5], [1, 0, 9]])
def test_sparkline_of_any_series_is_drawn(values: list[int]) -> None:
    """Nothing, one number and a quiet hour have a picture, too."""
    [line] = read(charts.sparkline(values)).iter(f"{SVG}polyline")

    ups = [float(spot.split(",")[1]) for spot in str(line.get("points")).split()]
    assert len(ups) >= 2
    assert all(0 <= up <= 24 for up in ups)


@pytest.mark.parametrize(
    ("part", "whole", "width", "tone"),
    [
        (0, 20, "0", "some"),
        (5, 20, "25", "some"),
        (17, 20, "85", "high"),
        (30, 20, "100", "full"),
        (3, 0, "0", "some"),
    ],
)
def test_gauge_fills_and_never_overflows(part: int, whole: int, width: str, tone: str) -> None:
    """A gauge is full where more is used than there is, and empty where there is nothing."""
    fill = list(read(charts.gauge(part, whole)).iter(f"{SVG}rect"))[1]

    assert (fill.get("width"), fill.get("class")) == (width, f"fill {tone}")


def test_percentiles_stand_in_their_order() -> None:
    """p50, p95 and p99 stand on one scale, within the picture."""
    chart = read(charts.percentiles((0.2, 40.0, 90_000.0), 60_000.0))

    low, middle = (float(dot.get("cx", 0)) for dot in chart.iter(f"{SVG}circle"))
    [line] = [line for line in chart.iter(f"{SVG}line") if line.get("class") == "span"]
    assert 0 <= low < middle < float(line.get("x2", 0)) <= 200
    assert "p95 40" in str(chart.get("aria-label"))


def test_runs_that_were_not_counted_have_an_empty_line() -> None:
    """Where nobody counted nothing is claimed."""
    assert read(charts.percentiles(None, 10)).get("aria-label") == "not counted"


def test_strip_has_the_newest_at_the_right() -> None:
    """The last runs are told by state, and the newest is the last bar."""
    jobs = [job_line(NOW, 1, state=JobState.DISCARDED), job_line(NOW, 2, state=JobState.COMPLETED)]

    bars = [bar.get("class") for bar in read(charts.strip(jobs, 4)).iter(f"{SVG}rect")]

    assert bars == ["none", "none", "s-completed", "s-discarded"]


def test_labels_cannot_break_out() -> None:
    """What is written into a chart is text, whatever it is."""
    chart = charts.sparkline([1], label='"><script>alert(1)</script>')

    assert "<script" not in chart
    assert read(chart).get("aria-label") == '"><script>alert(1)</script>'
