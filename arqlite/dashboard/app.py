"""`create_dashboard`: the parts of the dashboard put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware

from ..console import BULK_LIMIT
from ..errors import ConfigurationError
from ..model import checks
from . import actions, api, live, pages
from .auth import Auth, from_this_machine
from .context import Look
from .faults import handlers
from .guard import Guard
from .hosts import LOOPBACK_ONLY
from .live import Lines
from .opening import Opening
from .routes import guarded
from .sharing import Readings


def create_dashboard(
    targets: Any,
    *,
    auth: Auth | None = None,
    read_only: bool = False,
    title: str = "arqlite",
    redact: Iterable[str] | None = None,
    allowed_hosts: Collection[str] | None = None,
    trace_url: str = "",
    bulk_limit: int = BULK_LIMIT,
    named: Sequence[str] = (),
) -> Starlette:
    """Make a dashboard: an ASGI application that runs by itself, or is mounted anywhere in another one.

        app.mount("/ops/jobs", create_dashboard([WorkerSettings], auth=basic_auth("ada", password)))

    Without `auth` it is shown to programs of the same machine only, which may do everything.

    Args:
        targets: settings classes, instances or dicts as for a worker, or pools; a `Console`, which stays
            yours to close; or a function that gives these when somebody first looks.
        auth: finds out who asks, see `basic_auth`, `bearer`, `trusted_header` and `first_of`; a function of
            the request, which may be a coroutine, that returns an `Access`, a response, or None: then there
            is nothing to see.
        read_only: nobody may do anything, whatever `auth` says.
        title: above each page.
        redact: parts of keys whose values are not shown, as for a `Console`.
        allowed_hosts: names that the dashboard has, without ports: `ops.example.com`, `*.example.com`, `*`.
            None is any with `auth`, and those of this machine without.
        trace_url: where a trace is seen, with `{trace_id}` in it.
        bulk_limit: to so many jobs one request does something.
        named: the paths of these settings, in their order, for the pages that say how a worker is started:
            `app.worker.WorkerSettings`. Of classes they are known without it.

    Returns:
        The application. Where it is mounted, its owner closes its connections with `running`.

    Raises:
        ConfigurationError: a target cannot be used, `auth` is no function, or `bulk_limit` is below 1.
    """
    checks.count("bulk_limit", bulk_limit, 1)
    if auth is not None and not callable(auth):  # a secret may be in it
        raise ConfigurationError(
            f"auth must be a function such as basic_auth(user, password), got a {type(auth).__name__}"
        )
    app = Starlette(
        routes=[*map(guarded, (*pages.ROUTES, pages.static)), *actions.ROUTES, live.ROUTE, *api.routes()],
        exception_handlers=handlers(),
        lifespan=_lifespan,
    )
    # A redirect for a slash would name scheme and host, which a proxy may have changed.
    app.router.redirect_slashes = False
    opening = Opening(targets, redact, app.state)
    app.state.opening = opening
    app.state.readings = readings = Readings()
    app.state.lines = Lines(readings.forget)
    app.state.look = Look(title, trace_url, bulk_limit, read_only, tuple(named))
    hosts = ("*",) if auth is not None else LOOPBACK_ONLY
    guard = Middleware(
        Guard,
        opening=opening,
        auth=auth or from_this_machine(),
        allowed_hosts=hosts if allowed_hosts is None else allowed_hosts,
        is_read_only=read_only,
    )
    app.user_middleware.append(guard)
    return app


@asynccontextmanager
async def running(dashboard: Starlette) -> AsyncIterator[Starlette]:
    """Close a dashboard's connections at the end, where it is mounted and no server tells it of ends.

    async with running(dashboard):
        yield
    """
    async with _lifespan(dashboard):
        yield dashboard


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    try:
        yield
    finally:
        app.state.lines.close()
        # A connection that is closed while somebody reads is dropped, and its driver complains.
        await cast("Readings", app.state.readings).end()
        await cast("Opening", app.state.opening).close()
