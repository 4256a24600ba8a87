"""What the queue remembers of a job that had trouble; a job without trouble costs nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


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
        pardoned: how many of its crashes do not speak against it any more, since somebody let it run again.
        revived_ms: when it was let run again after it had ended, in ms since 1970, 0 if never: the ledger's
            word that it has ended is older than that.
    """

    tries: int = 0
    crashes: int = 0
    due_ms: int = 0
    unknown_since_ms: int = 0
    snoozes: int = 0
    granted: int = 0
    is_retryable: int = 0
    pardoned: int = 0
    revived_ms: int = 0

    def encode(self) -> str:
        """Write it as the queue keeps it; scripts read the first two numbers and the last, `is_retryable`."""
        *others, is_retryable, pardoned, revived_ms = self
        rare = (pardoned, revived_ms) if revived_ms else (pardoned,) if pardoned else ()
        return ":".join(map(str, (*others, *rare, is_retryable)))


NOTHING = Memory()
_WITHOUT_RARE = 7


def decode(text: bytes | str | None) -> Memory:
    """Read it; parts that a rescue left out are 0."""
    if not text:
        return NOTHING
    if isinstance(text, bytes):
        text = text.decode()
    numbers = [int(part or 0) for part in text.split(":")]
    if len(numbers) > _WITHOUT_RARE:
        *others, is_retryable = numbers
        numbers = [*others[: _WITHOUT_RARE - 1], is_retryable, *others[_WITHOUT_RARE - 1 :]]
    return Memory(*numbers)


class Counted(NamedTuple):
    """What a job that ended had gone through.

    Attributes:
        attempt: how many attempts were begun and count, its first number included.
        crashes: runs that ended with their worker.
        snoozes: how often it asked to run later.
        due_ms: when its last run was due, in ms since 1970; 0 when that is as it was enqueued.
    """

    attempt: int
    crashes: int
    snoozes: int
    due_ms: int = 0


def counters(attempt: int, start: int, memory: Memory) -> dict[str, int]:
    """Tell what an end holds beside the number of the last start: nothing of the common job.

    Args:
        attempt: how many attempts were begun and count.
        start: the number of its last start.
        memory: what is remembered of it.
    """
    told = {} if attempt == start else {"at": attempt}
    if memory.crashes:
        told["cr"] = memory.crashes
    if memory.snoozes:
        told["sn"] = memory.snoozes
    if memory.due_ms:
        told["du"] = memory.due_ms
    return told


def counted(ended: Mapping[str, Any]) -> Counted:
    """Read it from the envelope of an end; what is no number is 0."""
    told = ended.get("at", ended.get("t")), ended.get("cr"), ended.get("sn"), ended.get("du")
    return Counted(*(number if isinstance(number, int) else 0 for number in told))
