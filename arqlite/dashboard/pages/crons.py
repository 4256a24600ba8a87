"""Cron jobs: when they were, when they will be, and how it went."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import access_of, console_of
from ..visible import seen
from .rendering import render


async def crons(request: Request) -> Response:
    """All cron jobs of the queues that somebody sees."""
    found = seen(await console_of(request).crons(), access_of(request))
    return render(request, "crons", {"page": "crons", "crons": found})
