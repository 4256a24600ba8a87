"""Who did what by hand."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import console_of
from .answering import not_found
from .rendering import render


async def audit(request: Request) -> Response:
    """A page of what was done, of one queue or actor or of all."""
    console = console_of(request)
    keys = [place.key for place in console.places]
    asked = {name: request.query_params.get(name, "") for name in ("queue", "actor", "after")}
    if asked["queue"] and asked["queue"] not in keys:
        return not_found(request, f"There is no queue {asked['queue']!r}.")
    found = await console.audit(
        queue=asked["queue"] or None, actor=asked["actor"] or None, after=asked["after"] or None
    )
    values = {
        "page": "audit",
        "view": found,
        "key_choices": [(key, key) for key in keys],
        "asked": asked,
    }
    return render(request, "audit", values)
