"""Who did what by hand."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import access_of, console_of
from ..visible import seen_keys
from .answering import not_found
from .rendering import render


async def audit(request: Request) -> Response:
    """A page of what was done, of one queue or actor or of all."""
    console, access = console_of(request), access_of(request)
    keys = seen_keys(console, access)
    asked = {name: request.query_params.get(name, "") for name in ("queue", "actor", "after")}
    if asked["queue"] and asked["queue"] not in keys:
        return not_found(request, f"There is no queue {asked['queue']!r}.")
    found = await console.audit(
        queue=asked["queue"] or None, actor=asked["actor"] or None, after=asked["after"] or None
    )
    # What was done to no queue in particular may have been done to those that are not for these eyes.
    lines = [line for line in found.lines if access.queues is None or access.sees(line.queue)]
    values = {
        "page": "audit",
        "view": found,
        "lines": lines,
        "key_choices": [(key, key) for key in keys],
        "asked": asked,
    }
    return render(request, "audit", values)
