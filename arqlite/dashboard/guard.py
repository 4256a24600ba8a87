"""Who gets in: asked of every request before anything else sees it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection
from typing import Final
from urllib.parse import quote, unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import Auth, bearer_of, verdict_of
from .faults import is_away, refusal, unavailable
from .hosts import host_of, is_allowed, is_same_origin
from .opening import Opening
from .paths import is_api, root_of
from .routes import SAFE_METHODS

logger = logging.getLogger("arqlite.dashboard")

FLASH_COOKIE: Final = "arqlite_flash"
_LONGEST_FLASH = 300

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Forms find their way back by it; other sites are told nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_WRONG_HOST: Final = (
    "This dashboard is not known by that name. Names it has are given to create_dashboard as allowed_hosts."
)
_CROSS_SITE: Final = (
    "This request does not come from a page of this dashboard, so nothing was done. A program says who it is "
    "with 'Authorization: Bearer ...', or names the dashboard in the header Origin."
)


class Guard:
    """Lets in who may, and tells the rest of the dashboard who it is.

    Args:
        app: the rest.
        opening: what makes the console before it is needed.
        auth: finds out who asks.
        allowed_hosts: names that the dashboard has, see `is_allowed`.
        is_read_only: whether nobody may do anything.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        opening: Opening,
        auth: Auth,
        allowed_hosts: Collection[str],
        is_read_only: bool,
    ) -> None:
        self._app = app
        self._opening = opening
        self._auth = auth
        self._allowed_hosts = tuple(allowed_hosts)
        self._is_read_only = is_read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "http":
            await self._answer(scope, receive, _Sealed(Request(scope), send))
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:  # there is no websocket here
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: _Sealed) -> None:
        request = Request(scope)
        try:
            if (refused := await self._admit(request)) is not None:
                await refused(scope, receive, send)
                return
            send.flash = request.state.flash = _flash_in(request)
            await self._opening.open()
            await self._app(scope, receive, send)
        except Exception as error:
            if send.has_begun:
                raise
            await self._mistake(request, error)(scope, receive, send)

    async def _admit(self, request: Request) -> Response | None:
        if not is_allowed(host_of(request), self._allowed_hosts):
            return refusal(request, 400, _WRONG_HOST, code="wrong-host")
        verdict = await verdict_of(self._auth, request)
        if verdict is None:
            return refusal(request, 404)
        if isinstance(verdict, Response):
            return verdict
        if request.method not in SAFE_METHODS and not _is_meant(request):
            return refusal(request, 403, _CROSS_SITE, code="cross-site")
        is_bare = self._is_read_only and verdict.can
        request.state.access = dataclasses.replace(verdict, can=frozenset()) if is_bare else verdict
        return None

    def _mistake(self, request: Request, error: Exception) -> Response:
        if is_away(error):
            logger.warning("%s: %s", type(error).__name__, error)
            return refusal(request, 503, unavailable(error), {"Retry-After": "5"})
        # A path may have line breaks and orders to terminals in it: who asks must not write lines of the log.
        logger.error("%s %r failed", request.method, request.url.path, exc_info=error)
        return refusal(request, 500)


class _Sealed:
    """Sends answers with the headers that all of them have."""

    def __init__(self, request: Request, send: Send) -> None:
        self._request = request
        self._send = send
        self.has_begun = False
        self.flash = ""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            if self.flash and headers.get("content-type", "").startswith("text/html"):
                _forget_flash(self._request, headers)
        await self._send(message)


def flash(request: Request, response: Response, text: str) -> None:
    """Have the next page say something, once."""
    response.set_cookie(
        FLASH_COOKIE,
        quote(text[:_LONGEST_FLASH]),
        max_age=30,
        path=root_of(request.scope) + "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _flash_in(request: Request) -> str:
    return unquote(request.cookies.get(FLASH_COOKIE, ""), errors="replace")[:_LONGEST_FLASH]


def _forget_flash(request: Request, headers: MutableHeaders) -> None:
    made = Response()
    made.delete_cookie(FLASH_COOKIE, path=root_of(request.scope) + "/", httponly=True, samesite="strict")
    headers.append("set-cookie", made.headers["set-cookie"])


def _is_meant(request: Request) -> bool:
    # A browser sends a token to another site only if that one has allowed it, and this one never does.
    return is_same_origin(request) or (is_api(request) and bearer_of(request) is not None)
