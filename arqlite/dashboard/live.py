"""Live: tells every open page when something has changed, and reads once for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, cast

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ..console import Console, QueueState
from .context import access_of, console_of
from .routes import GuardedRoute

logger = logging.getLogger("arqlite.dashboard")

PERIODS: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
"""How often a page may want to hear, in seconds."""

BEAT_S: Final = 15.0
"""So long is a stream silent at most: proxies cut what is silent for a minute."""

LONGEST_S: Final = 600.0
"""So long is a stream, in seconds: the browser asks anew, and who may not look any more is refused."""

MOST_STREAMS: Final = 400
"""So many streams has a dashboard open at once: each holds a connection and some memory."""

MOST_OF_ONE: Final = 100
"""So many streams has one who looks; a team may share one name."""

_FULL: Final = "There are as many live pages as there may be: this one asks by itself."
_LOOK_S: Final = 0.25
_RECONNECT = b"retry: 3000\n\n"
_BEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Tiles:
    """What the tiles of the overview show, as far as Redis alone tells it.

    Attributes:
        version: another one whenever something is different on some page.
        ready, running: how many jobs could start now, and how many run.
        oldest: how long the eldest available job has waited, in seconds; None without one.
        workers: how many hold a lease.
        error: why something could not be asked; empty if it could.
    """

    version: int
    ready: int = 0
    running: int = 0
    oldest: float | None = None
    workers: int = 0
    error: str = ""


@dataclass(eq=False, slots=True)
class _Tab:
    """A page that listens."""

    period: float
    due: float = 0.0
    told: Tiles | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    """Reads for all tabs that see the same queues: as often as the most curious of them wants to hear.

    Args:
        console: whom to ask.
        changed: called when something has changed, before any tab hears of it.
        now: the time in seconds.
    """

    def __init__(
        self,
        console: Console,
        changed: Callable[[], None] = lambda: None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._console = console
        self._changed = changed
        self._now = now
        self._version: int | None = None
        self._tabs: set[_Tab] = set()
        self._reader: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_idle(self) -> bool:
        """Whether nobody listens, so that nothing is read."""
        return self._reader is None

    async def listen(self, period: float) -> AsyncGenerator[bytes, None]:
        """The events of one tab, until it goes or the dashboard ends."""
        tab = _Tab(period)
        self._tabs.add(tab)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        try:
            yield _RECONNECT
            end = self._now() + LONGEST_S
            while not self._is_closed and self._now() < end:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await tab.news.wait()
                is_news = tab.news.is_set() and tab.told is not None
                tab.news.clear()
                yield _event(tab.told) if is_news and tab.told else _BEAT
        finally:
            self._leave(tab)

    def close(self) -> None:
        """End all streams."""
        self._is_closed = True
        for tab in self._tabs:
            tab.news.set()

    def _leave(self, tab: _Tab) -> None:
        self._tabs.discard(tab)
        if not self._tabs and self._reader is not None:
            self._reader.cancel()
            self._reader = None

    async def _read(self) -> None:
        while not self._is_closed:
            if due := [tab for tab in self._tabs if tab.due <= self._now()]:
                began = self._now()
                tiles = await _tiles(self._console)
                if tiles.version != self._version:
                    self._version = tiles.version
                    self._changed()
                for tab in due:
                    # All at the same moments, so that one reading serves those who came one after the other.
                    tab.due = began - began % tab.period + tab.period
                    if tab.told is None or tab.told.version != tiles.version:
                        tab.told = tiles
                        tab.news.set()
            # Not until the next is due: a tab may come that wants to hear sooner, and the server may end.
            await asyncio.sleep(_LOOK_S)
            if _is_server_ending():
                self.close()


class Lines:
    """The lines of one dashboard: one for each set of queues that somebody sees, for as long as they look.

    Args:
        changed: called when something has changed, before any tab hears of it: what was read earlier must
            not be told to those who then look again.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lines: dict[frozenset[str] | None, Line] = {}
        self._seats: Counter[str] = Counter()

    def take_seat(self, who: str) -> bool:
        """Whether somebody may have one more stream; it is theirs until they give it back."""
        if self._seats.total() >= MOST_STREAMS or self._seats[who] >= MOST_OF_ONE:
            return False
        self._seats[who] += 1
        return True

    def leave_seat(self, who: str) -> None:
        """Take the seat of a stream that has ended."""
        self._seats[who] -= 1
        if not self._seats[who]:
            del self._seats[who]

    async def listen(
        self, console: Console, queues: frozenset[str] | None, period: float
    ) -> AsyncGenerator[bytes, None]:
        """The events of one tab, which sees these queues."""
        line = self._lines.setdefault(queues, Line(console, self._changed))
        events = line.listen(period)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()
            if line.is_idle and self._lines.get(queues) is line:
                del self._lines[queues]

    @property
    def count(self) -> int:
        """How many lines are read."""
        return len(self._lines)

    def close(self) -> None:
        """End all streams."""
        for line in self._lines.values():
            line.close()
        # An application may start again, and has other lines then.
        self._lines.clear()


