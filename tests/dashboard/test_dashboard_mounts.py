"""Where a dashboard hangs does not matter: its pages lead to its own pages."""

from __future__ import annotations

import re

import httpx
import pytest
from dashboard_toys import FakeConsole, pages_app
from starlette.applications import Starlette
from starlette.routing import Mount

PATHS = (
    "/",
    "/jobs",
    "/errors",
    "/queues",
    "/queues/default",
    "/crons",
    "/workers",
    "/metrics",
    "/system",
    "/audit",
)


def two_dashboards() -> Starlette:
    return Starlette(
        routes=[Mount("/ops/jobs", pages_app()), Mount("/intern", pages_app(FakeConsole(is_empty=True)))]
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("prefix", ["/ops/jobs", "/intern"])
@pytest.mark.parametrize("root_path", ["", "/behind/a/proxy"])
async def test_all_links_stay_under_their_prefix(path: str, prefix: str, root_path: str) -> None:
    """Two dashboards of one process, behind a proxy or not: no link leaves its prefix."""
    transport = httpx.ASGITransport(two_dashboards(), root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        page = (await client.get(root_path + prefix + path)).text

    targets = re.findall(r'(?:href|src|action|data-root|data-live|data-suggest)="([^"]+)"', page)
    assert len(targets) > 10
    assert [url for url in targets if not url.startswith((root_path + prefix + "/", "#"))] == []
