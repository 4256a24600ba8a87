"""Live: open pages hear of changes, one reading serves all of them, and without any nothing is read."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from guard_toys import dashboard
from starlette.applications import Starlette
from starlette.types import Message, Scope

from arqlite.console import QueueState
from arqlite.dashboard import live
from arqlite.dashboard.live import Line, Lines

Events = AsyncGenerator[bytes, None]
Eventually = Callable[..., Awaitable[Any]]


@dataclass
class Reader:
    """A console with one queue, which counts how often it was read."""

    state: QueueState = field(default_factory=lambda: QueueState(key="mail", name="mail", server="x"))
    reads: int = 0
    error: Exception | None = None

    async def queues(self) -> Sequence[QueueState]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return [self.state]

    def change(self, **changes: Any) -> None:
        self.state = QueueState(key="mail", name="mail", server="x", **changes)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_LOOK_S", 0.005)
    monkeypatch.setattr(live, "BEAT_S", 0.2)


async def next_change(events: Events) -> dict[str, Any]:
    """The values of the next event that tells of a change."""
    async with asyncio.timeout(5):
        async for event in events:
            if event.startswith(b"event: changed\n"):
                return dict(json.loads(event.partition(b"data: ")[2]))
    raise AssertionError("the stream has ended")


async def test_tab_hears_how_it_is_and_what_changes() -> None:
    """A tab hears the values at once, and again when something is different."""
    console: Any = Reader()
    events = Line(console).listen(0.01)

    first = await next_change(events)
    console.change(available=3, oldest=timedelta(seconds=2))
    second = await next_change(events)
    await events.aclose()

    assert (first["ready"], first["oldest"]) == (0, None)
    assert (second["ready"], second["oldest"]) == (3, 2.0)
    assert first["version"] != second["version"]


async def test_time_alone_is_no_change(eventually: Eventually) -> None:
    """That a job waits longer is no news: streams are silent but for beats while nothing happens."""
    console: Any = Reader()
    console.change(available=1, oldest=timedelta(seconds=1))
    events = Line(console).listen(0.01)
    await next_change(events)

    console.change(available=1, oldest=timedelta(seconds=9))
    async with asyncio.timeout(5):
        event = await anext(events)
    await events.aclose()

    assert event == b": still here\n\n"


async def test_many_tabs_cost_one_reading(eventually: Eventually) -> None:
    """Fifty tabs are read for by one reader."""
    console: Any = Reader()
    line = Line(console, now=lambda: 1.0)
    tabs = [line.listen(60) for _ in range(50)]

    await asyncio.gather(*(next_change(tab) for tab in tabs))
    for tab in tabs:
        await tab.aclose()

    assert console.reads == 1


async def test_tabs_that_came_at_different_times_are_read_for_at_the_same() -> None:
    """The second looks of two tabs are one reading, though one came half a period after the other."""
    console: Any = Reader()
    now = [10.0]
    line = Line(console, now=lambda: now[0])
    first, second = line.listen(5), line.listen(5)
    await next_change(first)
    now[0] = 12.5
    await next_change(second)

    console.change(available=1)
    before = console.reads
    now[0] = 15.0
    await asyncio.gather(next_change(first), next_change(second))
    await first.aclose()
    await second.aclose()

    assert console.reads == before + 1


async def test_what_was_read_before_a_change_is_forgotten_before_tabs_hear_of_it() -> None:
    """A page that looks again finds the change, not what was read for another one the moment before."""
    console: Any = Reader()
    forgotten: list[int] = []
    events = Line(console, lambda: forgotten.append(console.state.available)).listen(0.01)
    await next_change(events)

    console.change(available=1)
    await next_change(events)
    await events.aclose()

    assert forgotten == [0, 1]


async def test_dashboard_reads_anew_when_something_changes() -> None:
    """What a page has just read is told to the next one, until a stream finds that something has changed."""
    app = dashboard()
    console: Any = Reader()
    counted = itertools.count()

    async def count() -> int:
        return next(counted)

    before = [await app.state.readings.get("page", count) for _ in range(2)]
    events = app.state.lines.listen(console, None, 0.01)
    await next_change(events)
    after = await app.state.readings.get("page", count)
    await events.aclose()

    assert (before, after) == ([0, 0], 1)


async def test_nothing_is_forgotten_while_nothing_changes() -> None:
    """Readings are shared until something happens."""
    console: Any = Reader()
    forgotten: list[None] = []
    events = Line(console, lambda: forgotten.append(None)).listen(0.01)
    await next_change(events)

    async with asyncio.timeout(5):
        while console.reads < 4:
            await anext(events)
    await events.aclose()

    assert len(forgotten) == 1


async def test_nothing_is_read_after_the_last_tab() -> None:
    """The first tab starts the reader, and the last one ends it."""
    console: Any = Reader()
    lines = Lines()
    first, second = lines.listen(console, None, 0.01), lines.listen(console, None, 0.01)
    before = lines.count

    await next_change(first)
    await next_change(second)
    await first.aclose()
    between = lines.count
    await second.aclose()
    running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await asyncio.gather(*running, return_exceptions=True)

    assert (before, between, lines.count) == (0, 1, 0)
    assert all(task.cancelled() for task in running)


async def test_tab_that_wants_to_hear_sooner_does() -> None:
    """A tab that looks each moment is not held up by one that looks each minute."""
    console: Any = Reader()
    line = Line(console)
    slow, quick = line.listen(60), line.listen(0.01)

    await next_change(slow)
    await next_change(quick)
    console.change(available=7)
    told = await next_change(quick)
    await slow.aclose()
    await quick.aclose()

    assert told["ready"] == 7


async def test_outage_is_told_and_heals() -> None:
    """A Redis that is away ends no stream: pages hear of it, and of its return."""
    console: Any = Reader(error=ConnectionError("refused"))
    events = Line(console).listen(0.01)

    away = await next_change(events)
    console.error = None
    back = await next_change(events)
    await events.aclose()

    assert (away["error"], back["error"]) == ("ConnectionError", "")


async def test_stream_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream ends by itself: the browser asks for another one, and the guard looks again who that is."""
    console: Any = Reader()
    monkeypatch.setattr(live, "LONGEST_S", 0.05)

    async with asyncio.timeout(5):
        events = [event async for event in Line(console).listen(0.01)]

    assert events[0] == b"retry: 3000\n\n"


