"""`mount_dashboard`: the dashboard as a part of an application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from ..errors import ConfigurationError, MissingExtra
from ..utils import import_string
from .queues import OpenQueues, resolved


def mount_dashboard(app: FastAPI, path: str, *targets: Any, auth: Any = None, **options: Any) -> None:
    """Mount the dashboard of the application's queues.

    It is made when the application starts, and what it opened is closed when that ends.

    Args:
        app: the application.
        path: where: `/ops/jobs`.
        targets: the queues that it shows, as for `lifespan`; by default those of the lifespan.
        auth: who may look and act, see `arqlite.dashboard.create_dashboard`. None lets in only who sits at
            this machine.
        options: of `create_dashboard`.

    Raises:
        MissingExtra: the packages that a dashboard needs are not installed.
    """
    create_dashboard = _creator()

    def make() -> Starlette:
        shown = [resolved(target) for target in targets] or _targets_of(app)
        made: Starlette = create_dashboard(shown, auth=auth, **options)
        return made

    dashboard = _Late(make)
    app.mount(path, dashboard)
    before: Any = app.router.lifespan_context

    @asynccontextmanager
    async def with_dashboard(app: Any) -> AsyncIterator[Any]:
        async with before(app) as state, dashboard.living():
            yield state

    app.router.lifespan_context = with_dashboard


class _Late:
    """An application that is made when it is first needed: settings may be imported at the start only."""

    def __init__(self, make: Callable[[], Starlette]) -> None:
        self._make = make
        self._made: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._ready())(scope, receive, send)

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        made = await self._ready()
        async with made.router.lifespan_context(made):
            yield
        self._made = None

    async def _ready(self) -> Starlette:
        if (made := self._made) is None:
            made = self._made = await asyncio.to_thread(self._make)
        return made


def _creator() -> Callable[..., Starlette]:
    try:
        create: Callable[..., Starlette] = import_string("arqlite.dashboard.create_dashboard")
    except ImportError as error:
        raise MissingExtra("mount_dashboard", "dashboard") from error
    return create


def _targets_of(app: FastAPI) -> list[Any]:
    queues = getattr(app.state, "arqlite", None)
    if not isinstance(queues, OpenQueues):
        raise ConfigurationError(
            "mount_dashboard knows no queues: give it settings, mount_dashboard(app, path, WorkerSettings), "
            "or the application arqlite.fastapi.lifespan(WorkerSettings)"
        )
    return list(queues.targets)
