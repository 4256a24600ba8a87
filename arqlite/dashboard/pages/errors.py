"""Failures by what they have in common: nobody reads 40,000 of them."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from ...console.groups import query_of
from ..context import console_of
from .answering import not_found
from .rendering import render
from .spans import SPANS, span_of


async def errors(request: Request) -> Response:
    """The groups of failures within a time."""
    console = console_of(request)
    keys = [place.key for place in console.places]
    queue = request.query_params.get("queue", "")
    if queue and queue not in keys:
        return not_found(request, f"There is no queue {queue!r}.")
    since = span_of(request, "24h")
    found = await console.errors(since=datetime.now(UTC) - SPANS[since][1], queue=queue or None)
    values = {
        "page": "errors",
        "groups": [(group, query_of(group)) for group in found.groups],
        "view": found,
        "key_choices": [(key, key) for key in keys],
        "queue": queue,
        "since": since,
        "spans": SPANS,
        "choices": [(value, said) for value, (said, _) in SPANS.items()],
    }
    return render(request, "errors", values)
