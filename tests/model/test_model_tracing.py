"""Tracers: what they have jobs carry, and that they can harm nobody."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import pytest

from arqlite.model import tracing
from arqlite.model.calls import PLAIN
from arqlite.model.options import told_of_askers


class Toy:
    """Notes what it is told."""

    def __init__(self, carried: Mapping[str, str]) -> None:
        self.told: list[object] = []
        self._carried = carried

    @contextlib.contextmanager
    def sending(self, queue: str, functions: Sequence[str]) -> Iterator[tracing.Accepted]:
        self.told += [queue, *functions]
        yield self.told.append
        self.told.append("over")

    def carried(self) -> Mapping[str, str]:
        return self._carried


class Mute(Toy):
    def sending(self, queue: str, functions: Sequence[str]) -> AbstractContextManager[tracing.Accepted]:
        raise RuntimeError("no span today")


class Broken(Toy):
    def carried(self) -> Mapping[str, str]:
        raise RuntimeError("no trace today")


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    yield
    tracing._replace({})


def test_nobody_asks_without_tracers() -> None:
    """While nobody follows jobs, they carry nothing."""
    assert told_of_askers(PLAIN) == {}


def test_jobs_carry_what_all_tracers_say() -> None:
    """What several tracers say is carried together, in an entry of its own."""
    tracing.attach("one", Toy({"traceparent": "00-1"}))
    tracing.attach("two", Toy({"sentry-trace": "2"}))

    assert told_of_askers(PLAIN) == {"tc": {"traceparent": "00-1", "sentry-trace": "2"}}
    tracing.detach("one")
    tracing.detach("nobody")
    assert told_of_askers(PLAIN) == {"tc": {"sentry-trace": "2"}}


def test_tracer_without_a_trace_leaves_no_entry() -> None:
    """Where there is no trace, a job is written as ever."""
    tracing.attach("one", Toy({}))

    assert told_of_askers(PLAIN) == {}


def test_same_id_replaces_a_tracer() -> None:
    """A second tracer under the same id is the only one."""
    tracing.attach("one", Toy({"a": "1"}))
    tracing.attach("one", Toy({"b": "2"}))

    assert tracing.carried() == {"b": "2"}


def test_tracer_that_fails_costs_no_job(caplog: pytest.LogCaptureFixture) -> None:
    """What a tracer raises is logged, and the others are heard all the same."""
    tracing.attach("broken", Broken({}))
    tracing.attach("one", Toy({"a": "1"}))

    with caplog.at_level(logging.ERROR):
        assert tracing.carried() == {"a": "1"}

    assert "RuntimeError: no trace today" in caplog.text


def test_tracer_that_cannot_begin_keeps_no_job(caplog: pytest.LogCaptureFixture) -> None:
    """Where a tracer fails before the enqueuing, that goes on, with the other tracers."""
    toy = Toy({})
    tracing.attach("mute", Mute({}))
    tracing.attach("one", toy)

    with caplog.at_level(logging.ERROR), tracing.sending("mail", ["send"]) as accepted:
        accepted(["1"])

    assert toy.told == ["mail", "send", ["1"], "over"]
    assert "RuntimeError: no span today" in caplog.text


def test_tracers_are_around_the_sending() -> None:
    """Each tracer hears where jobs go, which were accepted, and that it is over."""
    toys = [Toy({}), Toy({})]
    for number, toy in enumerate(toys):
        tracing.attach(str(number), toy)

    with tracing.sending("mail", ["send", "send"]) as accepted:
        accepted(["1", "2"])

    assert [toy.told for toy in toys] == [["mail", "send", "send", ["1", "2"], "over"]] * 2


@pytest.mark.parametrize(
    ("envelope", "read"),
    [
        ({}, {}),
        ({"tc": {"traceparent": "00-1"}}, {"traceparent": "00-1"}),
        ({"tc": {"traceparent": 1, "b": None, "c": ["x"]}}, {}),
        ({"tc": "00-1"}, {}),
        ({"tc": None}, {}),
    ],
)
def test_carried_things_are_read_with_care(envelope: dict[str, object], read: dict[str, str]) -> None:
    """What is no text was not put there by a tracer, and is left out."""
    assert tracing.carried_in(envelope) == read
