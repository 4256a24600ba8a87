"""The bus: attach, detach, and handlers that fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from arqlite.errors import ConfigurationError
from arqlite.telemetry import (
    CronFired,
    JobsPruned,
    QueuePaused,
    attach,
    attached,
    detach,
    execute,
    execute_made,
    has_handlers,
)


@dataclass
class Rang:
    """A bell rang."""

    number: int


@dataclass
class Closed:
    """A door was closed."""


@dataclass
class Sold:
    """Something that an application tells."""

    name: ClassVar[str] = "shop.sold"


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


def test_one_event_needs_no_list() -> None:
    """A single class or name is as good as a list of one."""
    heard: list[Any] = []
    attach("a", Rang, heard.append)
    attach("b", "queue.prune", heard.append)

    execute(Rang(1))
    execute(JobsPruned("q", 2))

    assert heard == [Rang(1), JobsPruned("q", 2)]


@pytest.mark.parametrize(
    ("events", "names"),
    [
        ("queue.prune", ["queue.prune"]),
        ("queue.*", ["queue.prune", "queue.pause"]),
        ("*.p*", ["queue.prune", "queue.pause"]),
        ("*", ["queue.prune", "queue.pause", "cron.fire"]),
        (["cron.fire", JobsPruned], ["queue.prune", "cron.fire"]),
        (["queue.prune", JobsPruned], ["queue.prune"]),
    ],
)
def test_events_are_chosen_by_name(events: Any, names: list[str]) -> None:
    """A handler may ask for names and patterns of them; each event comes once."""
    heard: list[str] = []
    attach("a", events, lambda event: heard.append(event.name))

    for event in (JobsPruned("q", 2), QueuePaused("q"), CronFired("q", "c", "1", 0)):
        assert has_handlers(type(event)) is (event.name in names)
        execute(event)

    assert heard == names


def test_events_of_ones_own_follow_patterns() -> None:
    """An event class of an application that has a name is found by patterns, too."""
    heard: list[Any] = []
    attach("a", "*", heard.append)

    execute(Sold())
    execute(Rang(1))  # it has no name

    assert heard == [Sold()]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ("job.stpo", "no event is named 'job.stpo'; did you mean 'job.stop'?"),
        (["jobs.*"], "no event is named 'jobs.*'; "),
        ("zzz", "no event is named 'zzz'; there are job.enqueued, job.start, "),
        ([3], "events must be classes of events or their names, got [3]"),
    ],
)
def test_unknown_event_is_refused(events: Any, words: str) -> None:
    """Who attaches to nothing is told so, with what was meant; what was attached before stays."""
    attach("a", Rang, lambda event: None)

    with pytest.raises(ConfigurationError) as refused:
        attach("a", events, lambda event: None)

    assert str(refused.value).startswith(words)
    assert has_handlers(Rang)


def test_coroutine_function_is_refused() -> None:
    """A handler that nobody would await is refused."""

    async def handler(event: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="handler 'a' must be a plain function"):
        attach("a", Rang, handler)


def test_attached_for_a_block() -> None:
    """A handler may listen for a block; two blocks are two handlers, also with one function."""
    heard: list[Any] = []

    with attached(Rang, heard.append):
        with attached("queue.*", heard.append), attached(Rang, heard.append):
            execute(Rang(1))
            execute(JobsPruned("q", 1))
        execute(Rang(2))
    execute(Rang(3))

    assert heard == [Rang(1), Rang(1), JobsPruned("q", 1), Rang(2)]


def test_attaching_while_events_come_from_threads() -> None:
    """Handlers come and go while other threads tell events: nothing raises, and who stays misses none."""
    heard: list[Any] = []
    stop = threading.Event()
    attach("a", Rang, heard.append)

    def toggle() -> None:
        while not stop.is_set():
            attach("b", "*", lambda event: None)
            detach("b")

    toggling = threading.Thread(target=toggle)
    toggling.start()
    for number in range(2000):
        assert has_handlers(Rang)
        execute(Rang(number))
    stop.set()
    toggling.join()

    assert heard == [Rang(number) for number in range(2000)]


def test_what_is_no_handler() -> None:
    """A handler that cannot be called, and one that would hear of nothing, are refused."""
    with pytest.raises(ConfigurationError, match="handler 'x' must be a function, got 3"):
        attach("x", "job.stop", 3)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="events must name at least one event"):
        attach("x", [], print)
    with pytest.raises(ConfigurationError, match="events must be classes of events or their names, got 3"):
        attach("x", 3, print)  # type: ignore[arg-type]


def test_shortcut_spares_the_event() -> None:
    """A handler that needs no more than what an event is made of has it not made."""
    heard: list[Any] = []
    attach("a", Rang, heard.append, shortcut=lambda number: heard.append(number) or True)

    execute_made(Rang, lambda number: pytest.fail("an event was made"), 1)

    assert heard == [1]


def test_event_is_made_once_for_all_who_need_it() -> None:
    """Who has no shortcut, or whose shortcut does not do, gets the same event."""
    heard: list[Any] = []
    attach("a", Rang, heard.append, shortcut=lambda _: False)
    attach("b", Rang, heard.append)

    execute_made(Rang, Rang, 1)

    assert heard == [Rang(1), Rang(1)]
    assert heard[0] is heard[1]


def test_nobody_has_an_event_made() -> None:
    """Without a handler nothing is made."""
    execute_made(Rang, lambda: pytest.fail("an event was made for nobody"))


def test_shortcut_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others are told."""
    heard: list[Any] = []
    attach("a", Rang, heard.append, shortcut=lambda number: 1 // (number - 1) > 0)
    attach("b", Rang, heard.append)

    execute_made(Rang, Rang, 1)

    assert heard == [Rang(1)]
    assert "telemetry handler a failed on Rang" in caplog.text


def test_ready_event_takes_no_shortcut() -> None:
    """An event that is there already is handed to its handler."""
    heard: list[Any] = []
    attach("a", Rang, heard.append, shortcut=lambda _: pytest.fail("asked for a shortcut"))

    execute(Rang(1))

    assert heard == [Rang(1)]


def test_shortcut_is_a_plain_function() -> None:
    """One that would have to be awaited is refused as such a handler is: it would be taken for a yes."""

    async def later(number: int) -> bool:
        return True

    with pytest.raises(ConfigurationError, match="plain function"):
        attach("a", Rang, print, shortcut=later)
