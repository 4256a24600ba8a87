"""What a job that waits takes over from an equal one that came after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .calls import Call, Options


class Replacement(NamedTuple):
    """How a job is changed.

    Attributes:
        changes: entries of its envelope; None takes one away.
        priority: its new one; None leaves that as it is.
        when: when it is due, as the engine is told it; None leaves that as it is.
    """

    changes: dict[str, Any]
    priority: int | None
    when: str | None


def replacement(
    names: Sequence[str], call: Call[Any], given: Options, envelope: Mapping[str, Any], when: str
) -> Replacement:
    """Tell what of a new job goes to the one that is there already.

    Args:
        names: what may be replaced, see `Unique`.
        call: the new job's call.
        given: what was said of the new job itself; what is not said replaces nothing.
        envelope: what else the new job's envelope would have had.
        when: when the new job would have been due.
    """
    changes: dict[str, Any] = {}
    priority = new_when = None
    if "args" in names:
        changes |= {"a": call.args, "k": call.kwargs}
    if "max_attempts" in names and given.max_attempts is not None:
        changes["ma"] = given.max_attempts
    if "meta" in names and given.meta is not None:
        changes["m"] = given.meta or None
    if "tags" in names and given.tags is not None:
        changes["g"] = given.tags or None
    if "priority" in names and given.priority is not None:
        priority, changes["p"] = given.priority, given.priority or None
    if "scheduled_at" in names and (given.delay_ms is not None or given.at_ms is not None):
        # When it expires may have been told from when it was due.
        new_when = when
        changes |= {"at": envelope.get("at"), "x": envelope.get("x")}
    return Replacement(changes, priority, new_when)
