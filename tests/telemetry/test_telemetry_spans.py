"""Spans: a start, then a stop or an exception, whatever happens in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arqlite.service import Service, Ticker
from arqlite.telemetry import (
    ServiceFailed,
    ServiceStarted,
    ServiceStopped,
    attach,
    span,
    spans_of,
)


@pytest.fixture
def events() -> list[Any]:
    """Every event of services during the test, in order."""
    seen: list[Any] = []
    attach("spans", "service.*", seen.append)
    return seen


def test_span_tells_start_and_stop(events: list[Any]) -> None:
    """A block that ends tells what it was told with and what it found out, and how long it took."""
    with spans_of("mail"), span("sweeper", floor=2) as told:
        told["swept"] = 3

    started, stopped = events
    assert (type(started), started.service, started.queue, started.meta) == (
        ServiceStarted, "sweeper", "mail", {"floor": 2},
    )  # fmt: skip
    assert (type(stopped), stopped.service, stopped.queue, stopped.meta) == (
        ServiceStopped, "sweeper", "mail", {"floor": 2, "swept": 3},
    )  # fmt: skip
    assert 0 <= stopped.duration_ms < 5000
    assert started.at_ms <= stopped.at_ms


def test_span_raises_on(events: list[Any]) -> None:
    """An error is told, with what was found out until then, and goes on to the caller."""
    boom = ValueError("boom")

    def sweep() -> None:
        with span("sweeper") as told:
            told["swept"] = 1
            raise boom

    with pytest.raises(ValueError, match="boom"):
        sweep()

    assert [type(event) for event in events] == [ServiceStarted, ServiceFailed]
    assert (events[1].error, events[1].meta, events[1].queue) == (boom, {"swept": 1}, "")


def test_cancelled_span_is_no_failure(events: list[Any]) -> None:
    """Who ends a service in the middle of its duty has not made it fail."""
    with pytest.raises(asyncio.CancelledError), span("sweeper"):
        raise asyncio.CancelledError

    assert type(events[1]) is ServiceStopped
    assert events[1].meta == {"cancelled": True}


def test_span_of_nobody_works_all_the_same() -> None:
    """While nobody listens a span gives its dict, and an error goes on."""
    with span("sweeper", floor=2) as told:
        told["swept"] = 3

    assert told == {"floor": 2, "swept": 3}
    with pytest.raises(ValueError, match="boom"), span("sweeper"):
        raise ValueError("boom")


class Sweeper(Ticker):
    """A service of the user's: its first time fails."""

    def __init__(self) -> None:
        super().__init__(0.001, at_once=True)
        self.times = 0
        self.is_done = asyncio.Event()

    async def tick(self) -> None:
        self.times += 1
        if self.times == 1:
            raise ValueError("odd")
        self.told["swept"] = self.times
        if self.times == 3:
            self.is_done.set()


async def test_each_tick_of_a_service_is_a_span(events: list[Any]) -> None:
    """A ticker tells each of its ticks, those that fail too, each with what it found out itself."""
    sweeper = Sweeper()
    with spans_of("mail"):
        await sweeper.start()
    await asyncio.wait_for(sweeper.is_done.wait(), 5)
    await sweeper.stop()

    assert {event.queue for event in events} == {"mail"}
    assert [(type(event), dict(event.meta)) for event in events[:6:2]] == [(ServiceStarted, {})] * 3
    assert [(type(event), dict(event.meta)) for event in events[1:6:2]] == [
        (ServiceFailed, {}), (ServiceStopped, {"swept": 2}), (ServiceStopped, {"swept": 3}),
    ]  # fmt: skip


async def test_service_that_is_no_ticker_needs_nothing(events: list[Any]) -> None:
    """A service that is one long coroutine has no rounds to tell of."""
    service = Service()
    await service.start()
    await service.stop()

    assert events == []
