"""`mount_dashboard`: the dashboard as a part of an application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.applications import Starlette

from ..errors import ConfigurationError, MissingExtra
from .queues import OpenQueues, resolved

if TYPE_CHECKING:  # needs packages of its own
    from ..dashboard.auth import Auth


def mount_dashboard(
    app: FastAPI, path: str, *targets: Any, auth: Auth | None = None, **options: Any
) -> Starlette:
    """Mount the dashboard of the application's queues, and close with the application what it opened.

    Args:
        app: the application.
        path: where: `/ops/jobs`.
        targets: the queues that it shows, as for `lifespan`; by default those of the lifespan.
        auth: who may look and act, see `arqlite.dashboard.create_dashboard`. None lets in only who sits at
            this machine.
        options: of `create_dashboard`.

    Returns:
        The dashboard. Only tests that run no lifespan need it, for `arqlite.dashboard.running`.

    Raises:
        MissingExtra: the packages that a dashboard needs are not installed.
        ConfigurationError: an option cannot work; when the application starts: it is not known which queues
            are meant.
    """
    try:
        from ..dashboard import create_dashboard, running
    except ImportError as error:
        raise MissingExtra("mount_dashboard", "dashboard") from error

    # Settings may be imported and pools may be opened at the start only.
    dashboard = create_dashboard(lambda: _shown(app, targets), auth=auth, **options)
    app.mount(path, dashboard)
    before: Any = app.router.lifespan_context

    @asynccontextmanager
    async def with_dashboard(app: Any) -> AsyncIterator[Any]:
        async with before(app) as state, running(dashboard):
            _must_be_known(app, targets)
            yield state

    app.router.lifespan_context = with_dashboard
    return dashboard


def _shown(app: FastAPI, targets: Sequence[Any]) -> list[Any]:
    _must_be_known(app, targets)
    return [resolved(target) for target in targets or app.state.arqlite.targets]


def _must_be_known(app: FastAPI, targets: Sequence[Any]) -> None:
    if not targets and not isinstance(getattr(app.state, "arqlite", None), OpenQueues):
        raise ConfigurationError(
            "mount_dashboard knows no queues: give it settings, mount_dashboard(app, path, WorkerSettings), "
            "or the application arqlite.fastapi.lifespan(WorkerSettings)"
        )
