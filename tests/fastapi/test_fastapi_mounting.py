"""`mount_dashboard`: made at the start, closed at the end, of the application's own queues."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import arqlite.dashboard
from arqlite import ArqRedis
from arqlite.errors import ConfigurationError, MissingExtra
from arqlite.fastapi import lifespan, mount_dashboard


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stand in for the dashboard, and tell what was done with it."""
    told: list[Any] = []

    @asynccontextmanager
    async def living(_: Any) -> AsyncIterator[None]:
        told.append("opened")
        yield
        told.append("closed")

    def create_dashboard(targets: Any, **options: Any) -> Starlette:
        told.append((targets, options))
        return Starlette(routes=[Route("/", lambda _: PlainTextResponse("a dashboard"))], lifespan=living)

    monkeypatch.setattr(arqlite.dashboard, "create_dashboard", create_dashboard, raising=False)
    return told


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test")


async def test_dashboard_shows_the_queues_of_the_lifespan(arq_redis: ArqRedis, told: list[Any]) -> None:
    """It is of the application's queues, lives as long as that, and gets the options."""
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops/jobs", auth=len, title="Shop")

    async with app.router.lifespan_context(app), client_of(app) as client:
        answer = await client.get("/ops/jobs/")
        assert told == [([arq_redis], {"auth": len, "title": "Shop"}), "opened"]

    assert answer.text == "a dashboard"
    assert told[-1] == "closed"


async def test_two_dashboards(arq_redis: ArqRedis, told: list[Any]) -> None:
    """Two of them under two paths are two, and both are closed."""
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops", read_only=True)
    mount_dashboard(app, "/admin")

    async with app.router.lifespan_context(app), client_of(app) as client:
        assert [(await client.get(path)).status_code for path in ("/ops/", "/admin/")] == [200, 200]

    assert told.count("closed") == 2


async def test_dashboard_of_other_targets_needs_no_lifespan(arq_redis: ArqRedis, told: list[Any]) -> None:
    """Given its own queues it is made at the first request, where nobody runs a lifespan."""
    app = FastAPI()
    mount_dashboard(app, "/ops", arq_redis)

    async with client_of(app) as client:
        await client.get("/ops/")
        await client.get("/ops/")

    assert told == [([arq_redis], {"auth": None})]


async def test_dashboard_without_queues_says_what_to_do(told: list[Any]) -> None:
    """Without queues the start fails, in words."""
    app = FastAPI()
    mount_dashboard(app, "/ops")

    with pytest.raises(ConfigurationError, match="give it settings"):
        async with app.router.lifespan_context(app):
            pass


def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages of the dashboard it is said which extra has them."""
    monkeypatch.setitem(sys.modules, "arqlite.dashboard", None)

    with pytest.raises(MissingExtra, match=r"arqlite\[dashboard\]"):
        mount_dashboard(FastAPI(), "/ops")


@pytest.mark.skipif(not hasattr(arqlite.dashboard, "create_dashboard"), reason="this is about the real one")
async def test_real_dashboard_is_mounted(arq_redis: ArqRedis) -> None:
    """The dashboard itself shows the queue of the application under its path, and refuses strangers."""
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops/jobs")
    here = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
    there = httpx.ASGITransport(app, client=("192.0.2.7", 5000))

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=here, base_url="http://127.0.0.1") as own,
        httpx.AsyncClient(transport=there, base_url="http://127.0.0.1") as stranger,
    ):
        page = await own.get("/ops/jobs/queues", follow_redirects=True)
        refused = await stranger.get("/ops/jobs/queues", follow_redirects=True)

    assert page.status_code == 200
    assert "arq:queue" in page.text
    assert "/ops/jobs/" in page.text
    assert refused.status_code == 403
