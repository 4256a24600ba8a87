"""Whole dashboards for the tests: with a console that needs no server, and people who ask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import httpx
from dashboard_toys import FakeConsole
from starlette.applications import Starlette
from starlette.requests import Request

from arqlite.dashboard import ADMIN, OPERATOR, READ_ONLY, Access, create_dashboard

HERE = "http://localhost:8484"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
NO_QUEUE = Access("nobody", can=ADMIN.can, queues=())


@dataclass
class Console(FakeConsole):
    """The fake, with what the guard and the API ask beside."""

    soon: int = 0

    async def due_within(self, key: str, seconds: float) -> int:
        return self.soon


PEOPLE = {
    "admin": replace(ADMIN, user="admin"),
    "operator": replace(OPERATOR, user="operator"),
    "reader": READ_ONLY,
    "blind": NO_QUEUE,
}


def by_name(request: Request) -> Access | None:
    """Let in who says a name in a header; nobody else finds anything here."""
    return PEOPLE.get(request.headers.get("x-test-user", ""))


def dashboard(console: Any = None, **options: Any) -> Starlette:
    """A dashboard whose users are `PEOPLE`."""
    return create_dashboard(
        console or Console(), **{"auth": by_name, "allowed_hosts": ["localhost"], **options}
    )


def browser(app: Any, user: str = "", *, client: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
    """Somebody who asks a dashboard."""
    told = {"x-test-user": user} if user else {}
    transport = httpx.ASGITransport(app, client=(client, 40_000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HERE, headers={**told, **headers})
