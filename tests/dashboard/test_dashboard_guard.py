"""Who gets in, and what they may do: asked of every route there is."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest
from guard_toys import SAME_ORIGIN, Console, browser, dashboard
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from arqlite.console.links import _Shut
from arqlite.dashboard import OPERATOR, Access, create_dashboard
from arqlite.dashboard.routes import GuardedRoute

VALUES = {"queue": "default", "key": "default", "id": "job-1", "name": "nightly", "path": "x.css"}


def requests_of(route: Any) -> list[tuple[str, str, str, str]]:
    """What can be asked of a route: method, path, the verb that its body says, and what it needs."""
    found = []
    for method in sorted(route.methods - {"HEAD"}):
        needs = getattr(route, "needs", {})
        for verb, need in needs.items() or [("", "")]:
            values = VALUES | {"verb": verb}
            path = route.path.format(**values)
            found.append((method, path, "" if "{verb}" in route.path else verb, need))
    return found


ROUTES: list[BaseRoute] = dashboard().routes
EVERYTHING = list(itertools.chain.from_iterable(requests_of(route) for route in ROUTES))
CHANGING = [one for one in EVERYTHING if one[0] != "GET"]


async def ask(client: httpx.AsyncClient, what: tuple[str, str, str, str], **headers: str) -> httpx.Response:
    method, path, verb, _ = what
    form = {"verb": verb, "job": "default/job-1"} if verb and method == "POST" else None
    async with client:
        return await client.request(method, path, data=form, headers=headers)


def test_all_that_changes_something_says_what_it_needs() -> None:
    """Each route of a dashboard is guarded, and those that change something need a right."""
    assert [route.name for route in ROUTES if not isinstance(route, GuardedRoute)] == []
    assert len(CHANGING) >= 20
    assert all(need for *_, need in CHANGING)


@pytest.mark.parametrize("what", EVERYTHING, ids=str)
async def test_nobody_finds_nothing(what: tuple[str, str, str, str]) -> None:
    """Who is not let in gets 404 for every route, and nothing is done."""
    console = Console()

    answer = await ask(browser(dashboard(console)), what, **SAME_ORIGIN)

    assert answer.status_code == 404
    assert console.acts == []


@pytest.mark.parametrize("what", EVERYTHING, ids=str)
async def test_wrong_host_is_refused(what: tuple[str, str, str, str]) -> None:
    """A name that was pointed here by somebody else is refused on every route, whoever asks."""
    console = Console()

    answer = await ask(browser(dashboard(console), "admin"), what, **SAME_ORIGIN, Host="evil.example")

    assert answer.status_code == 400
    assert "not known by that name" in answer.text
    assert console.acts == []


@pytest.mark.parametrize("what", CHANGING, ids=str)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8484"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
    ],
    ids=str,
)
async def test_other_sites_change_nothing(what: tuple[str, str, str, str], headers: dict[str, str]) -> None:
    """What another site has a browser send is refused, whoever sits there."""
    console = Console()

    answer = await ask(browser(dashboard(console), "admin"), what, **headers)

    assert answer.status_code == 403
    assert console.acts == []


@pytest.mark.parametrize("what", CHANGING, ids=str)
async def test_reader_changes_nothing(what: tuple[str, str, str, str]) -> None:
    """Who may only look is refused by the server, in words that name the right."""
    console = Console()

    answer = await ask(browser(dashboard(console), "reader"), what, **SAME_ORIGIN)

    assert answer.status_code == 403
    assert what[3] in answer.text
    assert console.acts == []


@pytest.mark.parametrize("what", CHANGING, ids=str)
async def test_operator_may_what_operators_may(what: tuple[str, str, str, str]) -> None:
    """An operator is refused exactly what the preset leaves out."""
    answer = await ask(browser(dashboard(), "operator"), what, **SAME_ORIGIN)

    assert (answer.status_code == 403) == (what[3] not in OPERATOR.can)
    assert answer.status_code < 500


@pytest.mark.parametrize("what", CHANGING, ids=str)
async def test_read_only_dashboard_changes_nothing(what: tuple[str, str, str, str]) -> None:
    """A dashboard that only shows answers 405 to all that would change something, also to an admin."""
    console = Console()

    answer = await ask(browser(dashboard(console, read_only=True), "admin"), what, **SAME_ORIGIN)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert console.acts == []


@pytest.mark.parametrize("what", [one for one in EVERYTHING if "default" in one[1]], ids=str)
async def test_queues_that_are_not_seen_are_not_there(what: tuple[str, str, str, str]) -> None:
    """Whatever is asked of a queue that somebody does not see: there is none."""
    console = Console()

    answer = await ask(browser(dashboard(console), "blind"), what, **SAME_ORIGIN)

    assert answer.status_code == 404
    assert console.acts == []


@pytest.mark.parametrize("what", EVERYTHING, ids=str)
@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
        ("127.0.0.1", {"X-Real-IP": "192.0.2.7"}),
        ("127.0.0.1", {"CF-Connecting-IP": "192.0.2.7"}),
        ("127.0.0.1", {"True-Client-IP": "192.0.2.7"}),
        ("127.0.0.1", {"Via": "1.1 proxy"}),
        ("::ffff:192.0.2.7", {}),
    ],
    ids=str,
)
async def test_without_auth_only_this_machine_is_let_in(
    what: tuple[str, str, str, str], address: str, headers: dict[str, str]
) -> None:
    """Without auth, nothing is shown to other machines, and nothing through a proxy."""
    console = Console()
    app = create_dashboard(console)

    answer = await ask(browser(app, client=address), what, **SAME_ORIGIN, **headers)

    assert answer.status_code == 403
    assert "only on its own machine" in answer.text
    assert console.acts == []


async def test_without_auth_a_proxy_is_known_by_its_old_version() -> None:
    """nginx as it comes adds no header and speaks HTTP/1.0, which browsers do not: nothing is shown to it."""
    app = create_dashboard(Console())

    async def old(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "http_version": "1.0"}, receive, send)

    async with browser(old) as client:
        answer = await client.get("/api/v1/queues")

    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "https://]"])
async def test_origin_that_is_no_address_is_another_site(origin: str) -> None:
    """A broken Origin is refused like a strange one, and is no mistake of the dashboard."""
    console = Console()
    async with browser(dashboard(console), "admin") as client:
        answer = await client.post("/queues/mail/pause", headers={"Origin": origin})

    assert answer.status_code == 403
    assert console.acts == []


async def test_log_has_no_lines_of_those_who_ask(caplog: pytest.LogCaptureFixture) -> None:
    """A path with line breaks and orders to terminals in it writes no line of its own into the log."""

    def broken(request: Request) -> Access:
        raise ZeroDivisionError

    async with browser(dashboard(auth=broken)) as client:
        answer = await client.get("/queues/mail%1B[2K%C2%85ERROR:%20forged")

    assert answer.status_code == 500
    assert [record.getMessage() for record in caplog.records if record.name == "arqlite.dashboard"] == [
        "GET '/queues/mail\\x1b[2K\\x85ERROR: forged' failed"
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8484", "[::1]:8484", "127.1.2.3", "a.localhost"])
async def test_without_auth_this_machine_may_everything(host: str) -> None:
    """Without auth, a program of this machine is an admin, by any name that is this machine's."""
    console = Console()

    async with browser(create_dashboard(console)) as client:
        answer = await client.post(
            "/queues/default/pause", headers={"Host": host, "Origin": f"http://{host}"}
        )

    assert answer.status_code == 303
    assert [(by, verb) for by, verb, _ in console.acts] == [("local", "pause")]