async def test_streams_end_with_the_dashboard() -> None:
    """When the dashboard ends, all its streams do."""
    console: Any = Reader()
    lines = Lines()
    events = lines.listen(console, None, 0.01)
    await next_change(events)

    lines.close()
    async with asyncio.timeout(5):
        rest = [event async for event in events]

    assert len(rest) <= 1


async def test_streams_end_before_a_server_that_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was told to end, and waits for its streams, is not held up by them."""
    console: Any = Reader()
    events = Line(console).listen(0.01)
    await next_change(events)

    class Server:
        should_exit = True

        def handle_exit(self) -> None:
            """As uvicorn's."""

    server = Server()
    monkeypatch.setattr(
        live, "signal", SimpleNamespace(getsignal=lambda _: server.handle_exit, SIGTERM=signal.SIGTERM)
    )
    async with asyncio.timeout(5):
        rest = [event async for event in events]

    assert len(rest) <= 1


@pytest.mark.parametrize(
    ("asked", "period"),
    [("", 1), ("1", 1), ("3", 5), ("0.001", 1), ("-1", 1), ("9999", 60), ("nan", 60), ("x", 1)],
)
def test_periods(asked: str, period: float) -> None:
    """Whatever a page asks for, it is read for once per second at most."""
    assert live._period(asked) == period


class Listening:
    """Streams of a dashboard, as a server has them: each with the status it began with."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, user: str = "") -> httpx.Response:
        """The beginning of one more answer; its stream stays open."""
        began: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError("nobody goes")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                began.set_result(httpx.Response(message["status"], headers=message["headers"]))

        headers = [(b"host", b"localhost"), (b"x-test-user", user.encode())]
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": "GET", "path": "/live", "raw_path": b"/live", "query_string": b"", "root_path": "",
            "scheme": "http", "headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        }  # fmt: skip
        self._tasks.append(asyncio.create_task(self._app(scope, receive, send)))
        async with asyncio.timeout(5):
            return await began

    async def close(self) -> None:
        """Have all go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    """A dashboard at which somebody listens, until the test ends."""
    streams = Listening(dashboard())
    yield streams
    await streams.close()


async def test_streams_of_one_user_are_few(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has as many streams as one may have gets no other one until they go; others do."""
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)

    mine = [await listening.open("admin") for _ in range(3)]
    other = await listening.open("operator")
    await listening.close()
    later = await listening.open("admin")

    assert [one.status_code for one in mine] == [200, 200, 503]
    assert (other.status_code, later.status_code) == (200, 200)
    assert int(mine[2].headers["retry-after"]) > 0


async def test_streams_of_a_dashboard_are_bounded(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many users together have no more streams than a dashboard may, and those without a name count, too."""
    monkeypatch.setattr(live, "MOST_STREAMS", 3)

    told = [await listening.open(user) for user in ("admin", "reader", "operator", "blind")]

    assert [one.status_code for one in told] == [200, 200, 200, 503]
