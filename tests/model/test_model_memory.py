"""What the queue remembers of a job that had trouble."""

from __future__ import annotations

import pytest

from arqlite.model.memory import NOTHING, Memory, decode


@pytest.mark.parametrize("memory", [NOTHING, Memory(1), Memory(2, 1), Memory(1, 2, 1_700_000_000_000, 5)])
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