@pytest.mark.parametrize("host", ["ops.example", "192.0.2.1", "localhost.evil.example", ""])
async def test_without_auth_other_names_are_refused(host: str) -> None:
    """Without auth, a browser of this machine that was sent here under another name is refused."""
    async with browser(create_dashboard(Console())) as client:
        answer = await client.get("/api/v1/queues", headers={"Host": host})

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/queues", "/nothing", "/live", "/api/v1/nothing"])
async def test_every_answer_has_the_headers(path: str) -> None:
    """Answers of all kinds tell the browser to trust nothing but this dashboard."""
    async with browser(dashboard(), "admin") as client:
        answer = await client.head(path)

    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


async def test_bearer_needs_no_origin_for_the_api() -> None:
    """A program with a token may act without a word about where it comes from; pages want more."""
    app = dashboard()

    async with browser(app, "admin", Authorization="Bearer whatever") as client:
        api = await client.post("/api/v1/queues/default/pause")
        page = await client.post("/queues/default/pause")

    assert (api.status_code, page.status_code) == (200, 403)


async def test_mistake_of_the_dashboard_is_told_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """A bug is a 500 in words, with the headers of all answers; its traceback is in the log alone."""

    class Broken(Console):
        async def queues(self) -> Any:
            raise KeyError("secret detail")

    async with browser(dashboard(Broken()), "admin") as client:
        answer = await client.get("/api/v1/queues")

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "bug"
    assert "secret detail" not in answer.text
    assert "content-security-policy" in answer.headers
    assert "secret detail" in caplog.text


@pytest.mark.parametrize("error", [ConnectionError("refused"), TimeoutError(), OSError("gone")])
@pytest.mark.parametrize("path", ["/api/v1/queues", "/api/v1/queues/default/scale"])
async def test_redis_that_is_away_is_no_bug(error: Exception, path: str) -> None:
    """Redis away is a 503 that says so, and when to try again."""

    class Away(Console):
        async def queues(self) -> Any:
            raise error

        async def queue(self, key: str) -> Any:
            raise error

    async with browser(dashboard(Away()), "admin") as client:
        answer = await client.get(path)

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "does not answer" in answer.json()["error"]["message"]


async def test_outage_is_told_without_names_of_the_inside() -> None:
    """A Redis that is not asked again at once is told as the first time: nobody knows what `_Shut` is."""

    class Away(Console):
        async def queues(self) -> Any:
            raise _Shut("ConnectionError: Error 111 connecting to redis.internal:6379")

    async with browser(dashboard(Away()), "admin") as client:
        answer = await client.get("/api/v1/queues")

    told = answer.json()["error"]["message"]
    assert "Redis does not answer now (ConnectionError)" in told
    assert "redis.internal" not in told
