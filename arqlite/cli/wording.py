"""Times, spans and numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..model.spans import in_one_unit

if TYPE_CHECKING:
    from ..console.views import Tally, Trouble

_BARS = "▁▂▃▄▅▆▇█"
_SPANS = (("d", 86_400), ("h", 3600), ("m", 60))
_SHORT = timedelta(seconds=10)
_UNITS = ("B", "kB", "MB", "GB", "TB")


def span(value: timedelta | float | None) -> str:
    """A span in full units, the largest it has two of: `340ms`, `90s`, `5m`, `36h`, `2d`; empty for None."""
    if value is None:
        return ""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.2g}s"
    for unit, length in _SPANS:
        if seconds >= 2 * length:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds // 1:.0f}s"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago a moment was, or how far off it is: `5m ago`, `in 2h`; empty for None.

    In full minutes, hours and days, as the dashboard has it; below ten seconds more exactly.
    """
    if moment is None:
        return ""
    passed = (now or datetime.now(UTC)) - moment
    told = _rough(passed)
    return f"{told} ago" if passed >= timedelta() else f"in {told}"


def _rough(value: timedelta) -> str:
    if abs(value) < _SHORT:
        return span(abs(value))
    count, unit = in_one_unit(value.total_seconds())
    return f"{count}{unit.removesuffix('in')}"  # minutes are `m` here


def moment(value: datetime | None) -> str:
    """A moment in the local zone, to the second, with how long ago it was; empty for None."""
    if value is None:
        return ""
    return f"{value.astimezone():%Y-%m-%d %H:%M:%S %Z} ({ago(value)})"


def size(count: int | None) -> str:
    """Bytes: `12.4 MB`; empty for None."""
    if count is None:
        return ""
    value, units = float(count), iter(_UNITS)
    unit = next(units)
    while value >= 1000 and unit != _UNITS[-1]:
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def tally(count: Tally) -> str:
    """A number, with how sure it is: `12`, `at least 5,000`, `about 1,200,000`."""
    told = f"{count.value:,}"
    return told if count.precision == "exact" else f"{count.precision} {told}"


def many(count: int | str, noun: str) -> str:
    """A number and its noun: `1 job`, `2 jobs`."""
    told = count if isinstance(count, str) else f"{count:,}"
    return f"{told} {noun}" if told == "1" else f"{told} {noun}s"


def sentence(trouble: Trouble) -> str:
    """What is the matter, where, and what to do."""
    about = f" ({trouble.queue})" if trouble.queue else ""
    fix = f"; {trouble.fix}" if trouble.fix else ""
    return f"{trouble.text.rstrip('.')}{about}{fix}"


def spark(values: list[int] | tuple[int, ...]) -> str:
    """A line of small bars."""
    most = max(values, default=0)
    if not most:
        return ""
    return "".join(_BARS[round(value / most * (len(_BARS) - 1))] for value in values)
