"""The dashboard as an application: mounted anywhere, behind any proxy, and closed at the end."""

from __future__ import annotations

import re
from typing import Any

import pytest
from guard_toys import SAME_ORIGIN, Console, browser, dashboard
from starlette.applications import Starlette
from starlette.routing import Mount

from arqlite import ArqRedis
from arqlite.dashboard import ADMIN, Access, create_dashboard, running
from arqlite.errors import ConfigurationError
from arqlite.telemetry import QueuePaused, attached

PAGES = [
    "/",
    "/jobs",
    "/errors",
    "/queues",
    "/queues/mail",
    "/crons",
    "/workers",
    "/metrics",
    "/system",
    "/audit",
]


def stripped(app: Any, prefix: str) -> Any:
    """The application as a server shows it that was told a root path, behind a proxy that takes it away."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": prefix, "path": prefix + scope["path"]}, receive, send)

    return serve


@pytest.mark.parametrize("path", PAGES)
async def test_mounted_pages_lead_nowhere_else(path: str) -> None:
    """Under a prefix all links, forms and files are below it, without a scheme or a host."""
    app = Starlette(routes=[Mount("/ops/jobs", dashboard()), Mount("/other", dashboard(title="other"))])
    async with browser(app, "admin") as client:
        here, there = await client.get("/ops/jobs" + path), await client.get("/other" + path)

    for answer, prefix in ((here, "/ops/jobs"), (there, "/other")):
        assert answer.status_code == 200
        links = re.findall(r'(?:href|src|action|data-root|data-live|data-suggest)="([^"#?]+)', answer.text)
        assert len(links) > 10
        assert [one for one in links if not one.startswith(prefix + "/")] == []


@pytest.mark.parametrize("path", PAGES)
async def test_proxy_that_takes_the_prefix_away(path: str) -> None:
    """Behind a proxy that takes the prefix away, the server's root path is before all links."""
    async with browser(stripped(dashboard(), "/ops/jobs"), "admin") as client:
        answer = await client.get(path)

    assert answer.status_code == 200
    links = re.findall(r'(?:href|src|action)="([^"#?]+)', answer.text)
    assert [one for one in links if not one.startswith("/ops/jobs/")] == []


@pytest.mark.parametrize("prefix", ["", "/ops/jobs"])
async def test_action_under_a_prefix_goes_back_below_it(prefix: str) -> None:
    """A form under a prefix goes back below it, and its word is kept for that prefix only."""
    app = Starlette(routes=[Mount(prefix or "/", dashboard())])
    async with browser(app, "admin", **SAME_ORIGIN) as client:
        answer = await client.post(f"{prefix}/queues/mail/pause")

    assert answer.headers["location"] == f"{prefix}/"
    assert f"Path={prefix}/;" in answer.headers["set-cookie"]


async def test_header_of_a_prefix_is_not_believed() -> None:
    """Anybody can send X-Forwarded-Prefix: it changes no link."""
    async with browser(dashboard(), "admin", **{"X-Forwarded-Prefix": "/evil"}) as client:
        answer = await client.get("/")

    assert "/evil" not in answer.text


async def test_two_dashboards_know_nothing_of_each_other() -> None:
    """What one may do, shows and is called is not the other's, in one process."""
    ours, theirs = Console(), Console()
    app = Starlette(
        routes=[
            Mount("/a", dashboard(ours, title="first")),
            Mount("/b", dashboard(theirs, title="second", read_only=True)),
        ]
    )
    async with browser(app, "admin", **SAME_ORIGIN) as client:
        first, second = await client.get("/a/"), await client.get("/b/")
        done = await client.post("/a/queues/mail/pause")
        refused = await client.post("/b/queues/mail/pause")

    assert ("first" in first.text, "second" in second.text) == (True, True)
    assert (done.status_code, refused.status_code) == (303, 405)
    assert (len(ours.acts), len(theirs.acts)) == (1, 0)


async def test_targets_are_asked_for_when_somebody_looks() -> None:
    """A function that gives the targets is called once, at the first request that is let in."""
    calls: list[int] = []

    async def console() -> Console:
        calls.append(1)
        return Console()

    app = dashboard(console)
    async with browser(app) as nobody, browser(app, "admin") as somebody:
        await nobody.get("/")
        before = list(calls)
        answers = [await somebody.get("/api/v1/queues") for _ in range(2)]

    assert before == []
    assert calls == [1]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_console_that_was_given_stays_open() -> None:
    """A console belongs to who made it; the end of a dashboard does not close it."""
    closed: list[int] = []

    class Noting(Console):
        async def aclose(self) -> None:
            closed.append(1)

    async with running(dashboard(Noting())):
        pass

    assert closed == []


async def test_pool_that_was_given_is_shown_and_stays_open(arq_redis: ArqRedis) -> None:
    """A pool is enough to see its queue and to steer it; it is still open when the dashboard has ended."""
    app = create_dashboard([arq_redis])
    async with running(app), browser(app, **SAME_ORIGIN) as client:
        queues = (await client.get("/api/v1/queues")).json()
        paused = await client.post("/queues/arq:queue/pause")
        after = (await client.get("/api/v1/queues/arq:queue")).json()

    assert [queue["key"] for queue in queues] == ["arq:queue"]
    assert (paused.status_code, after["is_paused"]) == (303, True)
    assert await arq_redis.ping()


async def test_action_is_told_with_who_did_it(arq_redis: ArqRedis) -> None:
    """What is done in a dashboard is an event, with the name of who was let in."""
    told: list[QueuePaused] = []
    app = create_dashboard([arq_redis], auth=lambda _: Access("ada", can=ADMIN.can))
    with attached(QueuePaused, lambda event: told.append(event)):
        async with running(app), browser(app, **SAME_ORIGIN) as client:
            await client.post("/queues/arq:queue/pause", data={"node": "web-1"})

    assert [(event.queue, event.node, event.by) for event in told] == [("arq:queue", "web-1", "ada")]


async def test_dashboard_that_ended_opens_again(arq_redis: ArqRedis) -> None:
    """An application that starts twice, as tests do, has a dashboard both times."""
    app = create_dashboard(lambda: [arq_redis])
    for _ in range(2):
        async with running(app), browser(app) as client:
            assert (await client.get("/api/v1/queues")).status_code == 200


@pytest.mark.parametrize("targets", [[], [42], "app.WorkerSettings"])
def test_targets_that_are_none_are_refused(targets: Any) -> None:
    """What is no target is told where the dashboard is made."""
    with pytest.raises(ConfigurationError):
        create_dashboard(targets)


def test_limit_that_cannot_be_is_refused() -> None:
    """A dashboard that may do nothing at once is no dashboard."""
    with pytest.raises(ConfigurationError, match="bulk_limit"):
        dashboard(bulk_limit=0)


@pytest.mark.parametrize("path", PAGES)
async def test_redis_away_is_a_page(path: str) -> None:
    """With Redis away each page says so in words, and none is a 500."""
    pool = ArqRedis(unix_socket_path="/nowhere/redis.sock")
    app = create_dashboard([pool])
    async with running(app), browser(app) as client:
        answer = await client.get(path.replace("mail", "arq:queue"))
    await pool.aclose(close_connection_pool=True)

    assert answer.status_code in (200, 503)
