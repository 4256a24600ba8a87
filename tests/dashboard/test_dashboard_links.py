"""Paths of the dashboard's own routes: the same page comes back, whatever stands in its path."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from arqlite.dashboard.links import link, link_if, named, with_query

AWKWARD = ["job-1", "a/b", "..", ".", "50%", "a%2Fb", "q?x=1#y", "später", "a b", "a\\b", ";&=+$,", "{id}"]


async def _told(request: Request) -> JSONResponse:
    path = link(request, "job", queue=request.query_params["queue"], id=request.query_params["id"])
    return JSONResponse({"path": path, "none": link_if(request, "nowhere", "told")})


async def _named(request: Request) -> JSONResponse:
    return JSONResponse([named(request, "queue"), named(request, "id")])


def app() -> Starlette:
    return Starlette(
        routes=[
            Route("/told", _told, name="told"),
            Route("/jobs/{queue}/{id}", _named, name="job"),
        ]
    )


def browser(served: Any, root_path: str = "") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(served, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.mark.parametrize("job_id", AWKWARD)
@pytest.mark.parametrize("queue", ["mail", "reports@db:6379/1"])
async def test_any_name_finds_its_way_back(queue: str, job_id: str) -> None:
    """A path that was made for a name leads to that name, through a browser's and a server's decoding."""
    async with browser(app()) as client:
        path = (await client.get("/told", params={"queue": queue, "id": job_id})).json()["path"]
        answer = await client.get(path)

    assert answer.json() == [queue, job_id]


async def test_path_has_what_it_is_mounted_under() -> None:
    """Under a mount, links begin with its prefix, and with that of a proxy that strips one."""
    outer = Starlette(routes=[Mount("/ops/jobs", app()), Mount("/intern", app())])

    async with browser(outer, root_path="/shop") as client:
        first = (await client.get("/shop/ops/jobs/told", params={"queue": "q", "id": "1"})).json()
        second = (await client.get("/shop/intern/told", params={"queue": "q", "id": "1"})).json()

    assert first == {"path": "/shop/ops/jobs/jobs/q/1", "none": "/shop/ops/jobs/told"}
    assert second == {"path": "/shop/intern/jobs/q/1", "none": "/shop/intern/told"}


def test_query_leaves_out_what_is_empty() -> None:
    """Empty values make no noise in a URL, lists stand several times, and all is encoded."""
    assert with_query("/jobs", {"q": "tag:a b", "after": "", "cols": ["id", "by"], "x": None}) == (
        "/jobs?q=tag%3Aa+b&cols=id&cols=by"
    )
    assert with_query("/jobs", {"q": ""}) == "/jobs"
