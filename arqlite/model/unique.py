"""When two jobs count as the same one, so that only the first is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..typing import SecondsTimedelta

OnConflict = Literal["ignore", "replace", "raise"]
DEFAULT_PERIOD_S = 60


@dataclass(frozen=True, kw_only=True)
class Unique:
    """What makes a job the same as an earlier one of its queue.

    Args:
        period: seconds or a timedelta for which the earlier job counts; infinity: as long as it is known.
        fields: what must be equal: some of `args`, `meta`, `function`, `queue`.
        keys: only these arguments or entries of `meta` are compared; empty compares them all.
        states: in which states the earlier job counts: a group's name, or states.
        timestamp: where the period begins: when the earlier job was enqueued (`inserted_at`) or when it is
            or was due (`scheduled_at`).
        replace: what the earlier job takes over from the new one: names of options, for all states or
            state by state.
        on_conflict: what happens to the new job: `ignore` it, `replace` parts of the earlier one, or `raise`.
    """

    period: SecondsTimedelta = DEFAULT_PERIOD_S
    fields: Sequence[str] = ("args", "queue", "function")
    keys: Sequence[str] = ()
    states: str | Sequence[str] = "successful"
    timestamp: Literal["inserted_at", "scheduled_at"] = "inserted_at"
    replace: Sequence[str] | Mapping[str, Sequence[str]] = ()
    on_conflict: OnConflict | None = None
