"""What stays in arq's queue: when it is looked at again."""

from __future__ import annotations

import pytest

from arqlite.migration.convert import Left
from arqlite.migration.leftovers import Leftovers


def walk(leftovers: Leftovers, now: float, hold: str = "unknown function", score: float = 1.0) -> bool:
    """Walk past the job and leave it if it is looked at; tells whether it was."""
    jobs = [(b"a", score)]
    leftovers.begin()
    looked = leftovers.worth_a_look(jobs, now)
    if looked:
        leftovers.leave([Left("a", "nobody", hold, "")], jobs, now)  # type: ignore[arg-type]  # a plain text
    leftovers.end()
    return bool(looked)


def test_pause_doubles_up_to_a_minute() -> None:
    """A job is looked at after 1, 2, 4 ... seconds, and never less often than once a minute."""
    leftovers = Leftovers()

    looks = [now for now in range(300) if walk(leftovers, float(now))]

    assert looks == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_changed_score_is_a_reason() -> None:
    """A job that was enqueued again, or pulled to the front to be aborted, has another score."""
    leftovers = Leftovers()
    walk(leftovers, 0.0)

    assert not walk(leftovers, 0.5)
    assert walk(leftovers, 0.5, score=2.0)


@pytest.mark.parametrize("hold", ["running", "aborted"])
def test_what_may_be_free_soon_is_looked_at_again(hold: str) -> None:
    """What runs at a worker of arq may be given back at any time."""
    leftovers = Leftovers()
    walk(leftovers, 0.0, hold)

    assert walk(leftovers, 0.0, hold)


def test_what_has_left_is_forgotten() -> None:
    """Nothing is remembered of jobs that stand in the queue no more."""
    leftovers = Leftovers()
    walk(leftovers, 0.0)

    leftovers.begin()
    leftovers.end()

    assert len(leftovers) == 0
