"""Which columns a list of jobs has: by the URL, else as this browser had them last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ..links import link

COLUMNS: Final = {
    "queue": "Queue",
    "attempt": "Attempt",
    "when": "When",
    "duration": "Duration",
    "wait": "Wait",
    "tags": "Tags",
    "priority": "Priority",
    "worker": "Worker",
    "by": "By",
    "error": "Error",
    "id": "Id",
}
"""Those that may be chosen, beside the state and the function, which are always there."""

DEFAULT: Final = ("queue", "attempt", "when", "duration", "tags")
_COOKIE: Final = "arqlite_cols"
_YEAR_S: Final = 365 * 86_400


def columns_of(request: Request) -> Sequence[str]:
    """The columns that are wanted, in the order of the table."""
    told = request.query_params.getlist("cols") or [request.cookies.get(_COOKIE, "")]
    wanted = {name for text in told for name in text.replace(".", ",").split(",")}
    return [name for name in COLUMNS if name in wanted] or DEFAULT


def keep_columns(request: Request, response: Response) -> None:
    """Have this browser remember the columns that the URL names."""
    if "cols" in request.query_params:
        response.set_cookie(
            _COOKIE,
            ".".join(columns_of(request)),  # a comma would have to be quoted
            max_age=_YEAR_S,
            path=link(request, "overview"),
            samesite="lax",
            httponly=True,
        )
