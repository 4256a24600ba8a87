"""One page for all who ask for the same at the same time: fifty tabs are made as few times as they differ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import wraps
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import Response

from ..context import access_of
from ..links import ROOT_PATH
from ..sharing import Readings

OWN_COOKIES: Final = "arqlite_"
"""What the names of all cookies begin with that a page looks at."""


def shared(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """A handler of a page that is asked once by all who see the same, for as long as readings are told."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        # What was just done is said to one reader, once.
        if request.state.flash:
            return await handler(request)
        readings = cast("Readings", request.app.state.readings)
        made = cast("Response", await readings.get(_what_is_seen(request), lambda: _made(handler, request)))
        # Whoever sends it adds headers to it.
        own = Response(made.body, made.status_code)
        own.raw_headers = list(made.raw_headers)
        return own

    return answer


async def _made(handler: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    return await handler(request)


def _what_is_seen(request: Request) -> Hashable:
    """All that a page is made of, beside what is read for it."""
    scope, access = request.scope, access_of(request)
    return (
        "page",
        (access.user, access.can, access.shows_arguments),
        None if access.queues is None else frozenset(access.queues),
        (scope["path"], scope.get("root_path"), scope.get(ROOT_PATH), scope["query_string"]),
        tuple(sorted((name, told) for name, told in request.cookies.items() if name.startswith(OWN_COOKIES))),
    )