class _Stream(StreamingResponse):
    """Events for one tab, which gives its seat back however it ends, even before the first event."""

    def __init__(
        self, events: AsyncGenerator[bytes, None], leave: Callable[[], None], **options: Any
    ) -> None:
        super().__init__(events, media_type="text/event-stream", **options)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


async def live(request: Request) -> Response:
    """Events `changed` with the values of the tiles, each time something has changed.

    Who has too many streams, or comes when a dashboard has, gets 503: then the page asks by itself.
    """
    # nginx would keep the events until there are enough of them for a page of memory.
    headers = {"X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=headers)
    lines, who = cast("Lines", request.app.state.lines), _who(request)
    if not lines.take_seat(who):
        # Not a page: who asks too often should cost little.
        return PlainTextResponse(_FULL, 503, {"Retry-After": "60"})
    queues = access_of(request).queues
    events = lines.listen(
        console_of(request),
        None if queues is None else frozenset(queues),
        _period(request.query_params.get("every", "")),
    )
    return _Stream(events, lambda: lines.leave_seat(who), headers=headers)


ROUTE: Final = GuardedRoute("/live", live, name="live")


def _who(request: Request) -> str:
    """Whose streams are counted together: those of a user, or of an address where nobody has a name."""
    return access_of(request).user or (request.client.host if request.client else "")


def _period(text: str) -> float:
    """How often a tab wants to hear: the next of `PERIODS`."""
    try:
        asked = float(text)
    except ValueError:
        asked = PERIODS[0]
    return next((period for period in PERIODS if period >= asked), PERIODS[-1])


async def _tiles(console: Console) -> Tiles:
    try:
        queues = await console.queues()
    except Exception as error:  # noqa: BLE001 (pages stay open and show it, and the next reading may be fine)
        logger.warning("live: %s: %s", type(error).__name__, error)
        return Tiles(_number(type(error).__name__), error=type(error).__name__)
    waits = [queue.oldest.total_seconds() for queue in queues if queue.oldest is not None]
    return Tiles(
        version=_number([_looks(queue) for queue in queues]),
        ready=sum(queue.available for queue in queues),
        running=sum(queue.executing for queue in queues),
        oldest=max(waits, default=None),
        workers=sum(len(queue.workers) for queue in queues),
        error=next((queue.error for queue in queues if queue.error), ""),
    )


def _looks(queue: QueueState) -> Any:
    """What is seen of a queue that changes when something happens, and not by time alone."""
    return (
        queue.key, queue.error, queue.is_paused, queue.available, queue.scheduled, queue.retryable,
        queue.suspended, queue.executing, queue.limit, queue.slots, queue.global_limit, queue.rate_limit,
        queue.rate_used, dict(queue.node_limits), dict(queue.node_pauses), list(queue.ended),
        [(one.session, one.limit, list(one.running), one.is_paused, one.leads) for one in queue.workers],
    )  # fmt: skip


def _number(value: Any) -> int:
    return zlib.crc32(to_json(value, fallback=repr))


def _event(tiles: Tiles) -> bytes:
    return b"event: changed\ndata: " + to_json(tiles) + b"\n\n"


def _is_server_ending() -> bool:
    """Whether uvicorn was told to end.

    It waits for open streams before it tells the application, so that both would wait for each other.
    """
    told = signal.getsignal(signal.SIGTERM)
    return bool(getattr(getattr(told, "__self__", None), "should_exit", False))
