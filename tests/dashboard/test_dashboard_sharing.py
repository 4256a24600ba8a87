"""Readings that are shared: one for all who ask for the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from guard_toys import SAME_ORIGIN, Console, browser, dashboard
from jinja2 import Environment
from starlette.applications import Starlette
from starlette.routing import Mount

from arqlite.dashboard import guard
from arqlite.dashboard.pages import columns, rendering
from arqlite.dashboard.pages.shared import OWN_COOKIES
from arqlite.dashboard.sharing import FRESH_S, Readings


class Counting(Console):
    """Counts how often it was asked for its queues."""

    count = 0

    async def queues(self) -> Sequence[Any]:
        Counting.count += 1
        return await super().queues()


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    Counting.count = 0


async def test_many_who_ask_at_once_cost_one_reading() -> None:
    """Fifty pages at once are one reading."""
    async with browser(dashboard(Counting()), "admin") as client:
        answers = await asyncio.gather(*(client.get("/api/v1/queues") for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert Counting.count == 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that pages were made of, in order."""
    told: list[str] = []
    get = Environment.get_template

    def counting(self: Environment, name: Any, *args: Any, **options: Any) -> Any:
        told.append(name)
        return get(self, name, *args, **options)

    monkeypatch.setattr(Environment, "get_template", counting)
    return told


async def test_many_who_see_the_same_page_have_it_made_once(made: list[str]) -> None:
    """Fifty tabs that are shown the same are one page, and each has all of its headers."""
    async with browser(dashboard(), "admin") as client:
        answers = await asyncio.gather(*(client.get("/queues?x=1") for _ in range(50)))

    assert made.count("queues.html") == 1
    assert len({answer.text for answer in answers}) == 1
    assert {len(answer.headers.get_list("content-security-policy")) for answer in answers} == {1}


@pytest.mark.parametrize(
    "other",
    [
        {"x-test-user": "reader"},
        {"x-test-user": "operator"},
        {"x-test-user": "blind"},
        {"cookie": "arqlite_theme=dark"},
        {"cookie": "arqlite_flash=done"},
        {"x-query": "since=1d"},
    ],
    ids=lambda one: "=".join(*one.items()),
)
async def test_who_sees_another_page_has_it_made(made: list[str], other: dict[str, str]) -> None:
    """A page of another person, with other rights, another theme or something to say is another page."""
    query = other.pop("x-query", "")
    async with browser(dashboard(), "admin") as client:
        mine = await client.get("/metrics")
        theirs = await client.get(f"/metrics?{query}", headers=other)

    assert (mine.status_code, theirs.status_code) == (200, 200)
    assert made.count("metrics.html") == 2


async def test_page_below_another_prefix_is_another_one(made: list[str]) -> None:
    """Its links are others."""
    app = dashboard()
    async with browser(app, "admin") as client:
        here = await client.get("/queues")
    outer = Starlette(routes=[Mount("/ops", app)])
    async with browser(outer, "admin") as client:
        there = await client.get("/ops/queues")

    assert 'href="/queues"' in here.text
    assert 'href="/ops/queues"' in there.text


async def test_cookies_of_others_do_not_make_another_page(made: list[str]) -> None:
    """What other programs keep in a browser is nothing that a page looks at."""
    async with browser(dashboard(), "admin") as client:
        for number in range(3):
            await client.get("/queues", headers={"cookie": f"session={number}"})

    assert made.count("queues.html") == 1


async def test_page_looks_at_cookies_of_the_dashboard_only() -> None:
    """All of its cookies have names by which they are told from those of others."""
    names = [columns._COOKIE, rendering.THEME_COOKIE, guard.FLASH_COOKIE]

    assert [name for name in names if not name.startswith(OWN_COOKIES)] == []


async def test_who_sees_other_queues_reads_for_themselves() -> None:
    """What one person sees is never told to another who sees less."""
    async with browser(dashboard(Counting()), "admin") as all_of_them:
        everything = (await all_of_them.get("/api/v1/queues")).json()
        nothing = (await all_of_them.get("/api/v1/queues", headers={"x-test-user": "blind"})).json()

    assert len(everything) > 0
    assert nothing == []


async def test_what_was_done_is_seen_at_once() -> None:
    """After an action everything is read anew."""
    async with browser(dashboard(Counting()), "admin") as client:
        await client.get("/api/v1/queues")
        await client.post("/api/v1/queues/default/pause", headers=SAME_ORIGIN)
        await client.get("/api/v1/queues")

    assert Counting.count == 2


async def test_old_readings_are_not_told() -> None:
    """A reading is told for less than a second."""
    time = [0.0]
    readings = Readings(lambda: time[0])
    read = iter("ab")

    async def one() -> str:
        return next(read)

    first = await readings.get("key", one)
    time[0] = FRESH_S - 0.1
    second = await readings.get("key", one)
    time[0] = FRESH_S
    third = await readings.get("key", one)

    assert [first, second, third] == ["a", "a", "b"]


async def test_reading_goes_on_for_others_when_one_leaves() -> None:
    """Who closes a tab takes no reading away from the others."""
    readings = Readings()
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "read"

    leaving = asyncio.create_task(readings.get("key", slow))
    staying = asyncio.create_task(readings.get("key", slow))
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()

    assert await staying == "read"


async def test_readings_end_before_the_dashboard_has() -> None:
    """Whoever asked may be gone: what is being read for them is waited for before connections are closed."""
    readings, begun, gate, ended = Readings(), asyncio.Event(), asyncio.Event(), []

    async def read() -> None:
        begun.set()
        await gate.wait()
        ended.append("read")

    asking = asyncio.create_task(readings.get("queues", read))
    await begun.wait()
    asking.cancel()
    closing = asyncio.create_task(readings.end())
    await asyncio.wait([asking])
    gate.set()
    await closing

    assert ended == ["read"]


async def test_readings_that_do_not_end_are_given_up() -> None:
    """A reading that takes too long holds up nobody's end."""
    readings, begun = Readings(), asyncio.Event()

    async def read() -> None:
        begun.set()
        await asyncio.Event().wait()

    asking = asyncio.create_task(readings.get("queues", read))
    await begun.wait()

    await readings.end(within=0)

    with pytest.raises(asyncio.CancelledError):
        await asking
