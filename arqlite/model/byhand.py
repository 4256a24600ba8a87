"""What somebody did to a job by hand, as its row in a ledger is to tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .states import JobState


class Handled(NamedTuple):
    """A job that was moved or changed by hand.

    Attributes:
        job_id: which.
        enqueued_ms: when it was enqueued, in ms since 1970: with its id this says which job it is. 0 where
            that could not be read.
        state: where it was moved to: it waits again, or was taken out (CANCELLED); None if it was only
            changed.
        attempt: how many runs were begun before; a row that counts more tells of a later one.
        due_ms: when it is due, in ms since 1970; None is as before, or at once.
        memory: of a job that waits again, what its queue remembers of its runs.
        envelope: what is written in it; None where that could not be read.
        record: how its queue stores it now; empty of one that was taken out.
    """

    job_id: str
    enqueued_ms: int
    state: JobState | None
    attempt: int = 0
    due_ms: int | None = None
    memory: str = ""
    envelope: Mapping[str, Any] | None = None
    record: bytes = b""
