"""`mount_dashboard`: the dashboard of an application's own queues, closed with it."""

from __future__ import annotations

import sys
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import arqlite.dashboard.app
from arqlite import ArqRedis
from arqlite.dashboard import READ_ONLY
from arqlite.errors import ConfigurationError, MissingExtra
from arqlite.fastapi import lifespan, mount_dashboard


def client_of(app: FastAPI, address: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", follow_redirects=True)


async def test_dashboard_shows_the_queues_of_the_lifespan(arq_redis: ArqRedis) -> None:
    """It is of the application's queues, and its links have the path that it is mounted at."""
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops/jobs", title="Shop")

    async with app.router.lifespan_context(app), client_of(app) as client:
        page = await client.get("/ops/jobs/queues")

    assert page.status_code == 200
    assert "arq:queue" in page.text
    assert "Shop" in page.text
    assert 'href="/ops/jobs/' in page.text


async def test_only_this_machine_is_let_in(arq_redis: ArqRedis) -> None:
    """Where nobody says who may see it, only who sits at the machine may."""
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops")

    async with app.router.lifespan_context(app), client_of(app, "192.0.2.7") as stranger:
        assert (await stranger.get("/ops/queues")).status_code == 403


async def test_auth_is_asked(arq_redis: ArqRedis) -> None:
    """Who may see it is for `auth` to say."""
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops", auth=lambda request: READ_ONLY if "name" in request.query_params else None)

    async with app.router.lifespan_context(app), client_of(app, "192.0.2.7") as client:
        assert (await client.get("/ops/queues?name=ada")).status_code == 200
        assert (await client.get("/ops/queues")).status_code == 404


def test_auth_that_is_no_function_is_refused() -> None:
    """A pair of a name and a password would make each page an error; the password is not told."""
    with pytest.raises(ConfigurationError, match=r"auth must be a function such as basic_auth") as told:
        mount_dashboard(FastAPI(), "/ops", auth=("ada", "secret"))  # type: ignore[arg-type]

    assert "secret" not in str(told.value)


async def test_two_dashboards(arq_redis: ArqRedis) -> None:
    """Two of them under two paths are two, one of them of a queue that the lifespan does not know."""
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops")
    mount_dashboard(app, "/mail", ArqRedis(arq_redis.connection_pool, default_queue_name="mail:queue"))

    async with app.router.lifespan_context(app), client_of(app) as client:
        first, second = [(await client.get(f"{path}/queues")).text for path in ("/ops", "/mail")]

    assert ("arq:queue" in first, "mail:queue" in first) == (True, False)
    assert ("arq:queue" in second, "mail:queue" in second) == (False, True)


async def test_dashboard_is_closed_with_the_application(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a dashboard opened is closed when the application ends."""
    closed: list[Any] = []
    close = arqlite.dashboard.app.Opening.close

    async def closing(opening: Any) -> None:
        closed.append(opening)
        await close(opening)

    monkeypatch.setattr(arqlite.dashboard.app.Opening, "close", closing)
    app = FastAPI(lifespan=lifespan(arq_redis))
    mount_dashboard(app, "/ops")

    async with app.router.lifespan_context(app):
        assert closed == []

    assert len(closed) == 1


async def test_dashboard_without_queues_says_what_to_do() -> None:
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
