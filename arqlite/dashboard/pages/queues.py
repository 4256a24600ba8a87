"""Queues: how full they are, who works on them, and what steers them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import console_of
from ..links import named
from .answering import not_found
from .rendering import render


async def queues(request: Request) -> Response:
    """All queues that somebody sees."""
    found = await console_of(request).queues()
    return render(request, "queues", {"page": "queues", "queues": found})


async def queue(request: Request) -> Response:
    """One queue, node by node."""
    console, key = console_of(request), named(request, "key")
    if key not in {place.key for place in console.places}:
        return not_found(request, f"There is no queue {key!r}.", "All there are stand under Queues.")
    found = await console.queue(key)
    nodes = sorted({worker.node for worker in found.workers} | {*found.node_limits, *found.node_pauses})
    by_node = {node: [worker for worker in found.workers if worker.node == node] for node in nodes}
    return render(request, "queue", {"page": "queues", "view": found, "by_node": by_node})
