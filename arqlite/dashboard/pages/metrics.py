"""How it went: throughput, and percentiles of how long jobs waited and ran, beside the time before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from ...console import Figures
from .. import charts
from ..context import console_of
from .answering import not_found
from .rendering import render
from .spans import SPANS, span_of


async def metrics(request: Request) -> Response:
    """Figures of one queue or of all, of one function or of all."""
    console = console_of(request)
    keys = [place.key for place in console.places]
    queue = request.query_params.get("queue", "")
    if queue and queue not in keys:
        return not_found(request, f"There is no queue {queue!r}.")
    function = request.query_params.get("function", "")
    since = span_of(request, "1h")
    until, span = datetime.now(UTC), SPANS[since][1]
    now, before = await asyncio.gather(
        *(
            console.figures(since=end - span, until=end, queue=queue or None, function=function or None)
            for end in (until, until - span)
        )
    )
    values = {
        "page": "metrics",
        "view": now,
        "before": before,
        "ended": {name: sum(getattr(point, name) for point in now.overall.points) for name in charts.SERIES},
        "longest": _longest(now),
        "key_choices": [(key, key) for key in keys],
        "queue": queue,
        "function": function,
        "since": since,
        "spans": SPANS,
        "choices": [(value, said) for value, (said, _) in SPANS.items()],
    }
    return render(request, "metrics", values)


def _longest(figures: Figures) -> float:
    """The largest p99 of all functions in ms: what the scale of their lines ends with."""
    spans = [span for one in figures.functions for span in (one.run_ms, one.wait_ms) if span is not None]
    return max((span[2] for span in spans), default=1.0)
