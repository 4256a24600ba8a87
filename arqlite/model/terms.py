"""What may stand behind the names of a query, and what it means. No I/O."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from pydantic_core import from_json

from ..errors import ConfigurationError
from ..utils import get_tz
from . import checks
from .states import STATE_GROUPS, Cause, JobState, LedgerStatus

NAMES = (
    "state", "status", "cause", "queue", "function", "tag", "node", "worker", "error", "group", "failed",
    "attempt", "priority", "since", "until", "id", "parent", "by",
)  # fmt: skip
"""What may stand before the colon, beside `arg.NAME` and `meta.NAME`."""

TEXT = "text"
"""The name of a word without one."""

INSIDE = ("arg.", "meta.")
"""Names that begin so have a path behind them."""

ALIASES = {"task": "function", "tags": "tag", "args.": "arg.", "triggered_by": "by", "ids": "id"}
"""What people write, and what it is called here."""

STATE_ALIASES: Mapping[str, tuple[str, ...]] = {
    "failed": ("discarded",),
    **dict.fromkeys(("running", "in_progress"), ("executing",)),
    **dict.fromkeys(("success", "succeeded"), ("completed",)),
    **dict.fromkeys(("queued", "pending"), ("available", "scheduled", "retryable", "suspended")),
    "ready": ("available",),
    "deferred": ("scheduled", "retryable", "suspended"),
    "retrying": ("retryable",),
    "canceled": ("cancelled",),
}
"""What people call states, after the ledger's statuses, arq's, and the words of the dashboard."""

MOST_VALUES = 500
"""So many values may one word have."""

_STATES = (*map(str, JobState), *(name for name in STATE_GROUPS if name not in set(JobState)))
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_RANGE = re.compile(r"(>=|<=|>|<)?\s*(-?\d{1,9})|(-?\d{1,9})\.\.(-?\d{1,9})")
_LONGEST_SPAN = timedelta(days=366 * 200)
_LARGEST = 2**63


class Range(NamedTuple):
    """Whole numbers from `low` to `high`, both included; None is without end."""

    low: int | None
    high: int | None

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


def checked(name: str, values: Sequence[str], *, is_negated: bool) -> tuple[str, tuple[str, ...]]:
    """Check a word, and put it into the spelling that all of its kind have.

    Raises:
        ConfigurationError: there is no such name, or a value cannot stand behind it; says what can.
    """
    name = _name(name)
    if len(values) > MOST_VALUES:
        raise ConfigurationError(f"{name} may have {MOST_VALUES} values at most, got {len(values)}")
    if name in ("since", "until", "failed"):
        if is_negated or len(values) > 1:
            raise ConfigurationError(
                f"{name} takes one time and no '-': a time between two is since:2h until:1h"
            )
        moment_of(values[0])
    if name == "group" and (is_negated or len(values) > 1):
        raise ConfigurationError(f"{name} takes one group of failures and no '-'")
    if not all(values) and not name.startswith(INSIDE):
        raise ConfigurationError(f"{name} must not be empty: leave it out if it does not matter")
    for value in values:
        if "\0" in value or not _can_be_written(value):
            raise ConfigurationError(f"{name} cannot be {value!r}: no job has such characters")
    if name == "state":
        values = [state for value in values for state in STATE_ALIASES.get(value.lower(), (value,))]
    check = _CHECKS.get(name)
    return name, tuple(dict.fromkeys(map(check, values) if check else values))


def states_of(values: Sequence[str]) -> frozenset[JobState]:
    """The states that are named, or whose groups are."""
    return frozenset[JobState]().union(
        *(STATE_GROUPS[one] if one in STATE_GROUPS else {JobState(one)} for one in values)
    )


def range_of(value: str) -> Range:
    """Read `3`, `>2`, `>=2`, `<5`, `<=5` or `2..4`.

    Raises:
        ConfigurationError: it is something else.
    """
    found = _RANGE.fullmatch(value.strip())
    if found is None:
        raise ConfigurationError(f"a number is written as 3, >2, >=2, <5, <=5 or 2..4, got {value!r}")
    sign, number, low, high = found.groups()
    if number is None:
        return Range(int(low), int(high))
    limits: dict[str | None, Callable[[int], Range]] = {
        None: lambda n: Range(n, n), ">": lambda n: Range(n + 1, None), ">=": lambda n: Range(n, None),
        "<": lambda n: Range(None, n - 1), "<=": lambda n: Range(None, n),
    }  # fmt: skip
    return limits[sign](int(number))


def moment_of(value: str, now: datetime | None = None, *, is_end: bool = False) -> datetime:
    """Read a time: `2h`, `1h30m` are so long ago, `2026-11-20` is a day, `2026-11-20T14:30` a moment.

    Without a zone it is that of the environment (`ARQ_TIMEZONE`, `TIMEZONE`), else UTC.

    Args:
        value: the time.
        now: the time now.
        is_end: take a day as its end, and not as its beginning.

    Raises:
        ConfigurationError: it is something else.
    """
    now = datetime.now(UTC) if now is None else now
    told = value.strip()
    if _SPAN.fullmatch(told):
        return now - _span(told)
    zone: tzinfo = get_tz() or UTC
    try:
        moment = datetime.fromisoformat(told)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        if is_end and _DATE.fullmatch(told):
            moment += timedelta(days=1)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"a time is written as 90s, 15m, 2h, 3d or 1w (so long ago), 2026-11-20 or 2026-11-20T14:30, "
            f"got {value!r}"
        ) from None


def has_glob(value: str) -> bool:
    """Whether a value has a `*`, which stands for anything."""
    return "*" in value


def glob_of(value: str) -> re.Pattern[str]:
    """What a value with `*` in it matches as a whole, in upper or lower case.

    Each part between two stars is taken where it comes first, and no other place is tried: to go back would
    take time without end.
    """
    head, *rest = map(re.escape, value.split("*"))
    *middle, tail = rest or [""]
    pattern = head + "".join(f"(?>.*?{part})" for part in middle if part) + (".*" + tail if rest else "")
    return re.compile(pattern, re.DOTALL | re.IGNORECASE)


def literals_of(value: str) -> list[Any]:
    """What a value may be in JSON: `42` is a number or a text, `ann` is a text only."""
    try:
        read = from_json(value)
    except ValueError:
        return [value]
    if read is None or isinstance(read, bool):
        return [read, value]
    # What no database can compare is a text only.
    is_number = isinstance(read, int | float) and math.isfinite(read) and abs(read) < _LARGEST
    return [read, value] if is_number else [value]


def path_of(name: str) -> tuple[str, ...]:
    """The path in a name: `arg.user.id` has `user` and `id`."""
    return tuple(name.partition(".")[2].split("."))


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """The dict that has a value at the end of a path."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def _name(name: str) -> str:
    for known in INSIDE:
        plural = known.replace(".", "s.")
        if name.startswith(plural):
            name = known + name.removeprefix(plural)
        if name.startswith(known):
            if not all(name.removeprefix(known).split(".")):
                raise ConfigurationError(
                    f"a name must stand behind each dot of {name!r}, as in {known}user_id:42"
                )
            return name
    lowered = ALIASES.get(name.lower(), name.lower())
    if lowered in (*NAMES, TEXT):
        return lowered
    near = difflib.get_close_matches(lowered, NAMES, 1, cutoff=0.6)
    hint = f"did you mean {near[0]}:? " if near else ""
    raise ConfigurationError(
        f"there is no {name}: to ask for; {hint}there are {', '.join(NAMES)}, arg.NAME and meta.NAME; "
        f"a text with a colon stands in quotes"
    )


