"""What the queue remembers of a job that had trouble."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite.model.memory import NOTHING, Counted, Memory, counted, counters, decode


@pytest.mark.parametrize(
    "memory",
    [
        NOTHING,
        Memory(1),
        Memory(2, 1),
        Memory(1, 2, 1_700_000_000_000, 5),
        Memory(1, 2, is_retryable=1),
        Memory(1, 2, 3, 4, 5, 6, 1, 7),
        Memory(pardoned=2),
        Memory(revived_ms=5),
        Memory(tries=1, pardoned=2, revived_ms=5, is_retryable=1),
    ],
)
def test_round_trip(memory: Memory) -> None:
    """What was remembered is read again, as text and as bytes."""
    assert decode(memory.encode()) == decode(memory.encode().encode()) == memory


@pytest.mark.parametrize(
    ("text", "memory"),
    [(None, NOTHING), (b"", NOTHING), (b"0:1:", Memory(0, 1)), (b"3:2::", Memory(3, 2)), ("2", Memory(2))],
)
def test_missing_parts_are_zero(text: bytes | str | None, memory: Memory) -> None:
    """A rescue writes two numbers only; the rest is 0."""
    assert decode(text) == memory


def test_pardon_stands_before_the_last_number() -> None:
    """Scripts read the last number, whether crashes were pardoned or not."""
    assert Memory(1, 2, is_retryable=1).encode() == "1:2:0:0:0:0:1"
    assert Memory(1, 2, is_retryable=1, pardoned=2).encode() == "1:2:0:0:0:0:2:1"


@pytest.mark.parametrize(
    ("attempt", "start", "memory", "written"),
    [
        (1, 1, NOTHING, {}),
        (0, 1, NOTHING, {"at": 0}),
        (2, 2, Memory(1), {}),
        (2, 4, Memory(1, 2, snoozes=3), {"at": 2, "cr": 2, "sn": 3}),
        (2, 2, Memory(1, due_ms=1_700_000_000_000), {"du": 1_700_000_000_000}),
    ],
)
def test_counters_of_an_end(attempt: int, start: int, memory: Memory, written: dict[str, int]) -> None:
    """Only what the number of the last start does not tell is written, and all is read again."""
    assert counters(attempt, start, memory) == written
    assert counted({"t": start, **written}) == Counted(attempt, memory.crashes, memory.snoozes, memory.due_ms)


@pytest.mark.parametrize("ended", [{}, {"t": None}, {"t": 2, "at": "x", "cr": [], "sn": None, "du": "x"}])
def test_strange_counters_are_zero(ended: dict[str, Any]) -> None:
    """What somebody else wrote into an end hides nothing else of it."""
    assert counted(ended) == Counted(0, 0, 0)
