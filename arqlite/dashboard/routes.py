"""Routes that cannot be reached by whoever may not: each says what it needs, and holds everybody to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from ..errors import ConfigurationError
from .context import VERBS, access_of, console_of, look_of
from .links import named

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
LONGEST_BODY = 4 * 1024 * 1024


class GuardedRoute(Route):
    """A route of a dashboard.

    Its parameters `queue` and `key` are keys of queues: one that there is not, or that who asks does not see,
    is not found.

    Args:
        path: as for a `Route`; `links.named` tells its parameters.
        endpoint: as for a `Route`.
        methods: as for a `Route`.
        name: as for a `Route`.
        needs: for routes that change something, what each of them needs: of `VERBS`, by the text that the
            parameter `verb` of the path or the field `verb` of the form has, or by "" where there is none.

    Raises:
        ConfigurationError: a route that changes something does not say what it needs.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: list[str] | None = None,
        name: str,
        needs: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=methods or ["GET"], name=name)
        self.needs = dict(needs or {})
        if self.changes and (not self.needs or not set(self.needs.values()) <= VERBS):
            raise ConfigurationError(f"the route {name!r} changes something, and does not say what it needs")

    @property
    def changes(self) -> bool:
        """Whether something may be different after a request."""
        return not (self.methods or set()) <= SAFE_METHODS

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, if it is allowed."""
        request = Request(scope)
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self.methods or ()))})
        if self.changes:
            self._must_be_allowed(request)
            receive = _bounded(receive)
        _must_be_seen(request)
        await super().handle(scope, receive, _forgetting(request, send) if self.changes else send)

    def _must_be_allowed(self, request: Request) -> None:
        if look_of(request).is_read_only:
            raise HTTPException(
                405, "This dashboard only shows: nothing can be done here.", headers={"Allow": "GET, HEAD"}
            )
        verb = request.path_params.get("verb")
        if verb is None and self.needs.keys() != {""}:
            # Its handler reads it from the body and asks `must_be_allowed`; who may do none of it stops here.
            if not any(access_of(request).may(need) for need in self.needs.values()):
                raise _forbidden(request, sorted(set(self.needs.values())))
            return
        must_be_allowed(request, self.needs, verb or "")


def must_be_allowed(request: Request, needs: Mapping[str, str], verb: str) -> None:
    """Hold who asks to what they may do.

    Raises:
        HTTPException: there is no such verb, or they may not do it.
    """
    if verb not in needs:
        known = ", ".join(sorted(needs))
        raise HTTPException(404, f"There is nothing called {verb!r} to be done here, only: {known}.")
    if not access_of(request).may(needs[verb]):
        raise _forbidden(request, [needs[verb]])


def guarded(route: Route) -> GuardedRoute:
    """The same route, held to all this; for those that only show."""
    return GuardedRoute(route.path, route.endpoint, methods=sorted(route.methods or ()), name=route.name)


def _forbidden(request: Request, needed: list[str]) -> HTTPException:
    user = access_of(request).user or "you"
    return HTTPException(403, f"This needs the right {' or '.join(needed)}, which {user} has not.")


def _must_be_seen(request: Request) -> None:
    for name in ("queue", "key"):
        if name not in request.path_params:
            continue
        key = named(request, name)
        if key not in {place.key for place in console_of(request).places}:
            raise HTTPException(404, f"There is no queue {key!r}.")


def _forgetting(request: Request, send: Send) -> Send:
    """Whoever hears that something was done, and looks, is not told what was read before."""

    async def forgetting(message: Message) -> None:
        request.app.state.readings.forget()
        await send(message)

    return forgetting


def _bounded(receive: Receive) -> Receive:
    """Read no more than a bounded amount of what somebody sends."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > LONGEST_BODY:
            raise HTTPException(413, f"A request may have at most {LONGEST_BODY // 1024**2} MB.")
        return message

    return bounded