def _state(value: str) -> str:
    lowered = value.lower()
    if lowered in _STATES:
        return lowered
    near = difflib.get_close_matches(lowered, [*_STATES, *STATE_ALIASES], 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigurationError(f"there is no state {value!r}; {hint}there are {', '.join(_STATES)}")


def _member_of(kind: type[LedgerStatus] | type[Cause], name: str) -> Callable[[str], str]:
    known = [str(one) for one in kind]

    def check(value: str) -> str:
        if value.upper() not in known:
            raise ConfigurationError(f"there is no {name} {value!r}; {_nearest(value.upper(), known)}")
        return value.upper()

    return check


def _number(value: str) -> str:
    found = range_of(value)
    if found.low is not None and found.high is not None and found.low > found.high:
        raise ConfigurationError(f"there is no number from {found.low} to {found.high}: swap them")
    return "".join(value.split())


def _nearest(value: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}there are {', '.join(known)}"


def _span(told: str) -> timedelta:
    try:
        span = sum((timedelta(**{_UNITS[u]: float(n)}) for n, u in _PART.findall(told)), timedelta())
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST_SPAN:
        raise ConfigurationError(f"{told!r} is longer ago than there are jobs")
    return span


def _can_be_written(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tag(value: str) -> str:
    if has_glob(value):
        raise ConfigurationError(f"a tag is named in full, without *, got {value!r}")
    [tag] = checks.tags([value]) or ("",)
    if not tag:
        raise ConfigurationError("tag must not be empty: leave it out if it does not matter")
    return tag


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "state": _state,
    "status": _member_of(LedgerStatus, "status"),
    "cause": _member_of(Cause, "cause"),
    "tag": _tag,
    "attempt": _number,
    "priority": _number,
}
