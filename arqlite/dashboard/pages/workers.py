"""Workers: where they run, what they do, and how well."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import console_of
from .rendering import render


async def workers(request: Request) -> Response:
    """All workers of the queues that somebody sees."""
    found = await console_of(request).workers()
    versions = {worker.version for worker in found.workers if worker.version}
    return render(request, "workers", {"page": "workers", "view": found, "are_mixed": len(versions) > 1})
