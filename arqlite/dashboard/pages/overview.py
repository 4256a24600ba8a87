"""The first look."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .. import charts
from ..context import console_of
from .rendering import render


async def overview(request: Request) -> Response:
    """Four numbers, what ended in the last hour, the queues and the last errors."""
    found = await console_of(request).overview()
    ended = {name: sum(getattr(point, name) for point in found.points) for name in charts.SERIES}
    is_away = bool(found.queues) and all(queue.error for queue in found.queues)
    values = {
        "page": "overview",
        "view": found,
        "ended": ended,
        "is_away": is_away,
        "has_workers": any(queue.workers for queue in found.queues),
    }
    return render(request, "overview", values)
