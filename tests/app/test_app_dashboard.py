"""The dashboard of the application: mounted, for this machine only, with both queues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.core import database
from app.main import app, dashboard
from arqlite import ArqRedis
from arqlite.dashboard import running
from arqlite.fastapi import open_queues
from arqlite.ledger import store

HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def browser(pools: ArqRedis) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with (
        open_queues(app, pools),
        running(dashboard),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


async def test_shows_the_queues_of_the_application(browser: httpx.AsyncClient, pools: ArqRedis) -> None:
    """What the application enqueues is seen at /ops/jobs, and a queue is paused from there."""
    await pools.enqueue_job("sample_task", 1)

    [queue] = (await browser.get("/ops/jobs/api/v1/queues")).json()
    page = await browser.get("/ops/jobs/queues")
    paused = await browser.post(f"/ops/jobs/queues/{queue['key']}/pause", headers=HERE)
    [after] = (await browser.get("/ops/jobs/api/v1/queues")).json()

    assert (queue["available"], queue["has_ledger"]) == (1, True)
    assert queue["key"] in page.text
    assert (paused.status_code, paused.headers["location"]) == (303, "/ops/jobs/")
    assert after["is_paused"] is True


async def test_audit_tells_what_was_done(
    browser: httpx.AsyncClient, pools: ArqRedis, eventually: Callable[..., Awaitable[Any]]
) -> None:
    """What is done there is in the application's ledger, with who did it."""

    async def audited() -> list[tuple[str, str]]:
        async with database.AsyncSessionLocal() as db:
            return [(entry.action, entry.actor) for entry in await store.audit_page(db)]

    await browser.post("/ops/jobs/queues/arq:queue/pause", headers=HERE)

    assert await eventually(audited) == [("queue.pause", "local")]


async def test_is_for_this_machine_only(pools: ArqRedis) -> None:
    """Another machine is refused, while the rest of the API answers it."""
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        refused = await client.get("/ops/jobs/")
        other = await client.get("/docs")

    assert (refused.status_code, other.status_code) == (403, 200)
