"""Cron jobs: when they were, when they will be, and how it went."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import console_of
from .rendering import render


async def crons(request: Request) -> Response:
    """All cron jobs of the queues that somebody sees."""
    found = await console_of(request).crons()
    return render(request, "crons", {"page": "crons", "view": found})
