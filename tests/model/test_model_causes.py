"""Why a run did not end well: the table."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arqlite.errors import Cancel, Discard, Postpone, Retry, RetryJob, Snooze
from arqlite.model.causes import cause_of
from arqlite.model.context import CancelReason
from arqlite.model.outcomes import Interrupted, Outcome, Raised, Returned
from arqlite.model.states import Cause


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (Raised(ValueError("boom")), Cause.ERROR),
        (Raised(Discard("useless")), Cause.ERROR),
        (Raised(asyncio.CancelledError()), Cause.ERROR),
        (Raised(Cancel("no more")), Cause.CANCELLED),
        (Raised(Retry(defer=1)), Cause.RETRY),
        (Raised(RetryJob()), Cause.RETRY),
        (Raised(Snooze(5)), Cause.SNOOZE),
        (Raised(Postpone(defer=5)), Cause.SNOOZE),
        (Returned(Snooze(5)), Cause.SNOOZE),
        (Returned(Cancel), Cause.CANCELLED),
        (Returned(Discard), Cause.ERROR),
        (Interrupted("abort"), Cause.CANCELLED),
        (Interrupted("timeout"), Cause.TIMEOUT),
        (Interrupted("shutdown"), Cause.SHUTDOWN),
        (Interrupted("lost_lease"), Cause.LOST),
    ],
)
def test_cause(outcome: Outcome, cause: Cause) -> None:
    """A run that did not end well has the cause that its outcome tells."""
    assert cause_of(outcome, None) is cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("abort", Cause.CANCELLED),
        ("timeout", Cause.TIMEOUT),
        ("shutdown", Cause.SHUTDOWN),
        ("lost_lease", Cause.LOST),
    ],
)
@pytest.mark.parametrize("error", [ValueError("while it cleaned up"), Retry(defer=1)])
def test_first_cause_counts(reason: CancelReason, cause: Cause, error: Any) -> None:
    """What a function raises when it is cancelled from outside does not hide that it was."""
    assert cause_of(Raised(error), reason) is cause
