"""The time a page looks back on: one of a few, as the URL says."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from starlette.requests import Request

SPANS: Final = {
    "1h": ("last hour", timedelta(hours=1)),
    "6h": ("last 6 hours", timedelta(hours=6)),
    "24h": ("last 24 hours", timedelta(days=1)),
    "7d": ("last 7 days", timedelta(days=7)),
}
"""Those there are, by the value of `since`."""


def span_of(request: Request, usual: str) -> str:
    """The value of `since`; the usual one if it is none of `SPANS`."""
    told = request.query_params.get("since", "")
    return told if told in SPANS else usual
