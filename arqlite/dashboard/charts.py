"""Charts as SVG from the server: no script draws them, and no style is written into them.

Sizes are attributes, colours are classes of the style sheet. A chart that has a width of its own kind is
stretched to the room it gets, so text never stands inside: words are beside it, in HTML.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Final

from markupsafe import Markup

from ..console import JobLine, Point
from . import words

SERIES: Final = ("completed", "retried", "cancelled", "failed")
"""What a throughput chart stacks, from the bottom."""

_WIDTH: Final = 600.0


def totals(points: Sequence[Point]) -> Sequence[int]:
    """How many runs ended in each step."""
    return [point.completed + point.failed + point.cancelled + point.retried for point in points]


def highest(points: Sequence[Point]) -> int:
    """How many runs ended in the busiest step."""
    return max(totals(points), default=0)


def ticks(points: Sequence[Point], count: int = 4) -> Sequence[Point]:
    """A few steps, evenly spread, whose times are written below a chart."""
    return points[:: max(len(points) // count, 1)][:count]


def stacked_bars(points: Sequence[Point], height: int = 140) -> Markup:
    """What ended in each step: one bar per step, its parts on top of each other."""
    most = highest(points)
    top = ceiling(most)
    step = _WIDTH / max(len(points), 1)
    columns = (_column(point, place * step, step, height, top) for place, point in enumerate(points))
    rules = Markup("").join(
        Markup(
            '<line class="rule" x1="0" x2="600" y1="{y}" y2="{y}" vector-effect="non-scaling-stroke"/>'
        ).format(y=_plain(height * part / 4))
        for part in range(4)
    )
    label = f"{words.number(sum(totals(points)))} ended, at most {words.number(most)} in one step"
    return _svg("bars", _WIDTH, height, label, rules + Markup("").join(columns))


def ceiling(value: float) -> int:
    """The next number above that reads well on an axis, as its half does: 2, 4, 6, 8, 10, 20, 40, ..."""
    if value <= 2:
        return 2
    power = 10 ** math.floor(math.log10(value))
    return next(int(step * power) for step in (1, 2, 4, 6, 8, 10) if step * power >= max(value, 2))


def sparkline(values: Sequence[int], label: str = "", tone: str = "") -> Markup:
    """How something went, small: a line with the room below it filled."""
    if not any(values):
        return _svg(f"spark {tone}".strip(), 100, 24, label or "nothing", _line("0,23 100,23"))
    top, step = max(values), 100 / max(len(values) - 1, 1)
    spots = [f"{_plain(place * step)},{_plain(23 - 21 * value / top)}" for place, value in enumerate(values)]
    if len(spots) == 1:
        spots.append(f"100,{spots[0].partition(',')[2]}")
    area = Markup('<polygon points="0,24 {spots} 100,24"/>').format(spots=" ".join(spots))
    return _svg(
        f"spark {tone}".strip(),
        100,
        24,
        label or f"at most {words.number(top)}",
        area + _line(" ".join(spots)),
    )


def gauge(part: float, whole: float, label: str = "") -> Markup:
    """How much of something is used: a bar that fills up."""
    share = min(part / whole, 1.0) if whole else 0.0
    tone = "full" if share >= 0.999 else "high" if share >= 0.8 else "some"
    inside = Markup(
        '<rect class="track" width="100" height="8" rx="1"/>'
        '<rect class="fill {tone}" width="{width}" height="8" rx="1"/>'
    ).format(tone=tone, width=_plain(100 * share))
    return _svg("gauge", 100, 8, label or f"{words.number(part)} of {words.number(whole)}", inside)


def percentiles(values: tuple[float, float, float] | None, most: float) -> Markup:
    """The span from p50 to p99 of durations in ms, with p95 on the way, on a scale that all lines share.

    Args:
        values: p50, p95 and p99; None draws an empty line.
        most: the largest value of all lines, ms; the scale is logarithmic and begins at 1 ms.
    """
    inside = Markup('<line class="track" x1="2" x2="198" y1="8" y2="8"/>')
    if values is None:
        return _svg("percentiles", 200, 16, "not counted", inside)
    low, middle, high = (_plain(_on_scale(value, most)) for value in values)
    inside += Markup(
        '<line class="span" x1="{low}" x2="{high}" y1="8" y2="8"/>'
        '<circle class="p50" cx="{low}" cy="8" r="4"/>'
        '<circle class="p95" cx="{middle}" cy="8" r="3"/><path class="p99" d="M{high} 3v10"/>'
    ).format(low=low, middle=middle, high=high)
    label = ", ".join(
        f"{name} {words.duration(value)}" for name, value in zip(("p50", "p95", "p99"), values, strict=True)
    )
    return _svg("percentiles", 200, 16, label, inside, stretches=False)


def strip(jobs: Iterable[JobLine], most: int = 20) -> Markup:
    """The last runs of something, the newest at the right: a bar each, whose height is its state, too."""
    shown = list(jobs)[:most]
    empty = most - len(shown)
    bars = [
        Markup('<rect class="none" x="{x}" y="9" width="4" height="2"/>').format(x=place * 6)
        for place in range(empty)
    ]
    for place, job in enumerate(reversed(shown), empty):
        height = {"completed": 10, "discarded": 16, "cancelled": 6}.get(job.state, 4)
        told = f"{words.state_word(job.state)}, {words.duration(job.duration)}"
        if job.finished_at is not None:
            told += f", {words.absolute(job.finished_at)}"
        bars.append(
            Markup(
                '<rect class="s-{state}" x="{x}" y="{y}" width="4" height="{height}" rx="1">'
                "<title>{told}</title></rect>"
            ).format(state=job.state.value, x=place * 6, y=18 - height, height=height, told=told)
        )
    failed = sum(job.state == "discarded" for job in shown)
    label = f"{len(shown)} runs, {failed} failed" if shown else "no runs"
    return _svg("strip", most * 6, 20, label, Markup("").join(bars), stretches=False)


def _column(point: Point, left: float, step: float, height: int, top: int) -> Markup:
    parts, base = Markup(""), float(height)
    for name in SERIES:
        count = getattr(point, name)
        if count:
            tall = max(height * count / top, 1.0)
            base -= tall
            parts += Markup('<rect class="c-{name}" x="{x}" y="{y}" width="{w}" height="{h}"/>').format(
                name=name, x=_plain(left + step * 0.12), y=_plain(base), w=_plain(step * 0.76), h=_plain(tall)
            )
    told = ", ".join(f"{words.number(count)} {name}" for name in SERIES if (count := getattr(point, name)))
    at = point.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Markup(
        '<g><title>{at}: {told}</title><rect class="hit" x="{x}" y="0" width="{w}" height="{h}"/>{parts}</g>'
    ).format(at=at, told=told or "nothing", x=_plain(left), w=_plain(step), h=height, parts=parts)


def _on_scale(value: float, most: float) -> float:
    span = math.log10(max(most, 10.0))
    return 4 + 192 * min(max(math.log10(max(value, 1.0)) / span, 0.0), 1.0)


def _line(points: str) -> Markup:
    return Markup('<polyline points="{points}" vector-effect="non-scaling-stroke"/>').format(points=points)


def _svg(
    kind: str, width: float, height: float, label: str, inside: Markup, *, stretches: bool = True
) -> Markup:
    return Markup(
        '<svg class="chart {kind}" role="img" aria-label="{label}" viewBox="0 0 {width} {height}"'
        ' width="{width}" height="{height}"{ratio}>{inside}</svg>'
    ).format(
        kind=kind,
        label=label,
        width=_plain(width),
        height=_plain(height),
        ratio=Markup(' preserveAspectRatio="none"') if stretches else "",
        inside=inside,
    )


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
