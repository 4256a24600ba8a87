"""What the queue remembers of a job that had trouble; a job without trouble costs nothing here."""

from __future__ import annotations

from typing import NamedTuple


class Memory(NamedTuple):
    """The runs of a job so far.

    Attributes:
        tries: runs that were counted.
        crashes: runs that ended with their worker.
        due_ms: when its next run was due, 0 when that is its enqueue time.
        unknown_since_ms: since when no worker knows its function, 0 if one does.
        snoozes: how often it asked to run later.
        granted: how many attempts somebody granted it by hand, all in all: it has at least so many, whatever
            its maximum is.
        is_retryable: 1 while it waits for another try after one that failed; 0 if it waits for anything else.
    """

    tries: int = 0
    crashes: int = 0
    due_ms: int = 0
    unknown_since_ms: int = 0
    snoozes: int = 0
    granted: int = 0
    is_retryable: int = 0

    def encode(self) -> str:
        """Write it as the queue keeps it; scripts read the first two numbers and the last."""
        return ":".join(map(str, self))


NOTHING = Memory()


def decode(text: bytes | str | None) -> Memory:
    """Read it; parts that a rescue left out are 0."""
    if not text:
        return NOTHING
    if isinstance(text, bytes):
        text = text.decode()
    return Memory(*(int(part or 0) for part in text.split(":")))
