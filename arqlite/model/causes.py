"""Why a run did not end well: told as it was, whatever becomes of its job."""

from __future__ import annotations

from typing import assert_never

from ..errors import Cancel, Postpone, Retry, RetryJob, Snooze
from .context import CancelReason
from .outcomes import Interrupted, Outcome, Raised, Returned
from .states import Cause

_OF_REASONS: dict[CancelReason, Cause] = {
    "abort": Cause.CANCELLED,
    "timeout": Cause.TIMEOUT,
    "shutdown": Cause.SHUTDOWN,
    "lost_lease": Cause.LOST,
}
# In this order: some are kinds of others.
_OF_WISHES: tuple[tuple[type | tuple[type, ...], Cause], ...] = (
    ((Snooze, Postpone), Cause.SNOOZE),
    (Cancel, Cause.CANCELLED),
    ((Retry, RetryJob), Cause.RETRY),
)


def cause_of(outcome: Outcome, reason: CancelReason | None) -> Cause:
    """Tell why a run did not end well.

    What came first is the cause: a function whose time is up, and which raises something of its own or asks
    to run again when it hears of that, timed out.

    Args:
        outcome: what became of the run.
        reason: why it was cancelled from outside, if it was.
    """
    if reason is not None:
        return _OF_REASONS[reason]
    match outcome:
        case Interrupted(reason):
            return _OF_REASONS[reason]
        case Raised(error):
            return _of_wish(type(error))
        case Returned(value):
            return _of_wish(value if isinstance(value, type) else type(value))
        case _:  # pragma: no cover
            assert_never(outcome)


def _of_wish(kind: type) -> Cause:
    for wish, cause in _OF_WISHES:
        if issubclass(kind, wish):
            return cause
    return Cause.ERROR
