"""How the dashboard says things: numbers, times and states, short and the same everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from markupsafe import Markup, escape

from ..console import Tally
from ..model.spans import UNITS, in_one_unit
from ..model.states import Cause, JobState

THIN: Final = "\u202f"
"""A thin space at which no line breaks."""

NOTHING: Final = "–"

STATE_WORDS: Final[Mapping[str, str]] = {
    JobState.SUSPENDED: "waiting",
    JobState.SCHEDULED: "scheduled",
    JobState.AVAILABLE: "ready",
    JobState.EXECUTING: "running",
    JobState.RETRYABLE: "retrying",
    JobState.COMPLETED: "completed",
    JobState.DISCARDED: "failed",
    JobState.CANCELLED: "cancelled",
}
"""What operators call the states of a job."""

CAUSE_WORDS: Final[Mapping[str, str]] = {
    Cause.ERROR: "error",
    Cause.TIMEOUT: "timeout",
    Cause.CANCELLED: "by hand",
    Cause.SHUTDOWN: "shutdown",
    Cause.LOST: "lost worker",
    Cause.EXPIRED: "expired",
    Cause.REFUSED: "refused",
    Cause.DUPLICATE: "duplicate",
    Cause.RETRY: "asked for a retry",
    Cause.SNOOZE: "snoozed",
}

_BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def number(value: float | None) -> str:
    """A number with thin spaces between its thousands."""
    if value is None:
        return NOTHING
    whole = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return whole.replace(",", THIN)


def tally(value: Tally | None) -> str:
    """How many there are, with how sure that is: `1 204`, `100 000+`, `≈ 2 000 000`."""
    if value is None:
        return NOTHING
    match value.precision:
        case "exact":
            return number(value.value)
        case "at least":
            return f"{number(value.value)}+"
        case "about":
            return f"≈{THIN}{number(value.value)}"


def bound(said: str, is_exact: bool) -> str:
    """A number in words, with a plus where it may be more: `3+`; what is not known stays so."""
    return said if is_exact or said == NOTHING else f"{said}+"


def duration(value: timedelta | float | None) -> str:
    """How long: `340 ms`, `2.4 s`, `1 min 12 s`, `2 d 4 h`; a plain number is milliseconds."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else value / 1000
    if seconds < 0:
        return f"−{duration(timedelta(seconds=-seconds))}"
    if seconds < 0.9995:
        return f"{_short(seconds * 1000)}{THIN}ms"
    if seconds < 60:
        return f"{_short(seconds)}{THIN}s"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{THIN}{unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def seconds(value: timedelta | float) -> str:
    """How long, of a plain number of seconds."""
    return duration(value if isinstance(value, timedelta) else timedelta(seconds=value))


def fields(names: str | Iterable[str] | None) -> str:
    """Names of fields, one or several: `args.tenant_id, meta.region`."""
    return names if isinstance(names, str) else ", ".join(names or ())


def rough(value: timedelta | None) -> str:
    """How long, in one unit: `40 s`, `3 min`, `2 h`, `5 d`."""
    if value is None:
        return NOTHING
    count, unit = in_one_unit(value.total_seconds())
    return f"{count}{THIN}{unit}"


def ago(at: datetime, now: datetime) -> str:
    """When, seen from now: `3 min ago`, `in 2 h`, `now`."""
    gone = now - at
    if abs(gone) < timedelta(seconds=1):
        return "now"
    return f"{rough(gone)} ago" if gone > timedelta() else f"in {rough(gone)}"


def absolute(at: datetime) -> str:
    """When, in UTC: `2026-11-20 09:30:00 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine(at: datetime) -> str:
    """When, for programs: as `<time datetime>` has it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def size(value: int | None) -> str:
    """How many bytes: `312 KiB`, `1.4 GiB`."""
    if value is None:
        return NOTHING
    amount, unit = float(value), 0
    while amount >= 1024 and unit < len(_BYTES) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{_short(amount)}{THIN}{_BYTES[unit]}"


def percent(part: float, whole: float) -> str:
    """A part of a whole: `12 %`, `0.4 %`; nothing of nothing is no number."""
    if not whole:
        return NOTHING
    return f"{_short(100 * part / whole)}{THIN}%"


def state_word(state: str) -> str:
    """What operators call a state; other words (of attempts and timelines) stay as they are."""
    return STATE_WORDS.get(state, state)


def cause_word(cause: str) -> str:
    """What operators call a cause."""
    return CAUSE_WORDS.get(cause, cause.lower())


def sentence(text: str) -> Markup:
    """A sentence that may have come without its capital and its full stop; what is in backticks is code."""
    text = text.strip()
    if text and text[-1] not in ".!?:":
        text += "."
    parts = (text[:1].upper() + text[1:]).split("`")
    if len(parts) % 2 == 0:  # a backtick that none closes
        return escape("`".join(parts))
    told = (
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )
    return Markup("").join(told)


def breakable(name: str) -> Markup:
    """A name that may go on in the next line behind a mark, rather than in the middle of a word."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[@/:.])(?=\w)", name))


def as_json(value: Any) -> str:
    """A value as JSON to read; big integers keep all their digits."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def trace_of(meta: Mapping[str, Any]) -> str:
    """The id of the trace that a job belongs to, as its meta tells it; empty for none."""
    told = meta.get("traceparent") or meta.get("trace_id")
    found = re.search(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", str(told)) if told else None
    return found.group() if found else ""


def _short(value: float) -> str:
    text = f"{value:.1f}" if 0 < value < 9.95 else f"{value:.0f}"
    return text.removesuffix(".0").replace(",", THIN)
