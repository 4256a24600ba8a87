"""Times that charts are asked for, and the rows of minutes as what they answer. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from ..errors import ConfigurationError
from . import spreads
from .answers import Ended, Percentiles
from .filters import aware

Step: TypeAlias = Literal["minute", "hour", "day"]
By: TypeAlias = Literal["queue", "function"]

STEPS: dict[str, int] = {"minute": 1, "hour": 60, "day": 24 * 60}
MOST_POINTS = 5_000
DEFAULT_WINDOW = timedelta(days=1)

_MOST_SHORT_SPANS = 100
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Window(NamedTuple):
    """A time in minutes since 1970; `until` is no longer meant."""

    since: int
    until: int


def window(since: datetime | None, until: datetime | None, per: Step | None, now: datetime) -> Window:
    """The whole minutes that hold a time; by default the last day.

    Raises:
        ConfigurationError: it ends before it begins, or has too many steps for a chart.
    """
    end = aware("until", now if until is None else until)
    begin = aware("since", end - DEFAULT_WINDOW if since is None else since)
    found = Window((begin - _EPOCH) // _MINUTE, -((_EPOCH - end) // _MINUTE))
    if found.since >= found.until:
        raise ConfigurationError(f"since must be before until, got {begin} and {end}")
    if per is not None and per not in STEPS:
        raise ConfigurationError(f"per must be one of {', '.join(STEPS)}, got {per!r}")
    if per is not None and (found.until - found.since) / STEPS[per] > MOST_POINTS:
        raise ConfigurationError(f"from {begin} to {end} are more than {MOST_POINTS} steps of a {per}")
    return found


def checked_by(by: By | Sequence[By]) -> tuple[By, ...]:
    """What figures are told apart by.

    Raises:
        ConfigurationError: it is neither queue nor function.
    """
    names = (by,) if isinstance(by, str) else tuple(by)
    for name in names:
        if name not in ("queue", "function"):
            raise ConfigurationError(f"by must be queue or function, or both, got {name!r}")
    return names


def moment_of(minute: int) -> datetime:
    """When a minute began."""
    return _EPOCH + minute * _MINUTE


def added_up(rows: Iterable[Sequence[Any]], by: Sequence[str], *, has_steps: bool) -> list[Ended]:
    """Rows of `store.ended_runs`, which have one state each, as one answer for all states."""
    groups: dict[tuple[Any, ...], list[Sequence[Any]]] = {}
    width = has_steps + len(by)
    for row in rows:
        groups.setdefault(tuple(row[:width]), []).append(row[width:])
    return [_ended(key, states, by, has_steps=has_steps) for key, states in groups.items()]


def _ended(key: Sequence[Any], states: Sequence[Any], by: Sequence[str], *, has_steps: bool) -> Ended:
    names = dict(zip(by, key[has_steps:], strict=True))
    total = max(sum(int(count) for _, count, *_ in states), 1)
    return Ended(
        at=moment_of(key[0]) if has_steps else None,
        queue=names.get("queue"),
        function=names.get("function"),
        counts={state: int(count) for state, count, *_ in states},
        run_ms=sum(int(row[2]) for row in states) / total,
        wait_ms=sum(int(row[3]) for row in states) / total,
        longest_run_ms=max(int(row[4]) for row in states),
        longest_wait_ms=max(int(row[5]) for row in states),
    )


def span_for(found: Window) -> int:
    """Which minutes are read together for percentiles of a time: for days the long ones."""
    short, long = spreads.SPANS
    return short if found.until - found.since <= _MOST_SHORT_SPANS * short else long


def percentiles_of(rows: Iterable[Sequence[Any]], by: Sequence[str]) -> list[Percentiles]:
    """Rows of `store.spread_runs` as one answer for each key; the keys with the most runs come first."""
    groups: dict[tuple[Any, ...], tuple[list[str], list[str]]] = {}
    for *key, run_ms, wait_ms in rows:
        ran, waited = groups.setdefault(tuple(key), ([], []))
        ran.append(run_ms)
        waited.append(wait_ms)
    found = [_percentiles(key, *texts, by) for key, texts in groups.items()]
    return sorted(found, key=lambda one: (-one.count, one.queue or "", one.function or ""))


def _percentiles(key: Sequence[Any], ran: list[str], waited: list[str], by: Sequence[str]) -> Percentiles:
    names = dict(zip(by, key, strict=True))
    runs = spreads.added_up(ran)
    return Percentiles(
        names.get("queue"),
        names.get("function"),
        sum(runs.values()),
        spreads.percentiles(runs),
        spreads.percentiles(spreads.added_up(waited)),
    )
