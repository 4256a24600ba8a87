"""What everything stands on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import access_of, console_of
from ..visible import seen
from .rendering import render


async def system(request: Request) -> Response:
    """Servers, ledgers and leaders, and what the doctor says of them."""
    console, access = console_of(request), access_of(request)
    found = await console.system()
    places = {place.server for place in console.places if access.sees(place.key)}
    values = {
        "page": "system",
        "servers": [server for server in found.servers if access.queues is None or server.server in places],
        "ledgers": found.ledgers,
        "leaders": {key: leader for key, leader in found.leaders.items() if access.sees(key)},
        "troubles": seen(found.troubles, access),
    }
    return render(request, "system", values)
