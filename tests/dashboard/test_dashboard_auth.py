"""Who somebody is: passwords, tokens, and what a proxy says."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from guard_toys import SAME_ORIGIN, Console, browser, dashboard
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from arqlite.dashboard import READ_ONLY, Access, basic_auth, bearer, first_of, trusted_header
from arqlite.errors import ConfigurationError

TOKEN = "a-token-that-is-long"
QUEUES, PAGE = "/api/v1/queues", "/queues"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def statuses(app: Any, *paths: str, client: str = "127.0.0.1", **headers: str) -> list[int]:
    async with browser(app, client=client, **headers) as asking:
        return [(await asking.get(path)).status_code for path in paths]


@pytest.mark.parametrize(
    ("user", "password", "status"),
    [
        ("ada", "secret", 200),
        ("ada", "Secret", 401),
        ("bob", "secret", 401),
        ("", "", 401),
        ("ada", "secret:", 401),
        ("ada", "pässword", 401),
    ],
)
async def test_password_lets_in(user: str, password: str, status: int) -> None:
    """Who knows the name and the password is let in; nobody else is."""
    app = dashboard(auth=basic_auth("ada", "secret"))

    assert await statuses(app, QUEUES, PAGE, **basic(user, password)) == [status, status]


@pytest.mark.parametrize("told", ["Basic", "Basic !!!", "Basic YWRh", "Digest x", "Bearer secret", "Basic ü"])
async def test_broken_credentials_are_no_mistake(told: str) -> None:
    """Whatever stands in the header, the answer is 401 and asks for a password."""
    async with browser(dashboard(auth=basic_auth("ada", "secret"))) as client:
        answer = await client.get(PAGE, headers={"Authorization": told.encode()})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


async def test_name_goes_into_the_audit() -> None:
    """What is done is done in the name of who was let in."""
    console = Console()
    app = dashboard(console, auth=basic_auth("ada", "secret"))

    async with browser(app, **basic("ada", "secret")) as client:
        await client.post("/api/v1/queues/mail/pause", headers=SAME_ORIGIN)

    assert [by for by, *_ in console.acts] == ["ada"]


async def test_token_is_for_programs_only() -> None:
    """A token opens the API, and no page."""
    app = dashboard(auth=bearer(TOKEN))

    assert await statuses(app, QUEUES, PAGE, "/", Authorization=f"Bearer {TOKEN}") == [200, 404, 404]
    assert await statuses(app, QUEUES, Authorization="Bearer another-one-that-is-long") == [401]
    assert await statuses(app, QUEUES) == [404]


async def test_first_that_lets_in_counts() -> None:
    """Programs come by token and people by password; who has neither is asked for the password."""
    app = dashboard(auth=first_of(bearer(TOKEN, READ_ONLY), basic_auth("ada", "secret")))

    assert await statuses(app, QUEUES, Authorization=f"Bearer {TOKEN}") == [200]
    assert await statuses(app, QUEUES, PAGE, **basic("ada", "secret")) == [200, 200]
    assert await statuses(app, QUEUES, PAGE) == [401, 401]


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", {"X-Forwarded-User": "ada"}, 200),
        ("10.1.2.3", {"X-Forwarded-User": "ada"}, 404),
        ("127.0.0.1", {}, 404),
        ("127.0.0.1", {"X-Forwarded-User": " "}, 404),
        ("127.0.0.1", {"X-Forwarded-User": "mallory"}, 404),
    ],
)
async def test_header_counts_from_the_proxy_only(client: str, headers: dict[str, str], status: int) -> None:
    """A name in a header is believed if it comes from the proxy, and if that person may come in."""
    people = {"ada": READ_ONLY}
    app = dashboard(auth=trusted_header("X-Forwarded-User", people.get))

    assert await statuses(app, PAGE, client=client, **headers) == [status]


async def test_proxies_may_be_networks_or_everybody() -> None:
    """The proxies are named by address or network; None believes whoever reaches the dashboard."""
    near = dashboard(auth=trusted_header(proxies=["10.0.0.0/8"]))
    anyone = dashboard(auth=trusted_header(proxies=None))

    assert await statuses(near, PAGE, client="10.1.2.3", **{"X-Forwarded-User": "ada"}) == [200]
    assert await statuses(anyone, PAGE, client="192.0.2.1", **{"X-Forwarded-User": "ada"}) == [200]


async def test_auth_may_wait_and_may_answer() -> None:
    """An auth of one's own may be a coroutine, and may send people elsewhere."""

    async def auth(request: Request) -> Response | Access | None:
        return READ_ONLY if request.cookies.get("session") == "ada" else RedirectResponse("/login", 303)

    app = dashboard(auth=auth)
    async with browser(app) as client:
        answer = await client.get(PAGE)

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "content-security-policy" in answer.headers
    assert await statuses(app, PAGE, Cookie="session=ada") == [200]


async def test_auth_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    """A mistake in an auth of one's own lets nobody in; the log tells it."""
    app = dashboard(auth=lambda request: {}["user"])

    assert await statuses(app, PAGE, QUEUES) == [500, 500]
    assert "KeyError" in caplog.text


async def test_auth_that_answers_nonsense_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    """True is no access: nobody is let in, and the log tells what an auth must return."""
    auth: Any = lambda request: True  # noqa: E731

    assert await statuses(dashboard(auth=auth), PAGE) == [500]
    assert "must return an Access" in caplog.text


async def test_guessing_leaves_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password or token is in the log with where it came from, and without what was tried."""
    app = dashboard(auth=first_of(bearer(TOKEN), basic_auth("ada", "secret")))

    await statuses(app, QUEUES, client="192.0.2.9", **basic("ada", "guessed"))
    await statuses(app, QUEUES, client="192.0.2.9", Authorization="Bearer guessed-as-well-and-long")
    await statuses(app, QUEUES)

    told = [record.getMessage() for record in caplog.records]
    assert told == ["a password from 192.0.2.9 was wrong", "a token from 192.0.2.9 was wrong"]


def test_access_may_be_a_plain_set() -> None:
    """Rights are written as any set."""
    assert Access("ada", can={"jobs.retry"}).may("jobs.retry")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Access("ada", can={"jobs.retri"}),
        lambda: Access("ada", queues="mail"),
        lambda: basic_auth("", "secret"),
        lambda: basic_auth("ada", ""),
        lambda: basic_auth("a:da", "secret"),
        lambda: bearer("short"),
        lambda: trusted_header(proxies=["proxy.example"]),
    ],
)
def test_what_lets_in_everybody_is_refused(make: Any) -> None:
    """Empty passwords, short tokens, unknown rights and the like are refused where they are written."""
    with pytest.raises(ConfigurationError):
        make()
