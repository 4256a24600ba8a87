"""What everything stands on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import console_of
from .rendering import render


async def system(request: Request) -> Response:
    """Servers, ledgers and leaders, and what the doctor says of them."""
    return render(request, "system", {"page": "system", "view": await console_of(request).system()})
