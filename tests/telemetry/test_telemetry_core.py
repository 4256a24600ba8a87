"""The bus: attach, detach, and handlers that fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from arqlite.telemetry import attach, detach, execute, has_handlers


@dataclass
class Rang:
    """A bell rang."""

    number: int


@dataclass
class Closed:
    """A door was closed."""


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    yield
    for handler_id in ("a", "b"):
        detach(handler_id)
    assert not has_handlers(Rang)


def test_events_reach_those_who_attached() -> None:
    """An event reaches every handler of its type, and no other."""
    heard: list[Any] = []
    attach("a", [Rang, Closed], lambda event: heard.append(("a", event)))
    attach("b", [Closed], lambda event: heard.append(("b", event)))

    execute(Rang(1))
    execute(Closed())

    assert heard == [("a", Rang(1)), ("a", Closed()), ("b", Closed())]


def test_detached_handler_hears_nothing() -> None:
    """Who is detached hears nothing more, and nobody builds events for nobody."""
    heard: list[Any] = []
    attach("a", [Rang], heard.append)
    assert has_handlers(Rang)

    detach("a")
    detach("never attached")

    assert not has_handlers(Rang)
    execute(Rang(1))
    assert heard == []


def test_second_attach_replaces_the_first() -> None:
    """One id is one handler: attaching again replaces it, and its types."""
    first: list[Any] = []
    second: list[Any] = []
    attach("a", [Rang, Closed], first.append)
    attach("a", [Rang], second.append)

    execute(Rang(1))

    assert (first, second) == ([], [Rang(1)])
    assert not has_handlers(Closed)


def test_handler_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that raises is told with its traceback, stays attached, and hinders nobody."""
    heard: list[Any] = []

    def bad(event: Any) -> None:
        heard.append("bad")
        raise ValueError

    attach("a", [Rang], bad)
    attach("b", [Rang], heard.append)

    execute(Rang(1))
    execute(Rang(2))

    assert heard == ["bad", Rang(1), "bad", Rang(2)]
    assert caplog.messages == ["telemetry handler a failed on Rang"] * 2
    assert all(record.exc_info for record in caplog.records)


def test_handler_may_detach_itself() -> None:
    """A handler may leave while it is called."""
    heard: list[Any] = []

    def once(event: Any) -> None:
        heard.append(event)
        detach("a")

    attach("a", [Rang], once)
    execute(Rang(1))
    execute(Rang(2))

    assert heard == [Rang(1)]
