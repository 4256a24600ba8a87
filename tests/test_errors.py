"""What a job raises or returns to decide its own fate, as values."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from arqlite import Cancel, Discard, Snooze
from arqlite.errors import ConfigurationError, JobControl
from arqlite.model.failures import describe, rebuild


@pytest.mark.parametrize(
    ("delay", "ms"),
    [
        (0, 0),
        (60, 60_000),
        (0.25, 250),
        (timedelta(minutes=5), 300_000),
        (timedelta(hours=1), 3_600_000),
        (timedelta(days=2), 172_800_000),
    ],
)
def test_delays_of_a_snooze(delay: Any, ms: int) -> None:
    """A snooze lasts so many seconds, or a timedelta; none at all is allowed."""
    assert Snooze(delay).delay_ms == ms


@pytest.mark.parametrize("delay", ["60", None, True, -1, timedelta(seconds=-1), float("nan"), float("inf")])
def test_snooze_without_an_end(delay: Any) -> None:
    """What is no span, or a negative one, is refused in words."""
    with pytest.raises(ConfigurationError, match="the delay of Snooze must be"):
        Snooze(delay)


@pytest.mark.parametrize("control", [Snooze(1.5), Cancel("moved"), Cancel(), Discard("no"), Discard()])
def test_they_survive_the_way_out_of_a_process(control: JobControl) -> None:
    """A function in a process may return one: it is the same when it arrives."""
    arrived = pickle.loads(pickle.dumps(control))

    assert type(arrived) is type(control)
    assert (str(arrived), vars(arrived)) == (str(control), vars(control))


@pytest.mark.parametrize("control", [Cancel("moved"), Discard("no"), Discard({"code": 7}), Cancel()])
def test_reasons_are_read_again(control: JobControl) -> None:
    """The end of a job that gave up is raised as what it was, with its reason as text."""
    read = rebuild(describe(control))

    assert type(read) is type(control)
    assert str(read) == str(control)
